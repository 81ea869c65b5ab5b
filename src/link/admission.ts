/** Decides whether an activation may start now, and lets the others wait in the order in which they came. */

import { captureAsyncContext } from "./async-context.ts";
import type { StackPool } from "./stacks.ts";
import { CROWD, CURRENT, LIVE, REPORT_ENDS, words } from "./switchboard.ts";

/**
 * Live activations of all guests together beyond which further ones wait. V8 aborts the process near 32,700 suspended stacks,
 * and a linear memory takes two stacks' worth of the same resource: memory mappings, of which Linux allows a process 65,530.
 */
export const DEFAULT_MAX_LIVE = 10_000;
/** The most that may be asked for; activations that others are waiting for may be twice as many. */
export const LARGEST_MAX_LIVE = 15_000;

/** A call that waits for its turn. */
interface Ticket {
  readonly start: (record: number) => void;
}

/** Guests that have calls waiting. */
const crowded = new Set<Admission>();
let isAdmitting = false;

/** To be called for every activation that ends while {@link REPORT_ENDS} is set. */
export function activationEnded(): void {
  if (isAdmitting) return;
  isAdmitting = true;
  // Not now: the guest that reports its end is still on the stack.
  queueMicrotask(() => {
    isAdmitting = false;
    for (const admission of crowded) admission.serve();
  });
}

export class Admission {
  readonly #stacks: StackPool;
  readonly #maxLive: number;
  /** In insertion order; a call that is given up is taken out of the middle. */
  readonly #tickets = new Set<Ticket>();

  constructor(stacks: StackPool, maxLive: number) {
    if (!(Number.isSafeInteger(maxLive) && maxLive >= 1 && maxLive <= LARGEST_MAX_LIVE)) {
      throw new RangeError(
        `Cannot limit live stacks: maxLive must be an integer from 1 to ${LARGEST_MAX_LIVE}, received ${maxLive}`,
      );
    }
    this.#stacks = stacks;
    this.#maxLive = maxLive;
    words[CROWD >> 2] = Math.min(words[CROWD >> 2]!, maxLive);
  }

  /** Calls that wait. */
  get waiting(): number {
    return this.#tickets.size;
  }

  /** The record for an activation that starts now; 0: it has to {@link Admission.wait}. */
  admit(): number {
    // A call that a running activation makes would wait for its own caller, if it had to wait: it may go first, within reason.
    const isNested = words[CURRENT >> 2] !== 0;
    if (!isNested && this.#tickets.size > 0) return 0;
    if (words[LIVE >> 2]! >= (isNested ? this.#maxLive * 2 : this.#maxLive)) return 0;
    return this.#stacks.take();
  }

  /** For an activation that brings its own stack and cannot wait: throws when there are far too many. */
  requireRoom(): void {
    if (words[LIVE >> 2]! < this.#maxLive * 2) return;
    throw new RangeError(
      `Cannot start call: ${words[LIVE >> 2]} are live, twice as many as maxLive (${this.#maxLive}) allows`,
    );
  }

  /** Calls `start` when its turn has come, with the asynchronous context of now. Rejects when `signal` aborts before. */
  wait<T>(start: (record: number) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const run = captureAsyncContext();
    return new Promise<T>((resolve, reject) => {
      const giveUp = (): void => {
        this.#remove(ticket);
        reject(signal?.reason);
      };
      const ticket: Ticket = {
        start: (record) => {
          signal?.removeEventListener("abort", giveUp);
          this.#remove(ticket);
          run(() => start(record).then(resolve, reject));
        },
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      this.#tickets.add(ticket);
      crowded.add(this);
      words[REPORT_ENDS >> 2] = 1;
      // An end may have come to pass between admit() and now, if the stack was full for another reason than LIVE.
      activationEnded();
    });
  }

  /** Starts as many as may start. */
  serve(): void {
    for (const ticket of this.#tickets) {
      if (words[LIVE >> 2]! >= this.#maxLive) return;
      const record = this.#stacks.take();
      if (record === 0) return;
      ticket.start(record);
    }
  }

  #remove(ticket: Ticket): void {
    this.#tickets.delete(ticket);
    if (this.#tickets.size > 0) return;
    crowded.delete(this);
    if (crowded.size === 0) words[REPORT_ENDS >> 2] = 0;
  }
}
