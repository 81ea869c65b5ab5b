/** What a caller is told when a guest's stack was cut off by a trap. */

import { StackExhaustedError } from "../coroutine/errors.ts";
import { STACK_BEFORE, STACK_POINTER } from "./entry-shims.ts";
import { MEMORY_0 } from "./prepare.ts";
import { markTrap } from "./trap.ts";
import { errorBehind } from "./uncatchable-trap.ts";

/** Where the stack pointer was when the guest trapped; all in bytes. */
export interface StackState {
  readonly pointer: number;
  readonly limit: number;
  readonly base: number;
  readonly isExhausted: boolean;
}

/** The globals of a guest that tell about its stack. */
export interface StackGlobals {
  readonly pointer: WebAssembly.Global;
  /** What the pointer was before the last frame was taken; only of a guest that has stacks of its own as well. */
  readonly before: WebAssembly.Global | undefined;
  readonly memory: WebAssembly.Memory;
}

/** `undefined`: it has no stack in its memory, or that was not found. */
export function stackGlobals({ exports }: WebAssembly.Instance): StackGlobals | undefined {
  const pointer = exports[STACK_POINTER] as WebAssembly.Global | undefined;
  if (pointer === undefined) return undefined;
  // Who has a stack pointer has a memory: see stack-pointer.ts.
  const memory = exports[MEMORY_0] as WebAssembly.Memory;
  return { pointer, before: exports[STACK_BEFORE] as WebAssembly.Global | undefined, memory };
}

/**
 * The error for a caller: the one that the guest ended with, the same object, marked if it is a trap. Only an overflow of the
 * stack in linear memory, which looks like any `unreachable`, becomes an error of its own.
 */
export function failureOf(error: unknown, stack: StackState | undefined): unknown {
  const behind = errorBehind(error);
  if (behind !== error) return behind;
  markTrap(error);
  if (stack === undefined || !(error instanceof WebAssembly.RuntimeError)) return error;
  if (!stack.isExhausted) return error;
  const limit = stack.base - stack.limit;
  const needed = stack.base - stack.pointer;
  const wrapped = needed < 0 ? needed + 2 ** 32 : needed;
  return new StackExhaustedError(
    limit,
    wrapped,
    `Cannot go on: the guest's stack of ${limit} bytes is exhausted, it needed ${wrapped}; ` +
      (stack.limit === 0
        ? "it is the guest's own: link it with a larger one (-z stack-size), or open one with instance.stacks.open()"
        : "give it a larger one with the option stacks: { bytes }"),
    { cause: error },
  );
}

/** Where the stack pointer is now, of an activation with this limit and base. */
export function stackStateAt({ pointer, before, memory }: StackGlobals, limit: number, base: number): StackState {
  const now = addressIn(pointer);
  if (before === undefined) {
    // Below the limit, or beyond zero: an address that has wrapped around is above where the stack began.
    return { pointer: now, limit, base, isExhausted: now < limit || now > base };
  }
  // It may be on a stack of the guest's own, anywhere in the memory.
  const isExhausted = (now < limit && addressIn(before) >= limit) || now > memory.buffer.byteLength;
  return { pointer: now, limit, base, isExhausted };
}

function addressIn(global: WebAssembly.Global): number {
  const value: unknown = global.value;
  return typeof value === "bigint" ? Number(value) : (value as number) >>> 0;
}
