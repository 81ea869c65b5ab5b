/**
 * Which strand of a program computes: one at a time, in the order in which they have come to something to do.
 *
 * An interpreter has a lock of its own, or only one stack, and does not go on with one strand while it is in the middle of another. One that
 * does not give way for long is not waited for any more: it may be waiting itself for what another one has.
 */

import type { Strand } from "./strand.ts";

/** How often it is looked whether a strand has been computing all the time. */
const LOOK_MS = 5;
/** Looks after which the others do not wait for it any more. */
const PATIENCE = 20;

export interface TurnsOptions {
  /** Operations that are left, of all that there are: what the running strand makes of them is counted. */
  readonly left: () => number;
  /** Has the program ask, soon, what is to become of the strand that computes; left out where it does so itself. */
  readonly interrupt?: () => void;
}

export class Turns {
  readonly #options: TurnsOptions;
  readonly #running = new Set<Strand>();
  readonly #queue: { readonly strand: Strand; readonly go: () => void }[] = [];
  #left = 0;
  /** The last strand that has got its turn. */
  #last: Strand | undefined;
  /** Looks since somebody has got a turn. */
  #looks = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** Calls `go` when it is the turn of `strand`, which then runs until it {@link leave}s. */
  enter(strand: Strand, go: () => void): void {
    this.#queue.push({ strand, go });
    this.#next();
  }

  isRunning(strand: Strand): boolean {
    return this.#running.has(strand);
  }

  leave(strand: Strand): void {
    if (!this.#running.has(strand)) return;
    this.spend(strand);
    this.#running.delete(strand);
    this.#next();
  }

  /** `strand` may have to wait for others that want to go on. */
  giveWay(strand: Strand): void {
    if (this.#queue.length > 0) this.leave(strand);
  }

  /** Nobody computes any more. */
  leaveAll(): void {
    for (const strand of this.#running) this.leave(strand);
  }

  /** Operations that `strand` has made since this was last asked: as far as no other has its turn. */
  spend(strand: Strand): void {
    if (strand !== this.#last) return;
    const left = this.#options.left();
    strand.operations += this.#left - left;
    this.#left = left;
  }

  /** Looks after what computes, as long as anything may. */
  watch(): void {
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
  }

  unwatch(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #next(): void {
    while (this.#running.size === 0) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#give(next);
    }
  }

  #give({ strand, go }: { readonly strand: Strand; readonly go: () => void }): void {
    this.#running.add(strand);
    this.#last = strand;
    this.#looks = 0;
    this.#left = this.#options.left();
    go();
  }

  #look(): void {
    if (this.#running.size === 0) return;
    // The first time it may just have begun.
    if (this.#looks++ > 0) this.#options.interrupt?.();
    if (this.#looks < PATIENCE) return;
    const next = this.#queue.shift();
    if (next !== undefined) this.#give(next);
  }
}
