/** What linking has to know about a guest's code: which globals it uses as a stack, and whether it looks at the size of its memory. */

import { InstructionReader } from "../binary/instructions.ts";
import type { Range } from "../binary/instructions.ts";
import type { BinaryModule } from "../binary/module.ts";
import { opcode } from "../binary/opcodes.ts";
import { I32, I64 } from "../binary/value-types.ts";

const GLOBAL_GET = opcode("global.get");
const GLOBAL_SET = opcode("global.set");
const LOCAL_GET = opcode("local.get");
const LOCAL_SET = opcode("local.set");
const LOCAL_TEE = opcode("local.tee");
const I32_CONST = opcode("i32.const");
const I64_CONST = opcode("i64.const");
const I32_ADD = opcode("i32.add");
const I64_ADD = opcode("i64.add");
const I32_SUB = opcode("i32.sub");
const I64_SUB = opcode("i64.sub");
const FIRST_LOAD = opcode("i32.load");
const LAST_STORE = opcode("i64.store32");
const MEMORY_SIZE = opcode("memory.size");

/** How the guest's code uses one mutable integer global. */
export interface GlobalUse {
  /** Functions that begin as LLVM begins one with a frame in linear memory. */
  frames: number;
  /** Decrements by a multiple of 4 without keeping the result in a local, as no LLVM function does. */
  pushes: number;
  /** Times its value is an address right away. */
  addresses: number;
  /** The `global.set` instructions that take a frame from it, in bodies where that is clear without a closer look. */
  readonly frameSets: Range[];
  /** Positions of the bodies that set it in some other way as well. */
  readonly unclearBodies: number[];
}

export interface CodeScan {
  /** Index of a mutable global of type i32 or i64 → its use. */
  readonly globals: ReadonlyMap<number, GlobalUse>;
  readonly readsMemorySize: boolean;
}

/** Reads all code of the module once. */
export function scanCode(module: BinaryModule): CodeScan {
  const scanner = new Scanner(module);
  for (let body = 0; body < module.bodies.length; body += 2)
    scanner.body(body / 2, module.bodies[body]!, module.bodies[body + 1]!);
  return scanner;
}

/** In the last byte of a constant's encoding. */
const SIGN_BIT = 0x40;

/** Instructions of a function within which LLVM has made the frame, also without optimisation. */
const PROLOGUE_LENGTH = 12;

class Scanner implements CodeScan {
  readonly globals = new Map<number, GlobalUse>();
  readsMemorySize = false;
  readonly #reader: InstructionReader;
  /** Instructions of the body before the current one. */
  #position = 0;
  /** The global that the last `global.get` named, and where it was. */
  #read = -1;
  #readAt = -1;
  /** Low bits of the last constant, and its sign. */
  #constant = 0;
  #isNegative = false;
  #body = 0;
  /** The frame that the body has taken in the clear form, and the local that has its address. */
  #frame: { readonly global: number; readonly local: number } = NO_FRAME;

  constructor(module: BinaryModule) {
    this.#reader = new InstructionReader(module.bytes);
    for (const [index, { type, mutable }] of module.globals.entries()) {
      if (mutable && (type === I32 || type === I64)) {
        this.globals.set(index, { frames: 0, pushes: 0, addresses: 0, frameSets: [], unclearBodies: [] });
      }
    }
  }

  body(position: number, start: number, end: number): void {
    const reader = this.#reader;
    const prologue = new Prologue();
    this.#body = position;
    this.#frame = NO_FRAME;
    this.#position = 0;
    this.#readAt = -1;
    let [first, second, third] = [0, 0, 0];
    let [firstStart, secondStart, thirdStart] = [0, 0, 0];
    reader.enterBody(start, end);
    while (reader.next()) {
      const { opcode: current } = reader;
      if (this.#position < PROLOGUE_LENGTH) this.#noteFrame(prologue, current);
      if (current === GLOBAL_SET) this.#noteSet({ first, second, third, firstStart, thirdStart });
      else this.#note(current);
      [first, second, third] = [second, third, current];
      [firstStart, secondStart, thirdStart] = [secondStart, thirdStart, reader.start];
      this.#position++;
    }
  }

  #note(current: number): void {
    const reader = this.#reader;
    switch (current) {
      case GLOBAL_GET:
        this.#read = reader.index();
        this.#readAt = this.#position;
        break;
      case I32_CONST:
      case I64_CONST:
        this.#constant = lowBits(reader.bytes[reader.immediates]!);
        this.#isNegative = (reader.bytes[reader.position - 1]! & SIGN_BIT) !== 0;
        break;
      case MEMORY_SIZE:
        this.readsMemorySize = true;
        break;
      default:
        if (current >= FIRST_LOAD && current <= LAST_STORE) this.#noteAccess();
    }
  }

  /** At most the value to store is between the address and the store. */
  #noteAccess(): void {
    const use = this.#position - this.#readAt <= 2 ? this.globals.get(this.#read) : undefined;
    if (use !== undefined && this.#readAt >= 0) use.addresses++;
  }

  #noteFrame(prologue: Prologue, current: number): void {
    // Binaryen writes `x - 64` as `x + -64`, which is one byte shorter.
    const frame = prologue.step(
      current,
      this.#isLess(current),
      current === GLOBAL_GET || current === GLOBAL_SET ? this.#reader.index() : -1,
    );
    const use = frame < 0 ? undefined : this.globals.get(frame);
    if (use !== undefined) use.frames++;
  }

  #noteSet(before: Before): void {
    const global = this.#reader.index();
    const use = this.globals.get(global);
    if (use === undefined) return;
    const isPush = this.#isPush(global, before);
    if (isPush && this.#constant % 4 === 0) use.pushes++;
    const { start, position: end } = this.#reader;
    if (this.#takesFrame(global, before)) {
      this.#frame = { global, local: this.#indexAt(before.thirdStart) };
      use.frameSets.push({ start, end });
    } else if (isPush) use.frameSets.push({ start, end });
    else if (!this.#givesBackFrame(global, before) && use.unclearBodies.at(-1) !== this.#body) {
      use.unclearBodies.push(this.#body);
    }
  }

  /** `global.get $sp  i32.const n  i32.sub` */
  #isPush(global: number, { first, second, third }: Before): boolean {
    return first === GLOBAL_GET && isConstant(second) && this.#isLess(third) && this.#read === global;
  }

  /** `global.get $sp  i32.const n  i32.sub  local.tee $frame` */
  #takesFrame(global: number, { first, second, third }: Before): boolean {
    if (!isConstant(first) || !this.#isLess(second) || third !== LOCAL_TEE) return false;
    return this.#read === global && this.#readAt === this.#position - 4;
  }

  /** `local.get $frame  i32.const n  i32.add`, where the frame is the one that this body has taken. */
  #givesBackFrame(global: number, { first, second, third, firstStart }: Before): boolean {
    if (first !== LOCAL_GET || !isConstant(second) || !isAddition(third) || this.#isNegative) return false;
    return this.#frame.global === global && this.#frame.local === this.#indexAt(firstStart);
  }

  #isLess(current: number): boolean {
    return isSubtraction(current) || (isAddition(current) && this.#isNegative);
  }

  /** The index in the instruction at `start`, whose opcode is one byte; only whether it is the same as another one matters. */
  #indexAt(start: number): number {
    const { bytes } = this.#reader;
    let [index, shift, at] = [0, 0, start + 1];
    for (; bytes[at]! >= 0x80; at++, shift += 7) index += (bytes[at]! & 0x7f) * 2 ** shift;
    return index + bytes[at]! * 2 ** shift;
  }
}

/** The instructions before a `global.set`, and where two of them stand. */
interface Before {
  readonly first: number;
  readonly second: number;
  readonly third: number;
  readonly firstStart: number;
  readonly thirdStart: number;
}

const NO_FRAME = { global: -1, local: -1 };

/**
 * Recognises how LLVM lets a function begin that has a frame in linear memory:
 *
 *     global.get $sp   i32.const n   i32.sub   local.tee $frame   global.set $sp        optimised
 *     global.get $sp   local.set a   i32.const n   local.set b   local.get a   local.get b   i32.sub   local.set c …
 *
 * A leaf function does without the `global.set`. In both the difference goes to a local, with nothing but locals and constants
 * before it.
 */
class Prologue {
  #global = -1;
  #isSubtracted = false;
  #isOver = false;

  /** Takes the next instruction of a function, and whether it lowers a value; returns the global if it completes the pattern, else -1. */
  step(current: number, isLess: boolean, global: number): number {
    if (this.#isOver) return -1;
    if (this.#global < 0) {
      if (current === GLOBAL_GET) this.#global = global;
      else if (!isLocalOrConstant(current)) this.#isOver = true;
    } else if (this.#isSubtracted) {
      this.#isOver = true;
      return current === LOCAL_TEE || current === LOCAL_SET ? this.#global : -1;
    } else if (isLess) this.#isSubtracted = true;
    else if (!isLocalOrConstant(current)) this.#isOver = true;
    return -1;
  }
}

function isLocalOrConstant(current: number): boolean {
  return current === LOCAL_GET || current === LOCAL_SET || current === LOCAL_TEE || isConstant(current);
}

function isConstant(current: number): boolean {
  return current === I32_CONST || current === I64_CONST;
}

function isAddition(current: number): boolean {
  return current === I32_ADD || current === I64_ADD;
}

function isSubtraction(current: number): boolean {
  return current === I32_SUB || current === I64_SUB;
}

/** Enough of a constant to tell a counter from a stack: its low seven bits, from the first byte of its encoding. */
function lowBits(byte: number): number {
  return byte & 0x7f;
}
