/** One `memory.atomic.wait` of a guest that is suspended. */

import { Pending } from "../coroutine/pending.ts";
import type { Waiter } from "../coroutine/pending.ts";
import { afterTurn, isSliceOver, resumeLater } from "../tasks/scheduler.ts";
import type { Resumption } from "../tasks/scheduler.ts";
import { TIMED_OUT, WOKEN } from "./waiting-functions.ts";

/** Those who wait at one address, in the order in which they came. */
export interface WaitLine {
  readonly address: number;
  first: AtomicWait | undefined;
  last: AtomicWait | undefined;
}

/** Where an {@link AtomicWait} stands in line. */
export interface WaitLines {
  /** `wait` has left its line without being woken. */
  leave(wait: AtomicWait): void;
  /** It was woken, and nobody can be told: the next one is. */
  wakeNext(address: number): void;
}

/** setTimeout counts 32-bit milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class AtomicWait extends Pending<number> implements Resumption {
  readonly address: number;
  /** The guest, for whoever looks at those who wait. */
  readonly owner: unknown;
  /** Whether nothing but another thread can end it. */
  readonly isEndless: boolean;
  line: WaitLine | undefined;
  next: AtomicWait | undefined;
  previous: AtomicWait | undefined;
  readonly #lines: WaitLines;
  /** On the clock of `performance.now()`. */
  readonly #deadline: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waiter: Waiter | undefined;
  #promise: Promise<number> | undefined;
  #result: number | undefined;
  #isTold = false;

  /** `timeoutMs` is infinite for none. */
  constructor(lines: WaitLines, place: { readonly address: number; readonly owner: unknown }, timeoutMs: number) {
    super();
    this.#lines = lines;
    this.address = place.address;
    this.owner = place.owner;
    this.isEndless = timeoutMs === Infinity;
    this.#deadline = this.isEndless ? Infinity : performance.now() + timeoutMs;
    if (!this.isEndless) this.#startTimer();
  }

  override get promise(): Promise<number> {
    this.#promise ??= new Promise<number>((resolve, reject) => {
      this.#waiter = { resolve, reject };
      if (this.#result !== undefined) this.#tellSoon();
    });
    return this.#promise;
  }

  override subscribe(waiter: Waiter): void {
    this.#waiter = waiter;
    if (this.#result !== undefined) this.#tellSoon();
  }

  /** To be called when it has left its line. */
  end(result: number): void {
    clearTimeout(this.#timer);
    this.#result = result;
    if (this.#waiter !== undefined) this.#tellSoon();
  }

  override abandon(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    clearTimeout(this.#timer);
    if (this.#result === WOKEN) this.#lines.wakeNext(this.address);
    else if (this.#result === undefined) this.#lines.leave(this);
  }

  deliver(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#waiter?.resolve(this.#result);
  }

  /** What a promise tells comes from a microtask anyway. */
  #tellSoon(): void {
    if (this.#promise === undefined) resumeLater(this);
    else if (isSliceOver()) afterTurn(() => this.deliver());
    else this.deliver();
  }

  #startTimer(): void {
    const left = this.#deadline - performance.now();
    // Timers may be up to a millisecond early. On a busy machine the time may be over by now, and Node warns of negative ones.
    this.#timer = setTimeout(() => this.#look(), Math.max(0, Math.min(Math.ceil(left), LONGEST_TIMER_MS)));
  }

  #look(): void {
    if (performance.now() < this.#deadline) {
      this.#startTimer();
      return;
    }
    this.#lines.leave(this);
    this.end(TIMED_OUT);
  }
}
