/** Instructions whose work is a number that only the program knows: they pay by their last operand. */

import type { InstructionReader } from "../binary/instructions.ts";
import type { BinaryModule } from "../binary/module.ts";
import { OPCODES, OPCODE_LIMIT, opcode } from "../binary/opcodes.ts";
import type { OpcodeName } from "../binary/opcodes.ts";

/** What the last operand counts. */
export type BulkUnit = "bytes" | "elements" | "pages";

const UNITS: Readonly<Partial<Record<OpcodeName, BulkUnit>>> = {
  "memory.init": "bytes",
  "memory.copy": "bytes",
  "memory.fill": "bytes",
  "memory.grow": "pages",
  "table.init": "elements",
  "table.copy": "elements",
  "table.grow": "elements",
  "table.fill": "elements",
  "array.new": "elements",
  "array.new_default": "elements",
  "array.new_data": "elements",
  "array.new_elem": "elements",
  "array.fill": "elements",
  "array.copy": "elements",
  "array.init_data": "elements",
  "array.init_elem": "elements",
};

const UNIT_OF: (BulkUnit | undefined)[] = Array<BulkUnit | undefined>(OPCODE_LIMIT).fill(undefined);
for (const [name, unit] of Object.entries(UNITS)) UNIT_OF[opcode(name as OpcodeName)] = unit;

/** What a cost of 1 pays for, as a power of two: 64 bytes, 8 elements. */
export const BULK_SHIFT: Readonly<Record<Exclude<BulkUnit, "pages">, number>> = { bytes: 6, elements: 3 };
/** What a page costs, as a power of two. */
export const PAGE_SHIFT = 4;

/** The last operand of the current instruction of a reader. */
export interface BulkOperand {
  readonly unit: BulkUnit;
  readonly is64: boolean;
}

/** `undefined` for an instruction whose work does not depend on an operand. */
export function bulkOperand(reader: InstructionReader, module: BinaryModule): BulkOperand | undefined {
  const unit = UNIT_OF[reader.opcode];
  return unit === undefined ? undefined : { unit, is64: isLastOperand64(reader, module) };
}

function isLastOperand64(reader: InstructionReader, { memories, tables }: BinaryModule): boolean {
  const [first, second] = indices(reader);
  switch (OPCODES[reader.opcode]?.effect?.operands.at(-1)) {
    case "addr":
      return memories[first]?.is64 === true;
    case "size":
      return memories[first]?.is64 === true && memories[second]?.is64 === true;
    case "index":
      return tables[first]?.is64 === true;
    case "count":
      return tables[first]?.is64 === true && tables[second]?.is64 === true;
    default:
      return false;
  }
}

/** The first two immediates, which are one if there is only one. */
function indices(reader: InstructionReader): readonly [number, number] {
  const next = reader.position;
  reader.position = reader.immediates;
  const first = reader.u32();
  const second = reader.position < next ? reader.u32() : first;
  reader.position = next;
  return [first, second];
}
