/** What a host function may know about the guest that called it. */

import type { Coroutine } from "../coroutine/coroutine.ts";
import { currentActivation } from "./activation.ts";
import type { Activation } from "./activation.ts";
import { canGiveWay } from "./giving-way.ts";
import type { AnyExports } from "./exports.ts";

/**
 * The guest that called a host function; the first parameter of functions made with `wrapAsyncWithCaller` and `newAsync`.
 * Stays valid after an `await`. The type parameter says what the guest exports:
 *
 * ```ts
 * const greet = wrapAsyncWithCaller(async (caller: Caller<{ malloc(bytes: number): number }>, id: number) => {
 *   const name = new TextEncoder().encode(await nameOf(id));
 *   const pointer = caller.exports.malloc(name.length);
 *   new Uint8Array(caller.memory.buffer, pointer).set(name);
 *   return pointer;
 * });
 * ```
 */
export interface Caller<Exports extends object = AnyExports> {
  /**
   * The guest's first memory. Read `memory.buffer` anew after every `await`: growing the memory replaces it.
   *
   * @throws {TypeError} when the guest has none
   */
  readonly memory: WebAssembly.Memory;
  /** The guest's exports, its functions as plain synchronous ones: they cannot suspend. */
  readonly exports: Readonly<Exports>;
  /** The coroutine on whose stack the call was made, if it is one. */
  readonly coroutine: Coroutine | undefined;
  /** Aborts when this activation is cancelled: pass it on to what you wait for. */
  readonly signal: AbortSignal;
  /** Whether the guest can wait for a promise: not in a synchronous call. To be looked at before anything is awaited. */
  readonly canWait: boolean;
}

/** What a caller shows of its guest. */
export interface CallerGuest {
  readonly memory: WebAssembly.Memory | undefined;
  readonly exports: Readonly<Record<string, unknown>>;
}

/** The signal of calls that nobody can cancel. */
export const neverAborts: AbortSignal = new AbortController().signal;

/** The caller of the host function that is just being called. */
export function makeCaller(guest: CallerGuest): Caller {
  return new ActivationCaller(guest, currentActivation());
}

class ActivationCaller implements Caller {
  readonly #guest: CallerGuest;
  readonly #activation: Activation | undefined;

  constructor(guest: CallerGuest, activation: Activation | undefined) {
    this.#guest = guest;
    this.#activation = activation;
  }

  get memory(): WebAssembly.Memory {
    const { memory } = this.#guest;
    if (memory === undefined) throw new TypeError("Cannot read the caller's memory: the guest has none");
    return memory;
  }

  get exports(): AnyExports {
    // What there is only the user knows, who says it in the type parameter of what is called.
    return this.#guest.exports as AnyExports;
  }

  get coroutine(): Coroutine | undefined {
    return this.#activation?.coroutine;
  }

  get signal(): AbortSignal {
    return this.#activation?.cancelSignal ?? neverAborts;
  }

  get canWait(): boolean {
    return canGiveWay();
  }
}
