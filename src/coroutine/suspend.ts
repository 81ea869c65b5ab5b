/** What a host function returns to leave its guest's stack with a value. */

import type { Coroutine } from "./coroutine.ts";
import { SuspendError } from "./errors.ts";

/** Made by {@link suspend}; says which coroutine yields which value. */
export class Suspension {
  readonly value: unknown;
  /** The coroutine that yields; `undefined`: the innermost one. */
  readonly coroutine: Coroutine | undefined;
  static {
    // No function, so that it is no thenable; but there, so that one look at an answer finds whatever has to be waited for.
    // oxlint-disable-next-line unicorn/no-thenable -- it is none
    Object.defineProperty(this.prototype, "then", { value: null });
  }

  constructor(value: unknown, coroutine: Coroutine | undefined) {
    this.value = value;
    this.coroutine = coroutine;
  }

  /** @throws {SuspendError} if that is what `answer` is: nobody is there to take it */
  static refuse(this: void, answer: unknown): unknown {
    if (answer instanceof Suspension) throw outsideCoroutine();
    return answer;
  }

  /** Reached when the engine converts it to a wasm value, that is when no coroutine was there to take it. */
  [Symbol.toPrimitive](): never {
    throw outsideCoroutine();
  }
}

function outsideCoroutine(): SuspendError {
  return new SuspendError(
    "no-coroutine",
    "Cannot suspend: suspend() was returned to a guest that runs outside a coroutine",
  );
}

let isUsed = false;

/** Whether {@link suspend} was ever called: if not, no promise can resolve to what it makes. */
export function isSuspendUsed(): boolean {
  return isUsed;
}

/**
 * Suspends the coroutine that called this host function: whoever resumed it receives `value`, and the next input becomes
 * the result of the guest's call. The host function must return it, or a promise of it.
 *
 * ```ts
 * const instance = await instantiate(bytes, { host: { suspend: (value: number) => suspend(value) } });
 * ```
 *
 * `options.coroutine` names an outer coroutine instead: that one yields, with the inner stack on top of it, and the inner
 * one continues when the outer is resumed.
 */
export function suspend(value?: unknown, options: { readonly coroutine?: Coroutine | undefined } = {}): Suspension {
  isUsed = true;
  return new Suspension(value, options.coroutine);
}
