/**
 * Waits in a memory that other threads of the engine may have, too: `Atomics.waitAsync`, so that all stand in one line, which is the
 * engine's. A guest's `memory.atomic.notify` is the instruction itself then, and wakes whoever is first, here or there.
 *
 * Slower than lines of our own: V8 tells of a wake in a task of the event loop.
 */

import { Pending } from "../coroutine/pending.ts";
import type { Waiter } from "../coroutine/pending.ts";
import { NOT_EQUAL, TIMED_OUT, WOKEN } from "./waiting-functions.ts";
import type { WaitRequest, Waits } from "./waits.ts";

type WaitResult =
  | { readonly async: false; readonly value: "not-equal" | "timed-out" }
  | { readonly async: true; readonly value: Promise<"ok" | "timed-out"> };

/** What TypeScript's library for these targets does not have. */
interface AsyncAtomics {
  waitAsync?(array: Int32Array, index: number, value: number, timeoutMs: number): WaitResult;
  waitAsync?(array: BigInt64Array, index: number, value: bigint, timeoutMs: number): WaitResult;
}

const atomics: AsyncAtomics = Atomics;

const NANOSECONDS_PER_MS = 1e6;

export class EngineWaits implements Waits {
  /** Whether this engine can wait so. */
  static readonly isAvailable: boolean = typeof atomics.waitAsync === "function";

  readonly #memory: WebAssembly.Memory;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  wait({ address, bytes, low, high, timeoutNs }: WaitRequest): number | Pending<number> {
    const { buffer } = this.#memory;
    const timeoutMs = timeoutNs < 0 ? Infinity : timeoutNs / NANOSECONDS_PER_MS;
    const index = address / bytes;
    const words = new Int32Array(buffer);
    const result =
      bytes === 4
        ? atomics.waitAsync!(words, index, low, timeoutMs)
        : atomics.waitAsync!(new BigInt64Array(buffer), index, wideValue(low, high), timeoutMs);
    if (!result.async) return result.value === "not-equal" ? NOT_EQUAL : TIMED_OUT;
    const wakeNext = (): void => void Atomics.notify(words, address / words.BYTES_PER_ELEMENT, 1);
    return new EngineWait(result.value, wakeNext, timeoutMs);
  }

  wake(): number {
    return 0;
  }
}

function wideValue(low: number, high: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low >>> 0);
}

const LONGEST_TIMER_MS = 2 ** 30;
const MORE_MS = 1000;

class EngineWait extends Pending<number> {
  readonly promise: Promise<number>;
  readonly #wakeNext: () => void;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  #isAbandoned = false;
  #isTold = false;

  /** `wakeNext` wakes the next one in place of this, which nobody waits for any more: the engine cannot take it out of the line. */
  constructor(ended: Promise<"ok" | "timed-out">, wakeNext: () => void, timeoutMs: number) {
    super();
    this.#wakeNext = wakeNext;
    // Node does not stay alive for the sake of the engine's own timers.
    this.#timer = timeoutMs < LONGEST_TIMER_MS ? setTimeout(() => {}, timeoutMs + MORE_MS) : undefined;
    this.promise = ended.then((how) => {
      clearTimeout(this.#timer);
      return how === "timed-out" ? TIMED_OUT : WOKEN;
    });
  }

  override subscribe(waiter: Waiter): void {
    void this.promise.then((result) => {
      if (this.#isAbandoned) return;
      this.#isTold = true;
      waiter.resolve(result);
    });
  }

  override abandon(): void {
    if (this.#isTold || this.#isAbandoned) return;
    this.#isAbandoned = true;
    clearTimeout(this.#timer);
    void this.promise.then((result) => {
      if (result === WOKEN) this.#wakeNext();
    });
  }
}
