/** Reads the labels that the current instruction of a reader names. The reader stays where it is. */

import type { InstructionReader } from "../binary/instructions.ts";
import { opcode } from "../binary/opcodes.ts";

const BR_ON_CAST = opcode("br_on_cast");
const BR_ON_CAST_FAIL = opcode("br_on_cast_fail");

/** First byte of `(ref null ht)` and `(ref ht)`, which a heap type follows. */
const REF_NULL = 0x63;
const REF = 0x64;
/** Kinds of clauses from here on have no tag. */
const CATCH_ALL = 2;

/** Of an instruction with one label. */
export function labelOf(reader: InstructionReader): number {
  if (reader.opcode !== BR_ON_CAST && reader.opcode !== BR_ON_CAST_FAIL) return reader.index();
  let label = 0;
  // The flags stand before the label.
  atImmediates(reader, () => {
    reader.u8();
    label = reader.u32();
  });
  return label;
}

/** Of a `br_table`. */
export function forEachLabel(reader: InstructionReader, visit: (label: number) => void): void {
  atImmediates(reader, () => {
    for (let left = reader.u32(); left >= 0; left--) visit(reader.u32());
  });
}

/** Of a `try_table`, counted from outside of it. */
export function forEachHandler(reader: InstructionReader, visit: (label: number) => void): void {
  atImmediates(reader, () => {
    const first = reader.bytes[reader.position];
    if (first === REF || first === REF_NULL) reader.u8();
    reader.s33();
    for (let left = reader.u32(); left > 0; left--) {
      if (reader.u8() < CATCH_ALL) reader.u32();
      visit(reader.u32());
    }
  });
}

function atImmediates(reader: InstructionReader, read: () => void): void {
  const next = reader.position;
  reader.position = reader.immediates;
  read();
  reader.position = next;
}
