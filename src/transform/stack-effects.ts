/** How many operands each instruction takes, and what it leaves: derived from the table of instructions. */

import { ModuleBuilder } from "../binary/builder.ts";
import type { InstructionReader } from "../binary/instructions.ts";
import type { BinaryModule } from "../binary/module.ts";
import { OPCODES, OPCODE_LIMIT } from "../binary/opcodes.ts";
import type { StackType } from "../binary/opcodes.ts";
import { Reader } from "../binary/reader.ts";
import { F32, F64, FUNCREF, I16, I32, I64, I8, V128, readHeapType, referenceType } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";

/** Opcode number → operands, where their number is fixed. */
export const POPS: Int8Array = new Int8Array(OPCODE_LIMIT);
/** Opcode number → type of the result; 0 for none, {@link BY_IMMEDIATES} when {@link resultType} has to look. */
export const PUSHES: Int32Array = new Int32Array(OPCODE_LIMIT);

export const BY_IMMEDIATES = -1;

const FIXED: ReadonlyMap<string, ValueType> = new Map([
  ["i32", I32],
  ["i64", I64],
  ["f32", F32],
  ["f64", F64],
  ["v128", V128],
]);

for (const entry of OPCODES) {
  if (!entry?.effect) continue;
  const [result] = entry.effect.results;
  POPS[entry.number] = entry.effect.operands.length;
  if (result !== undefined) PUSHES[entry.number] = FIXED.get(result) ?? BY_IMMEDIATES;
}

/** Codes of abstract heap types. */
const FUNC_HEAP = -16;
const I31_HEAP = -20;

/** The type of the (first) result of the current instruction of `reader`, which the immediates select. */
export function resultType(module: BinaryModule, reader: InstructionReader, locals: readonly ValueType[]): ValueType {
  const result = OPCODES[reader.opcode]!.effect!.results[0]!;
  const immediates = new Reader(reader.bytes, reader.immediates, reader.position);
  return FIXED.get(result) ?? selectedType(module, immediates, { result, locals });
}

function selectedType(
  module: BinaryModule,
  immediates: Reader,
  { result, locals }: { result: StackType; locals: readonly ValueType[] },
): ValueType {
  switch (result) {
    case "local":
      return locals[immediates.u32()]!;
    case "global":
      return module.globals[immediates.u32()]!.type;
    case "addr":
      return module.memories[immediates.u32()]!.is64 ? I64 : I32;
    case "index":
      return module.tables[immediates.u32()]!.is64 ? I64 : I32;
    case "element":
      return module.tables[immediates.u32()]!.element;
    case "field":
      return fieldType(module, immediates);
    case "ref_t":
      return referenceType(false, immediates.u32());
    case "ref_func":
      return hasTypedReferences() ? referenceType(false, module.functions[immediates.u32()]!) : FUNCREF;
    case "ref_heap":
      return referenceType(false, readHeapType(immediates));
    case "null_heap":
      return referenceType(true, readHeapType(immediates));
    case "ref_i31":
      return referenceType(false, I31_HEAP);
    default:
      return referenceType(true, FUNC_HEAP);
  }
}

let knownTypedReferences: boolean | undefined;

/** Whether the engine of this process has references to functions of one type; without, `ref.func` leaves a funcref. */
function hasTypedReferences(): boolean {
  if (knownTypedReferences === undefined) {
    const module = new ModuleBuilder();
    module.addFunction({ params: [referenceType(true, module.type({ params: [], results: [] }))], results: [] });
    knownTypedReferences = WebAssembly.validate(module.build());
  }
  return knownTypedReferences;
}

/** The type of a struct field or array element as it is on the stack. */
function fieldType(module: BinaryModule, immediates: Reader): ValueType {
  const composite = module.types[immediates.u32()];
  const field = composite?.kind === "array" ? composite.element : undefined;
  const type = field?.type ?? (composite?.kind === "struct" ? composite.fields[immediates.u32()]?.type : undefined);
  if (type === undefined) return immediates.fail("a struct field or an array");
  return type === I8 || type === I16 ? I32 : type;
}
