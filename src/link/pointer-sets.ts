/**
 * Tells the instructions that take a frame from a guest's stack from others that set its pointer.
 *
 *     global.get $sp  i32.const n  i32.sub  local.tee $frame  global.set $sp        takes a frame
 *     local.get $frame  global.set $sp                                              gives back what was taken since then
 *     local.get $fiber  i32.load  global.set $sp                                    goes to another stack
 *
 * Only the first can overflow a stack. A guest that does the last has stacks of its own (fibers, tasks of a scheduler), of which
 * nothing is known: what runs on them must not be compared with the limit of the stack that it was entered on.
 *
 * Emscripten's `stackRestore` is no switch: the host gives back with it what it has taken.
 *
 * The origin of a value is followed through locals and the operand stack in the order of the code. What comes out of a block, or out of
 * an instruction that is not followed, is of unknown origin, and setting the pointer to it counts as taking a frame.
 */

import { InstructionReader } from "../binary/instructions.ts";
import type { Range } from "../binary/instructions.ts";
import { functionType } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import { OPCODES, opcode } from "../binary/opcodes.ts";
import type { Opcode } from "../binary/opcodes.ts";

export interface PointerSets {
  /** `global.set` instructions that take a frame, or may do so. */
  readonly frames: readonly Range[];
  /** Those that go to another stack. */
  readonly switches: readonly Range[];
}

/**
 * - `UNKNOWN`: not followed
 * - `OTHER`: nothing that has to do with the pointer, such as a parameter or what was loaded
 * - `NEGATIVE`: the same, a constant below zero
 * - `POINTER`: a value that the pointer has had
 * - `LOWERED`: less than that, and not set yet
 */
type Origin = "UNKNOWN" | "OTHER" | "NEGATIVE" | "POINTER" | "LOWERED";

const GLOBAL_GET = opcode("global.get");
const GLOBAL_SET = opcode("global.set");
const LOCAL_GET = opcode("local.get");
const LOCAL_SET = opcode("local.set");
const LOCAL_TEE = opcode("local.tee");
const CALL = opcode("call");
const END = opcode("end");
const CALL_INDIRECT = opcode("call_indirect");
const I32_CONST = opcode("i32.const");
const I64_CONST = opcode("i64.const");
const ADDITIONS: ReadonlySet<number> = new Set([opcode("i32.add"), opcode("i64.add")]);
const SUBTRACTIONS: ReadonlySet<number> = new Set([opcode("i32.sub"), opcode("i64.sub")]);
const MASKS: ReadonlySet<number> = new Set([opcode("i32.and"), opcode("i64.and")]);

/** In the last byte of a constant's encoding. */
const SIGN_BIT = 0x40;

/** How these bodies, given by their positions among the defined functions, set `global`. */
export function classifyPointerSets(module: BinaryModule, global: number, bodies: Iterable<number>): PointerSets {
  const tracker = new OriginTracker(module, global);
  for (const body of bodies) tracker.body(body);
  return tracker;
}

class OriginTracker implements PointerSets {
  readonly frames: Range[] = [];
  readonly switches: Range[] = [];
  readonly #module: BinaryModule;
  readonly #global: number;
  readonly #reader: InstructionReader;
  #operands: Origin[] = [];
  #locals = new Map<number, Origin>();
  /** Locals of the body that hold the pointer somewhere in it: what else they hold is not known for sure. */
  readonly #pointerLocals = new Set<number>();
  #isRecording = false;

  constructor(module: BinaryModule, global: number) {
    this.#module = module;
    this.#global = global;
    this.#reader = new InstructionReader(module.bytes);
  }

  body(position: number): void {
    const { bodies, importedFunctions } = this.#module;
    if (this.#isRestore(position)) return;
    const { params } = functionType(this.#module, importedFunctions + position);
    this.#pointerLocals.clear();
    // Once to see which locals ever hold the pointer: a loop may come back to what stands before.
    for (const isRecording of [false, true]) {
      this.#isRecording = isRecording;
      this.#operands = [];
      this.#locals = new Map(params.map((_, param) => [param, "OTHER"]));
      const reader = this.#reader;
      reader.enterBody(bodies[position * 2]!, bodies[position * 2 + 1]!);
      while (reader.next()) this.#step(reader.opcode);
    }
  }

  /** Whether it is no more than `local.get 0  global.set $sp`, and exported: a function for the host. */
  #isRestore(position: number): boolean {
    const { bodies, exports, importedFunctions } = this.#module;
    const reader = this.#reader;
    reader.enterBody(bodies[position * 2]!, bodies[position * 2 + 1]!);
    for (const expected of [LOCAL_GET, GLOBAL_SET, END]) if (!reader.next() || reader.opcode !== expected) return false;
    return exports.some(({ kind, index }) => kind === "function" && index === importedFunctions + position);
  }

  #step(current: number): void {
    if (current === GLOBAL_GET) this.#push(this.#reader.index() === this.#global ? "POINTER" : "OTHER");
    else if (current === GLOBAL_SET) this.#setGlobal(this.#pop());
    else if (current === LOCAL_GET) this.#push(this.#originOf(this.#reader.index()));
    else if (current === LOCAL_SET) this.#setLocal(this.#pop());
    else if (current === LOCAL_TEE) this.#push(this.#setLocal(this.#pop()));
    else if (current === CALL) this.#call(this.#module.functions[this.#reader.index()]!, 0);
    else if (current === CALL_INDIRECT) this.#call(this.#reader.index(), 1);
    else this.#compute(current);
  }

  #compute(current: number): void {
    if (current === I32_CONST || current === I64_CONST) this.#push(this.#isNegative() ? "NEGATIVE" : "OTHER");
    else if (ADDITIONS.has(current)) this.#push(sum(this.#pop(), this.#pop()));
    else if (SUBTRACTIONS.has(current)) this.#push(difference(this.#pop(), this.#pop()));
    else if (MASKS.has(current)) this.#push(masked(this.#pop(), this.#pop()));
    else this.#other(OPCODES[current]);
  }

  #isNegative(): boolean {
    return (this.#reader.bytes[this.#reader.position - 1]! & SIGN_BIT) !== 0;
  }

  #setGlobal(origin: Origin): void {
    if (this.#reader.index() !== this.#global) return;
    if (this.#isRecording) this.#record(origin);
    // What was taken is a value of the pointer now: whoever sets it to that again gives back.
    for (const [local, known] of this.#locals) if (known === "LOWERED") this.#locals.set(local, "POINTER");
  }

  #record(origin: Origin): void {
    const { start, position: end } = this.#reader;
    if (origin === "OTHER" || origin === "NEGATIVE") this.switches.push({ start, end });
    else if (origin !== "POINTER") this.frames.push({ start, end });
  }

  #originOf(local: number): Origin {
    const origin = this.#locals.get(local) ?? "UNKNOWN";
    return isPointer(origin) || !this.#pointerLocals.has(local) ? origin : "UNKNOWN";
  }

  #setLocal(origin: Origin): Origin {
    const local = this.#reader.index();
    this.#locals.set(local, origin);
    if (isPointer(origin)) this.#pointerLocals.add(local);
    return origin;
  }

  #call(type: number, extraOperands: number): void {
    const definition = this.#module.types[type];
    if (definition?.kind !== "func") {
      this.#operands = [];
      return;
    }
    for (let count = definition.params.length + extraOperands; count > 0; count--) this.#pop();
    for (const _ of definition.results) this.#push("OTHER");
  }

  #other(instruction: Opcode | undefined): void {
    const effect = instruction?.effect;
    if (effect === undefined || effect === null) {
      // Blocks and branches.
      this.#operands = [];
      return;
    }
    for (const _ of effect.operands) this.#pop();
    for (const _ of effect.results) this.#push("OTHER");
  }

  #push(origin: Origin): void {
    this.#operands.push(origin);
  }

  #pop(): Origin {
    return this.#operands.pop() ?? "UNKNOWN";
  }
}

function isPointer(origin: Origin): boolean {
  return origin === "POINTER" || origin === "LOWERED";
}

function sum(right: Origin, left: Origin): Origin {
  const [pointer, other] = isPointer(left) ? [left, right] : [right, left];
  if (isPointer(pointer)) return other === "NEGATIVE" ? "LOWERED" : pointer;
  return left === "UNKNOWN" || right === "UNKNOWN" ? "UNKNOWN" : "OTHER";
}

function difference(right: Origin, left: Origin): Origin {
  if (isPointer(left)) return isPointer(right) ? "OTHER" : "LOWERED";
  return left === "UNKNOWN" ? "UNKNOWN" : "OTHER";
}

function masked(right: Origin, left: Origin): Origin {
  if (isPointer(left) || isPointer(right)) return "LOWERED";
  return left === "UNKNOWN" || right === "UNKNOWN" ? "UNKNOWN" : "OTHER";
}
