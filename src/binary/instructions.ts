/**
 * Steps through the instructions of a function body or constant expression.
 *
 * Nothing is allocated per instruction and nesting is a counter, so a body may be as large and as deep as the format
 * allows. Immediates are moved over without decoding them; whoever needs one reads it at {@link
 * InstructionReader.immediates}.
 *
 *     const reader = new InstructionReader(bytes);
 *     reader.enterBody(start, end);
 *     while (reader.next()) if (reader.opcode === MEMORY_GROW) return true;
 */

import {
  FIRST_PREFIX,
  LAST_PREFIX,
  OPCODES,
  OPCODES_PER_PREFIX,
  OPCODE_LIMIT,
  opcodeName,
  opcodeNumber,
} from "./opcodes.ts";
import type { Immediate, Opcode } from "./opcodes.ts";
import { Reader } from "./reader.ts";
import { readValueType } from "./value-types.ts";
import type { ValueType } from "./value-types.ts";

/** Offsets of bytes in the module: `[start, end)`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** `count` locals of one type, as bodies declare them. */
export interface LocalRun {
  readonly count: number;
  readonly type: ValueType;
}

// How to move over one immediate: four bits, so that the immediates of an instruction make one small number.
const LEB32 = 1;
const MEMARG = 2;
const TYPE = 3;
const LEB64 = 4;
const BYTE = 5;
const BYTES_4 = 6;
const BYTES_8 = 7;
const BYTES_16 = 8;
const LABELS = 9;
const TYPES = 10;
const CATCHES = 11;
const HANDLERS = 12;
const SKIP_BITS = 4;
const SKIP_MASK = 0x0f;

/** In place of immediates: there is no such instruction. */
const UNKNOWN = 0xffff;

/** What is not listed is an index or a count: {@link LEB32}. */
const SKIP_OF: { readonly [Name in Immediate]?: readonly number[] } = {
  i64: [LEB64],
  f32: [BYTES_4],
  f64: [BYTES_8],
  v128: [BYTES_16],
  lanes: [BYTES_16],
  lane: [BYTE],
  zero: [BYTE],
  blocktype: [TYPE],
  heap: [TYPE],
  cast: [BYTE, LEB32, TYPE, TYPE],
  memarg1: [MEMARG],
  memarg2: [MEMARG],
  memarg4: [MEMARG],
  memarg8: [MEMARG],
  memarg16: [MEMARG],
  "label*": [LABELS],
  "type*": [TYPES],
  "catch*": [CATCHES],
  "handler*": [HANDLERS],
};

/** Opcode number → how to move over its immediates, the first in the lowest bits. */
const SKIPS = new Uint16Array(OPCODE_LIMIT).fill(UNKNOWN);
/** Opcode number → change of the number of open constructs. */
const NESTING = new Int8Array(OPCODE_LIMIT);

function fillTables(opcode: Opcode): void {
  const skips = opcode.immediates.flatMap((immediate) => SKIP_OF[immediate] ?? [LEB32]);
  SKIPS[opcode.number] = skips.reduceRight((packed, skip) => (packed << SKIP_BITS) | skip, 0);
  if (opcode.rule === "block") NESTING[opcode.number] = 1;
  if (opcode.rule === "end") NESTING[opcode.number] = -1;
}

for (const opcode of OPCODES) if (opcode) fillTables(opcode);

/** First byte of `(ref null ht)` and `(ref ht)`, which a heap type follows. */
const REF_NULL = 0x63;
const REF = 0x64;
/** First byte of exact and shared types, of proposals that are not supported. */
const EXACT = 0x62;
const SHARED = 0x65;
/** In the alignment of a memory access: the index of the memory follows. */
const HAS_MEMORY_INDEX = 0x40;

/** First byte of the clauses of `try_table` and `resume` that have no tag, or no label. */
const CATCH_ALL = 2;
const CATCH_ALL_REF = 3;
const ON_SWITCH = 1;

const MAX_LEB32_BYTES = 5;
const MAX_LEB64_BYTES = 10;

export class InstructionReader extends Reader {
  /** Number of the current instruction, see `opcodeNumber`. */
  opcode = 0;
  /** Offset of the current instruction. */
  start = 0;
  /** Offset of its first immediate; {@link Reader.position} is the offset of the next instruction. */
  immediates = 0;
  /** Open constructs after the current instruction, the body itself included: 0 after the last `end`. */
  depth = 0;
  #bodyStart = 0;
  #isBody = false;

  /** Goes to the first instruction of the function body at `[start, end)`, moving over its locals. */
  enterBody(start: number, end: number): void {
    this.#bodyStart = start;
    this.position = start;
    this.end = end;
    for (let left = this.count("groups of locals", 2); left > 0; left--) {
      this.position = this.#skipType(this.#skipLeb(this.position, MAX_LEB32_BYTES));
      if (this.position > end) this.fail("the locals of a function", start);
    }
    this.#isBody = true;
    this.depth = 1;
  }

  /** Goes to the first instruction of the constant expression at `start`, which ends before `end`. */
  enterExpression(start: number, end: number): void {
    this.position = start;
    this.end = end;
    this.#isBody = false;
    this.depth = 1;
  }

  /** Moves over the constant expression at {@link Reader.position}. */
  skipExpression(): Range {
    const start = this.position;
    this.enterExpression(start, this.end);
    while (this.depth > 0) this.next();
    return { start, end: this.position };
  }

  /** The locals of the current body, without parameters. Does not move the cursor. */
  locals(): LocalRun[] {
    const reader = new Reader(this.bytes, this.#bodyStart, this.end);
    const runs: LocalRun[] = [];
    let total = 0;
    for (let left = reader.count("groups of locals", 2); left > 0; left--) {
      const count = reader.u32("a number of locals");
      total += count;
      if (total >= 2 ** 32) reader.fail("less than 2^32 locals");
      runs.push({ count, type: readValueType(reader) });
    }
    return runs;
  }

  /**
   * Goes to the next instruction; the last one is the `end` of the body or expression.
   *
   * @returns false when there are no more
   */
  next(): boolean {
    let position = this.position;
    if (this.depth === 0) {
      if (this.#isBody && position !== this.end) this.fail("the end of the function body");
      return false;
    }
    const { bytes } = this;
    this.start = position;
    if (position >= this.end) this.fail("an instruction, but the code ends here");
    let opcode = bytes[position++]!;
    if (opcode >= FIRST_PREFIX) {
      opcode = this.#prefixed(opcode);
      position = this.position;
    }
    this.opcode = opcode;
    this.immediates = position;
    const skip = SKIPS[opcode]!;
    if (skip === LEB32 && bytes[position]! < 0x80) position++;
    else if (skip !== 0) position = this.#skipImmediates(skip, position);
    if (position > this.end) this.fail(`the immediates of ${opcodeName(opcode)}, but the code ends before`, this.start);
    this.position = position;
    this.depth += NESTING[opcode]!;
    return true;
  }

  /** The first immediate of the current instruction, if it is an index or a count. */
  index(): number {
    const { bytes, immediates } = this;
    const first = bytes[immediates]!;
    if (first < 0x80) return first;
    const next = this.position;
    this.position = immediates;
    const value = this.u32();
    this.position = next;
    return value;
  }

  #prefixed(prefix: number): number {
    this.position++;
    const opcode = this.u32("an opcode");
    if (prefix > LAST_PREFIX || opcode >= OPCODES_PER_PREFIX) this.#failUnknown();
    return opcodeNumber(prefix, opcode);
  }

  #failUnknown(): never {
    const found = this.bytes.subarray(this.start, this.start + 3);
    const hex = Array.from(found, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    return this.fail(`an instruction, received ${hex}`, this.start);
  }

  #skipImmediates(skips: number, start: number): number {
    if (skips === UNKNOWN) this.#failUnknown();
    let position = start;
    for (let rest = skips; rest !== 0; rest >>>= SKIP_BITS) position = this.#skipImmediate(rest & SKIP_MASK, position);
    return position;
  }

  #skipImmediate(skip: number, position: number): number {
    switch (skip) {
      case LEB32:
        return this.#skipLeb(position, MAX_LEB32_BYTES);
      case MEMARG:
        return this.#skipMemarg(position);
      case TYPE:
        return this.#skipType(position);
      case LEB64:
        return this.#skipLeb(position, MAX_LEB64_BYTES);
      case BYTE:
        return position + 1;
      case BYTES_4:
        return position + 4;
      case BYTES_8:
        return position + 8;
      case BYTES_16:
        return position + 16;
      default:
        return this.#skipVector(skip, position);
    }
  }

  /** Past the end of the bytes this stops at once: what is read there is `undefined`, which is not >= 0x80. */
  #skipLeb(start: number, maxBytes: number): number {
    const { bytes } = this;
    let position = start;
    while (bytes[position++]! >= 0x80);
    if (position - start > maxBytes) this.fail(`an integer of at most ${maxBytes} bytes`, start);
    return position;
  }

  #skipMemarg(start: number): number {
    let position = this.#skipLeb(start, MAX_LEB32_BYTES);
    if ((this.bytes[start]! & HAS_MEMORY_INDEX) !== 0) position = this.#skipLeb(position, MAX_LEB32_BYTES);
    return this.#skipLeb(position, MAX_LEB64_BYTES);
  }

  /** A block type, heap type or value type. */
  #skipType(position: number): number {
    const code = this.bytes[position]!;
    if (code === EXACT || code === SHARED) this.fail("a type without exact or shared", position);
    const hasHeapType = code === REF || code === REF_NULL;
    return this.#skipLeb(hasHeapType ? position + 1 : position, MAX_LEB32_BYTES);
  }

  #skipVector(skip: number, start: number): number {
    this.position = start;
    let left = this.count("immediates");
    if (skip === LABELS) left++;
    let position = this.position;
    for (; left > 0; left--) {
      if (skip === LABELS) position = this.#skipLeb(position, MAX_LEB32_BYTES);
      else if (skip === TYPES) position = this.#skipType(position);
      else position = this.#skipClause(skip, position);
    }
    return position;
  }

  /** One clause of `try_table` or `resume`: its kind, then a tag, a label or both. */
  #skipClause(skip: number, position: number): number {
    const kind = this.bytes[position]!;
    const highest = skip === CATCHES ? CATCH_ALL_REF : ON_SWITCH;
    if (kind > highest) this.fail(`the kind of a clause, received ${kind}`, position);
    const indices = (skip === CATCHES ? kind >= CATCH_ALL : kind === ON_SWITCH) ? 1 : 2;
    const afterFirst = this.#skipLeb(position + 1, MAX_LEB32_BYTES);
    return indices === 1 ? afterFirst : this.#skipLeb(afterFirst, MAX_LEB32_BYTES);
  }
}
