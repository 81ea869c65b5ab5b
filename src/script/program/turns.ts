/**
 * Which strand of a program computes: one at a time, in the order in which they have come to something to do.
 *
 * An interpreter has a lock of its own, or only one stack, and does not go on with one strand while it is in the middle of another. Whoever
 * has the turn keeps it until it waits: if another one went on meanwhile, both would be where Python allows only one, and Python would end.
 */

import type { Clock } from "../../wasi/host/clock.ts";
import type { Strand } from "./strand.ts";

/** How often it is looked whether a strand has been computing all the time. */
const LOOK_MS = 5;

export interface TurnsOptions {
  /** Operations that are left, of all that there are: what the running strand makes of them is counted. */
  readonly left: () => number;
  /** Has the program ask, soon, what is to become of the strand that computes; left out where it does so itself. */
  readonly interrupt?: () => void;
}

export class Turns {
  readonly #options: TurnsOptions;
  readonly #queue: { readonly strand: Strand; readonly go: () => void }[] = [];
  #running: Strand | undefined;
  #left = 0;
  /** The last strand that has got its turn. */
  #last: Strand | undefined;
  /** When its turn began, by `performance.now()`. */
  #since = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** Calls `go` when it is the turn of `strand`, which then runs until it {@link leave}s. */
  enter(strand: Strand, go: () => void): void {
    this.#queue.push({ strand, go });
    this.#next();
  }

  /** The same, but at once if it is its turn: an answer that is there before the script asks for it costs none. */
  continue(strand: Strand, go: () => void): void {
    if (this.isRunning(strand)) go();
    else this.enter(strand, go);
  }

  isRunning(strand: Strand): boolean {
    return this.#running === strand;
  }

  leave(strand: Strand): void {
    if (this.#running === strand) this.leaveAll();
  }

  /** `strand` may have to wait for others that want to go on. */
  giveWay(strand: Strand): void {
    if (this.#queue.length > 0) this.leave(strand);
  }

  /** Nobody computes any more. */
  leaveAll(): void {
    if (this.#running === undefined) return;
    this.spend(this.#running);
    this.#running = undefined;
    this.#next();
  }

  /** Operations that `strand` has made since this was last asked: as far as no other has its turn. */
  spend(strand: Strand): void {
    if (strand !== this.#last) return;
    const left = this.#options.left();
    strand.operations += this.#left - left;
    this.#left = left;
  }

  /** The same, as a number; they count as told of. */
  takeOperations(strand: Strand): number {
    this.spend(strand);
    const { operations } = strand;
    strand.operations = 0;
    return operations;
  }

  /** Looks after what computes, as long as anything may. */
  watch(): void {
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
  }

  unwatch(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** A clock by which the strand that computes lets others go on while it waits. */
  clock(clock: Clock): Clock {
    return {
      ...clock,
      wakeAfter: (nanoseconds, wake) => {
        const strand = this.#running;
        if (strand === undefined) return clock.wakeAfter(nanoseconds, wake);
        let isWanted = true;
        // Who has stopped waiting meanwhile goes on without: its turn is over at once.
        const go = (): void => (isWanted ? wake() : this.leave(strand));
        const cancel = clock.wakeAfter(nanoseconds, () => this.enter(strand, go));
        this.leave(strand);
        return () => {
          isWanted = false;
          cancel();
        };
      },
    };
  }

  #next(): void {
    while (this.#running === undefined) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#running = next.strand;
      this.#last = next.strand;
      this.#since = performance.now();
      this.#left = this.#options.left();
      next.go();
    }
  }

  #look(): void {
    // Who has just begun may leave by itself.
    if (this.#running !== undefined && performance.now() - this.#since >= LOOK_MS) this.#options.interrupt?.();
  }
}
