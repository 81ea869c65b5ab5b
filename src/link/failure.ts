/** What a caller is told when a guest's stack was cut off by a trap. */

import { StackExhaustedError } from "../coroutine/errors.ts";
import { markTrap } from "./trap.ts";

/** Where the stack pointer was when the guest trapped; all in bytes. */
export interface StackState {
  readonly pointer: number;
  readonly limit: number;
  readonly base: number;
}

/**
 * The error for a caller: the one that the guest ended with, the same object, marked if it is a trap. Only an overflow of the
 * stack in linear memory, which looks like any `unreachable`, becomes an error of its own.
 */
export function failureOf(error: unknown, stack: StackState | undefined): unknown {
  markTrap(error);
  if (stack === undefined || !(error instanceof WebAssembly.RuntimeError)) return error;
  // Below the limit, or beyond zero: an address that has wrapped around is above where the stack began.
  const isExhausted = stack.pointer < stack.limit || stack.pointer > stack.base;
  if (!isExhausted) return error;
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
export function stackStateAt(pointer: WebAssembly.Global, limit: number, base: number): StackState {
  const value: unknown = pointer.value;
  return { pointer: typeof value === "bigint" ? Number(value) : (value as number) >>> 0, limit, base };
}
