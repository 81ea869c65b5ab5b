/** The globals that transformed code, its runtime and its resume copies share. All of them are exported by the first module. */

import type { Definitions } from "../binary/definitions.ts";
import { F32, F64, I32, I64, heapTypeOf, isReference } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import type { Code } from "../binary/code.ts";
import { ROOT_AREA } from "./area-memory.ts";
import { storableType } from "./homes.ts";

/** Indices of the globals; stack-areas.ts explains what they hold. */
export interface RuntimeGlobals {
  /** 0: running; 1: unwinding, every call returns at once with meaningless results. */
  readonly state: number;
  /** Address of the area in use. */
  readonly area: number;
  /** Not 0: no stack is running; the area in use is this one, of the stack that was suspended last, and stays so until another is. */
  readonly idle: number;
  /** First free byte of the area in use. */
  readonly top: number;
  /** The innermost frame that is saved, and the end of its segment. */
  readonly next: number;
  readonly end: number;
  /** End of the area. */
  readonly limit: number;
  /** The frame that a resume copy is to load. */
  readonly frame: number;
  /** 1: the resume copy is to throw, not to go on. */
  readonly throwing: number;
  /** Bytes that an area would have needed, after it was found too small; else 0. */
  readonly needed: number;
  /** The excluded function that was found on a stack which suspends, by its index plus 1; else 0. */
  readonly refused: number;
  /** How often a suspended stack was continued. */
  readonly resumptions: number;
  /** Address of the instance's record in the memory of the areas; the host sets it. See area-memory.ts. */
  readonly record: number;
  /** Bytes that an area may have at most. */
  readonly maximum: number;
}

export function addRuntimeGlobals(module: Definitions): RuntimeGlobals {
  const add = (initial: number): number =>
    module.addGlobal({ type: I32, mutable: true }, (code) => void code.i32Const(initial));
  return {
    state: add(0),
    area: add(ROOT_AREA),
    idle: add(ROOT_AREA),
    top: add(ROOT_AREA),
    next: add(ROOT_AREA),
    end: add(ROOT_AREA),
    limit: add(ROOT_AREA),
    frame: add(0),
    throwing: add(0),
    needed: add(0),
    refused: add(0),
    resumptions: add(0),
    record: add(0),
    maximum: add(2 ** 30),
  };
}

/**
 * Globals for the results of a function that was resumed, one for each type and how often it occurs: a function with the
 * results `i32 i64 i32` uses `i32 #0`, `i64 #0` and `i32 #1`.
 */
export class ResultGlobals {
  readonly #module: Definitions;
  readonly #globals = new Map<string, number>();
  readonly added: { readonly index: number; readonly type: ValueType }[] = [];

  constructor(module: Definitions) {
    this.#module = module;
  }

  /** The globals for results of these types, in their order. */
  for(types: readonly ValueType[]): number[] {
    const seen = new Map<ValueType, number>();
    return types.map((type) => {
      const stored = storableType(type);
      const occurrence = seen.get(stored) ?? 0;
      seen.set(stored, occurrence + 1);
      return this.#global(stored, occurrence);
    });
  }

  /** Leaves the results on the stack. */
  emitGet(code: Code, types: readonly ValueType[]): void {
    for (const [position, global] of this.for(types).entries()) {
      code.globalGet(global);
      if (storableType(types[position]!) !== types[position]) code.refAsNonNull();
    }
  }

  /** Takes the results from the stack. */
  emitSet(code: Code, types: readonly ValueType[]): void {
    for (const global of this.for(types).toReversed()) code.globalSet(global);
  }

  #global(type: ValueType, occurrence: number): number {
    const key = `${type} ${occurrence}`;
    let index = this.#globals.get(key);
    if (index === undefined) {
      index = this.#module.addGlobal({ type, mutable: true }, (code) => emitZero(code, type));
      this.#globals.set(key, index);
      this.added.push({ index, type });
    }
    return index;
  }
}

/** A constant of the type: what a function returns while its stack is being unwound. */
export function emitZero(code: Code, type: ValueType): void {
  if (isReference(type)) code.refNull(heapTypeOf(type));
  else if (type === I32) code.i32Const(0);
  else emitWideZero(code, type);
}

function emitWideZero(code: Code, type: ValueType): void {
  switch (type) {
    case I64:
      code.i64Const(0);
      break;
    case F32:
      code.f32Const(0);
      break;
    case F64:
      code.f64Const(0);
      break;
    default:
      code.v128Const(new Uint8Array(16));
  }
}
