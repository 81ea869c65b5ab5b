/**
 * Emits instructions: one method per instruction of the table, so that generated code reads like WebAssembly text.
 *
 *     code.localGet(n).i32Const(1).i32Sub().localTee(n).i32Eqz().brIf(done);
 *
 * A method is the instruction's name in camel case and takes its immediates in binary order. A label is the number of
 * constructs between, as in the binary format, or what {@link CodeEmitter.label} returned inside the construct.
 */

import { FIRST_PREFIX, OPCODES, OPCODES_PER_PREFIX } from "./opcodes.ts";
import type { Immediate, Opcode, OpcodeImmediates, OpcodeName } from "./opcodes.ts";
import { heapTypeOf, isDefaultable, writeValueType } from "./value-types.ts";
import type { ValueType } from "./value-types.ts";
import { Writer } from "./writer.ts";

/** The target of a branch, wherever it is used: {@link CodeEmitter.label} makes it. */
export interface Label {
  /** Constructs around the instructions of the target, itself included. */
  readonly depth: number;
  /** Tells constructs of the same depth apart. */
  readonly construct: number;
}

/** What a construct takes and leaves: nothing (when left out), one result, or a function type by its index. */
export type BlockType = ValueType | { readonly type: number };

/** A memory access. As a plain number: the offset. */
export interface MemoryArgument {
  /** Bytes added to the address operand; 0 when left out. */
  readonly offset?: number | bigint;
  /** Alignment in bytes, a power of two; the size of the access when left out. */
  readonly align?: number;
  /** Index of the memory; 0 when left out. */
  readonly memory?: number;
}

/** A clause of `try_table`, spelled as in text: what to catch, the tag if any, and where to go. */
export type CatchClause =
  | readonly [kind: "catch" | "catch_ref", tag: number, label: number | Label]
  | readonly [kind: "catch_all" | "catch_all_ref", label: number | Label];

/** A clause of `resume`: the tag, and where a suspension with it goes or that it switches stacks. */
export type HandlerClause =
  | readonly [kind: "on", tag: number, label: number | Label]
  | readonly [kind: "on_switch", tag: number];

/** The immediates of `br_on_cast`: where to go and the two reference types. */
export interface CastBranch {
  readonly label: number | Label;
  readonly from: ValueType;
  readonly to: ValueType;
}

/** The argument that stands for an immediate. */
interface ArgumentTypes {
  i32: number;
  i64: number | bigint;
  f32: number;
  f64: number;
  v128: Uint8Array;
  blocktype: BlockType;
  label: number | Label;
  "label*": readonly (number | Label)[];
  "type*": readonly ValueType[];
  "catch*": readonly CatchClause[];
  "handler*": readonly HandlerClause[];
  lanes: readonly number[];
  cast: CastBranch;
}

type Argument<Name extends string> = Name extends keyof ArgumentTypes
  ? ArgumentTypes[Name]
  : Name extends `memarg${string}`
    ? number | MemoryArgument
    : number;

/** Immediates that may be left out at the end: memory 0, table 0, no offset, a construct without results. */
type Omissible = "memory" | "table" | "blocktype" | `memarg${string}`;

type Prepend<Name extends string, Rest extends unknown[]> = Name extends Omissible
  ? [] extends Rest
    ? [immediate?: Argument<Name>, ...rest: Rest]
    : [immediate: Argument<Name> | undefined, ...rest: Rest]
  : [immediate: Argument<Name>, ...rest: Rest];

/** Immediates, as the table spells them → arguments. */
type Arguments<Names extends string> = Names extends "" | "zero"
  ? []
  : Names extends `${infer First} ${infer Rest}`
    ? Prepend<First, Arguments<Rest>>
    : Prepend<Names, []>;

type CamelCase<Text extends string> = Text extends `${infer Head}.${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Text extends `${infer Head}_${infer Tail}`
    ? `${Head}${Capitalize<CamelCase<Tail>>}`
    : Text;

type Instructions = {
  [Name in OpcodeName as CamelCase<Name>]: (...immediates: Arguments<OpcodeImmediates[Name]>) => Code;
};

/** A sequence of instructions being written. */
export type Code = CodeEmitter & Instructions;

/** The part of {@link Code} that is not generated from the table. Made by {@link emitCode}. */
class CodeEmitter {
  readonly writer: Writer = new Writer(64);
  /** Numbers of the constructs that are open, the innermost last. The function is number 0 and stays open. */
  readonly #open: number[] = [0];
  #opened = 0;

  /** Number of constructs that are open, without the function. */
  get depth(): number {
    return this.#open.length - 1;
  }

  /** The label of the innermost open construct; of the function when none is open. */
  label(): Label {
    return { depth: this.depth, construct: this.#open.at(-1)! };
  }

  /** What follows is inside one more construct. Instructions that open one do this themselves. */
  enterConstruct(): void {
    this.#open.push(++this.#opened);
  }

  leaveConstruct(): void {
    if (this.depth === 0) throw new RangeError("Cannot end a construct: none is open");
    this.#open.pop();
  }

  /** Appends finished instructions, `source[start..end)`. They must not open or close constructs of this code. */
  copy(source: Uint8Array, start?: number, end?: number): this {
    this.writer.bytes(source, start, end);
    return this;
  }

  /** Labels of a construct are relative to what is open at the instruction that names them. */
  distanceTo(label: number | Label): number {
    if (typeof label === "number") return label;
    if (this.#open[label.depth] !== label.construct) {
      throw new RangeError("Cannot branch to a label of a construct that is closed");
    }
    return this.depth - label.depth;
  }
}

type Encoder = (code: CodeEmitter, value: never, opcode: Opcode) => void;

const index: Encoder = (code, value: number | undefined) => code.writer.u32(value ?? 0);
const byte: Encoder = (code, value: number) => code.writer.u8(value);
const label: Encoder = (code, target: number | Label) => code.writer.u32(code.distanceTo(target));
const memarg: Encoder = (code, access: number | MemoryArgument | undefined, opcode) => {
  const { offset = 0, memory = 0, align } = typeof access === "number" ? { offset: access } : (access ?? {});
  const alignment = Math.log2(align ?? accessBytes(opcode));
  if (!Number.isInteger(alignment)) throw new RangeError(`Cannot align to ${align} bytes: must be a power of two`);
  code.writer.u8(alignment | (memory === 0 ? 0 : 0x40));
  if (memory !== 0) code.writer.u32(memory);
  code.writer.u64(BigInt(offset));
};

/** Immediate → how its argument is written. What is not listed is an index or a count. */
const ENCODERS: { readonly [Name in Immediate]?: Encoder } = {
  i32: (code, value: number) => code.writer.s32(value),
  i64: (code, value: number | bigint) => code.writer.s64(BigInt(value)),
  f32: (code, value: number) => code.writer.f32(value),
  f64: (code, value: number) => code.writer.f64(value),
  v128: (code, value: Uint8Array) => code.writer.bytes(exactly16(value)),
  lanes: (code, value: readonly number[]) => code.writer.bytes(exactly16(Uint8Array.from(value))),
  lane: byte,
  zero: (code) => code.writer.u8(0),
  heap: (code, value: number) => code.writer.s33(value),
  label,
  memarg1: memarg,
  memarg2: memarg,
  memarg4: memarg,
  memarg8: memarg,
  memarg16: memarg,
  blocktype: (code, type: BlockType | undefined) => {
    if (type === undefined) code.writer.u8(0x40);
    else if (typeof type === "number") writeValueType(code.writer, type);
    else code.writer.s33(type.type);
  },
  cast: (code, { label: target, from, to }: CastBranch) => {
    code.writer.u8((isDefaultable(from) ? 1 : 0) | (isDefaultable(to) ? 2 : 0));
    code.writer.u32(code.distanceTo(target));
    code.writer.s33(heapTypeOf(from));
    code.writer.s33(heapTypeOf(to));
  },
  "type*": (code, types: readonly ValueType[]) =>
    code.writer.vector(types, (type) => writeValueType(code.writer, type)),
  "label*": (code, labels: readonly (number | Label)[]) => {
    // The last label is the default and not counted.
    code.writer.u32(labels.length - 1);
    for (const target of labels) code.writer.u32(code.distanceTo(target));
  },
  "catch*": (code, clauses: readonly CatchClause[]) => {
    code.writer.vector(clauses, (clause) => {
      code.writer.u8(CATCH_KINDS.indexOf(clause[0]));
      if (clause.length === 3) code.writer.u32(clause[1]);
      code.writer.u32(code.distanceTo(clause.length === 3 ? clause[2] : clause[1]));
    });
  },
  "handler*": (code, clauses: readonly HandlerClause[]) => {
    code.writer.vector(clauses, (clause) => {
      code.writer.u8(clause.length === 3 ? 0 : 1);
      code.writer.u32(clause[1]);
      if (clause.length === 3) code.writer.u32(code.distanceTo(clause[2]));
    });
  },
};

/** Position = code in the binary format. */
const CATCH_KINDS: readonly CatchClause[0][] = ["catch", "catch_ref", "catch_all", "catch_all_ref"];

function accessBytes({ immediates }: Opcode): number {
  return Number(immediates.find((name) => name.startsWith("memarg"))!.slice("memarg".length));
}

function exactly16(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== 16) throw new RangeError(`Cannot write 128 bits: expected 16 bytes, received ${bytes.length}`);
  return bytes;
}

/** Writes the bytes of an opcode, see `opcodeNumber`. */
export function writeOpcode(writer: Writer, number: number): void {
  if (number < OPCODES_PER_PREFIX) {
    writer.u8(number);
    return;
  }
  writer.u8(FIRST_PREFIX - 1 + Math.floor(number / OPCODES_PER_PREFIX));
  writer.u32(number % OPCODES_PER_PREFIX);
}

/** The method that emits one instruction. */
function methodFor(opcode: Opcode): (this: CodeEmitter, ...immediates: never[]) => CodeEmitter {
  const encoders = opcode.immediates.map((name) => ENCODERS[name] ?? index);
  return function emit(this: CodeEmitter, ...immediates: never[]): CodeEmitter {
    // Labels count from outside the construct that `delegate` closes and from outside the one that `try_table` opens.
    if (opcode.rule === "end") this.leaveConstruct();
    writeOpcode(this.writer, opcode.number);
    for (const [position, encode] of encoders.entries()) encode(this, immediates[position]!, opcode);
    if (opcode.rule === "block") this.enterConstruct();
    return this;
  };
}

const instructions: Record<string, ReturnType<typeof methodFor>> = {};
for (const opcode of OPCODES) {
  if (!opcode) continue;
  const method = opcode.name.replace(/[._](.)/g, (_, letter: string) => letter.toUpperCase());
  instructions[method] = methodFor(opcode);
}
// Behind the prototype, not in it: V8 needs 10 ms to add 582 methods to an object that is a prototype already.
Object.setPrototypeOf(CodeEmitter.prototype, instructions);

/** An empty sequence of instructions. */
export function emitCode(): Code {
  return new CodeEmitter() as Code;
}
