/** A clock that goes on when it is told to. */

import type { Clock } from "stackful/wasi";

const SECOND = 1_000_000_000n;

export class ManualClock implements Clock {
  #now = 5n * SECOND;
  #real = 1_700_000_000n * SECOND;
  #cpu = SECOND;
  readonly #timers = new Set<{ readonly at: bigint; readonly wake: () => void }>();
  /** Nanoseconds that each timer was asked for. */
  readonly waits: bigint[] = [];
  /** Nanoseconds by which timers are early. */
  earliness = 0n;

  realtime(): bigint {
    return this.#real;
  }

  monotonic(): bigint {
    return this.#now;
  }

  cpuTime(): bigint {
    return this.#cpu;
  }

  get timers(): number {
    return this.#timers.size;
  }

  wakeAfter(nanoseconds: bigint, wake: () => void): () => void {
    this.waits.push(nanoseconds);
    const timer = { at: this.#now + nanoseconds - this.earliness, wake };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Sets the clock that shows the time of day. */
  set(change: bigint): void {
    this.#real += change;
  }

  /** Lets time pass, in which the program computes for `cpu`. */
  pass(nanoseconds: bigint, cpu = 0n): void {
    this.#now += nanoseconds;
    this.#real += nanoseconds;
    this.#cpu += cpu;
    for (const timer of this.#timers) {
      if (timer.at > this.#now) continue;
      this.#timers.delete(timer);
      timer.wake();
    }
  }
}
