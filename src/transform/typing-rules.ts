/**
 * Operands and results of the instructions for which the table of instructions has a rule instead of a fixed effect.
 * Calls are in calls.ts.
 */

import type { FunctionType } from "../binary/extern-types.ts";
import type { InstructionReader } from "../binary/instructions.ts";
import type { BinaryModule } from "../binary/module.ts";
import { OPCODES, opcode } from "../binary/opcodes.ts";
import { Reader } from "../binary/reader.ts";
import { heapTypeOf, isDefaultable, readHeapType, readValueType, referenceType } from "../binary/value-types.ts";
import type { OperandStack } from "./operand-stack.ts";

const EMPTY_BLOCK = 0x40;
/** What the conversions between the two worlds of references convert to: `any` and `extern`. */
const CONVERTED_HEAPS = new Map([
  [opcode("any.convert_extern"), -18],
  [opcode("extern.convert_any"), -17],
]);
const AS_NON_NULL = opcode("ref.as_non_null");
const SELECT = opcode("select");
const SELECT_TYPED = opcode("select_typed");
// Flags of br_on_cast.
const FROM_NULLABLE = 1;
const TO_NULLABLE = 2;

/** All methods are about the current instruction of the reader. */
export class TypingRules {
  readonly #module: BinaryModule;
  readonly #reader: InstructionReader;
  readonly #immediates: Reader;

  constructor(module: BinaryModule, reader: InstructionReader) {
    this.#module = module;
    this.#reader = reader;
    this.#immediates = new Reader(module.bytes);
  }

  #atImmediates(): Reader {
    this.#immediates.position = this.#reader.immediates;
    return this.#immediates;
  }

  /** Parameters and results of a construct. */
  blockType(): FunctionType {
    const immediates = this.#atImmediates();
    const code = this.#module.bytes[immediates.position]!;
    if (code === EMPTY_BLOCK) return { params: [], results: [] };
    if (code > EMPTY_BLOCK && code < 0x80) return { params: [], results: [readValueType(immediates)] };
    const type = this.#module.types[immediates.s33("a block type")];
    return type?.kind === "func" ? type : immediates.fail("the index of a function type");
  }

  /** What the `catch` of the legacy form puts on the stack. */
  tagParams(): FunctionType["params"] {
    const type = this.#module.types[this.#module.tags[this.#reader.index()] ?? -1];
    return type?.kind === "func" ? type.params : [];
  }

  /** `select`, and what changes the type of a reference. */
  operand(stack: OperandStack): void {
    const { opcode: number, position } = this.#reader;
    if (number === SELECT || number === SELECT_TYPED) return this.#select(stack, number === SELECT_TYPED);
    const type = stack.typeAt();
    stack.pop();
    const isNullable = number !== AS_NON_NULL && isDefaultable(type);
    return stack.push(referenceType(isNullable, CONVERTED_HEAPS.get(number) ?? heapTypeOf(type)), position);
  }

  #select(stack: OperandStack, isTyped: boolean): void {
    let type = stack.typeAt(2);
    if (isTyped) {
      const immediates = this.#atImmediates();
      immediates.u32();
      type = readValueType(immediates);
    }
    stack.pop(3);
    stack.push(type, this.#reader.position);
  }

  /** `struct.new` and `array.new_fixed`. */
  fields(stack: OperandStack): void {
    const immediates = this.#atImmediates();
    const type = immediates.u32();
    const composite = this.#module.types[type];
    stack.pop(composite?.kind === "struct" ? composite.fields.length : immediates.u32());
    stack.push(referenceType(false, type), this.#reader.position);
  }

  /** `br_on_null` goes on with a reference that is not null. */
  nonNull(stack: OperandStack): void {
    const type = stack.typeAt();
    stack.pop();
    stack.push(referenceType(false, heapTypeOf(type)), this.#reader.position);
  }

  /** The label of `br_on_cast` and `br_on_cast_fail`. */
  castLabel(): number {
    const immediates = this.#atImmediates();
    immediates.u8();
    return immediates.u32();
  }

  /** `br_on_cast` goes on with what is left of the first type, `br_on_cast_fail` with the second. */
  castBranch(stack: OperandStack): void {
    const immediates = this.#atImmediates();
    const flags = immediates.u8();
    immediates.u32();
    const from = readHeapType(immediates);
    const to = readHeapType(immediates);
    const goesOnWithSecond = OPCODES[this.#reader.opcode]!.name === "br_on_cast_fail";
    const remainsNullable = (flags & FROM_NULLABLE) !== 0 && (flags & TO_NULLABLE) === 0;
    stack.pop();
    const type = goesOnWithSecond
      ? referenceType((flags & TO_NULLABLE) !== 0, to)
      : referenceType(remainsNullable, from);
    stack.push(type, this.#reader.position);
  }
}
