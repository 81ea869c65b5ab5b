/** Labels in the immediates of instructions: reading them, and copying an instruction with other ones. */

import { Reader } from "../binary/reader.ts";
import type { Writer } from "../binary/writer.ts";
import * as op from "./operations.ts";
import type { Operations } from "./operations.ts";

/** First byte of the clauses of `try_table` without a tag. */
const FIRST_CATCH_ALL = 2;

/** The labels of an operation, in the order of the instruction. */
export function readLabels(reader: Reader, operations: Operations, index: number): number[] {
  const labels: number[] = [];
  visitLabels(reader, operations, index, (label) => labels.push(label));
  return labels;
}

/** Copies an operation, each label replaced by what `translate` makes of it. */
export function copyWithLabels(
  writer: Writer,
  operations: Operations,
  index: number,
  { bytes, translate }: { bytes: Uint8Array; translate: (label: number) => number },
): void {
  const reader = new Reader(bytes);
  let copied = operations.start[index]!;
  visitLabels(reader, operations, index, (label, start) => {
    writer.bytes(bytes, copied, start);
    writer.u32(translate(label));
    copied = reader.position;
  });
  writer.bytes(bytes, copied, operations.end[index]);
}

/** `visit` gets each label and its offset; the reader is behind it then. */
function visitLabels(
  reader: Reader,
  operations: Operations,
  index: number,
  visit: (label: number, start: number) => void,
): void {
  // All instructions with labels have one-byte opcodes, but br_on_cast, with a prefix and flags before the label.
  const kind = operations.kind[index]!;
  reader.position = operations.start[index]! + 1;
  reader.end = operations.end[index]!;
  const visitNext = (): void => {
    const start = reader.position;
    visit(reader.u32(), start);
  };
  if (kind === op.TRY_TABLE) {
    skipBlockType(reader);
    for (let left = reader.u32(); left > 0; left--) {
      if (reader.u8() < FIRST_CATCH_ALL) reader.u32();
      visitNext();
    }
  } else if (kind === op.BR_TABLE) {
    for (let left = reader.u32() + 1; left > 0; left--) visitNext();
  } else {
    if (kind === op.BR_ON_CAST) {
      reader.u32();
      reader.u8();
    }
    visitNext();
  }
}

const REF_NULL = 0x63;
const REF = 0x64;

function skipBlockType(reader: Reader): void {
  const code = reader.bytes[reader.position]!;
  if (code === REF || code === REF_NULL) reader.u8();
  reader.s33();
}
