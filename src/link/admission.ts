/** Decides whether an activation may start now, and lets the others wait in the order in which they came. */

import { captureAsyncContext } from "../platform/async-context.ts";
import type { StackPool } from "./stacks.ts";
import { ACTIVE, CROWD, CURRENT, LIVE, REPORT_ENDS, SAVED, words } from "./switchboard.ts";

/** How many activations may be live on a backend. */
export interface Capacity {
  /** The word of the switchboard that counts them, of all guests together. */
  readonly counter: number;
  /** Of all guests together beyond which further ones wait, and of one if it asks for no other number. */
  readonly defaultMaxLive: number;
  /** The most that may be asked for. */
  readonly largestMaxLive: number;
}

/**
 * V8 aborts the process near 32,700 suspended stacks, and a linear memory takes two stacks' worth of the same resource: memory mappings,
 * of which Linux allows a process 65,530.
 */
export const NATIVE_STACKS: Capacity = { counter: LIVE, defaultMaxLive: 10_000, largestMaxLive: 15_000 };

/** Saved frames take nothing but memory; there are records for so many. */
export const SAVED_STACKS: Capacity = { counter: SAVED, defaultMaxLive: 2_000_000, largestMaxLive: 2_000_000 };

/** How many times as many may be live if others wait for them. */
const NESTED_FACTOR = 2;

/** A call that waits for its turn. */
interface Ticket {
  /** Counts all calls that have ever waited. */
  readonly number: number;
  readonly start: (record: number) => void;
  isGone: boolean;
}

let nextNumber = 0;
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
    serveAll();
  });
}

/** Starts as many as may start, the oldest first, whichever guest it is for. */
function serveAll(): void {
  const open = new Set(crowded);
  for (let first = oldest(open); first !== undefined; first = oldest(open)) if (!first.serve()) open.delete(first);
}

function oldest(admissions: Iterable<Admission>): Admission | undefined {
  let found: Admission | undefined;
  for (const admission of admissions) if (found === undefined || admission.oldest < found.oldest) found = admission;
  return found;
}

words[CROWD >> 2] = NATIVE_STACKS.defaultMaxLive;

export class Admission {
  readonly #stacks: StackPool;
  /** Index of the word with the number of live activations of all guests. */
  readonly #counter: number;
  /** For the calls of this guest. */
  readonly #maxLive: number;
  /** For the calls of all guests together, when one of this guest is to start. */
  readonly #maxLiveOfAll: number;
  /** Index of the word with the number of live activations of this guest. */
  readonly #active: number;
  /** In the order in which they came, from the first one on; those that were given up are still among them. */
  #tickets: Ticket[] = [];
  #first = 0;
  #waiting = 0;

  constructor(stacks: StackPool, capacity: Capacity, maxLive: number = capacity.defaultMaxLive) {
    const { counter, defaultMaxLive, largestMaxLive } = capacity;
    if (!(Number.isSafeInteger(maxLive) && maxLive >= 1 && maxLive <= largestMaxLive)) {
      throw new RangeError(
        `Cannot limit live stacks: maxLive must be an integer from 1 to ${largestMaxLive}, received ${maxLive}`,
      );
    }
    this.#stacks = stacks;
    this.#counter = counter >> 2;
    this.#active = (stacks.guest + ACTIVE) >> 2;
    this.#maxLive = maxLive;
    this.#maxLiveOfAll = Math.max(maxLive, defaultMaxLive);
  }

  /** Calls that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** The number of the call that waits longest; infinite if none does. */
  get oldest(): number {
    return this.#firstTicket()?.number ?? Infinity;
  }

  /**
   * Whether so many are live that one that starts now should be known by an {@link Activation}: the calls that its host functions make,
   * also after an `await`, are then known to be nested in it. As long as there are some that are known, and can end, no others wait
   * for ever.
   */
  get isFilling(): boolean {
    return words[this.#active]! >= this.#maxLive >> 1 || words[this.#counter]! >= this.#maxLiveOfAll >> 1;
  }

  /** The record for an activation that nobody needs to know and that may start now; else 0. */
  admitUnknown(): number {
    if (this.isFilling || (this.#waiting > 0 && words[CURRENT >> 2] === 0)) return 0;
    return this.#stacks.take();
  }

  /** The record for an activation that starts now; 0: it has to {@link Admission.wait}. */
  admit(isNested: boolean): number {
    // A call that a running activation makes would wait for its own caller, if it had to wait: it may go first, within reason.
    if (!isNested && this.#waiting > 0) return 0;
    return this.#hasRoom(isNested ? NESTED_FACTOR : 1) ? this.#stacks.take() : 0;
  }

  #hasRoom(factor: number): boolean {
    return words[this.#active]! < this.#maxLive * factor && words[this.#counter]! < this.#maxLiveOfAll * factor;
  }

  /** For an activation that cannot wait: throws when there are far too many. */
  requireRoom(): void {
    if (this.#hasRoom(NESTED_FACTOR)) return;
    const live = words[this.#active]!;
    throw new RangeError(
      `Cannot start call: ${live} of this guest and ${words[this.#counter]} of all guests are live, ` +
        `twice as many as maxLive allows (${this.#maxLive}, ${this.#maxLiveOfAll})`,
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
        number: nextNumber++,
        isGone: false,
        start: (record) => {
          signal?.removeEventListener("abort", giveUp);
          this.#remove(ticket);
          run(() => start(record).then(resolve, reject));
        },
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      this.#tickets.push(ticket);
      this.#waiting++;
      crowded.add(this);
      words[REPORT_ENDS >> 2] = 1;
      // An end may have come to pass between admit() and now, if the stack was full for another reason than LIVE.
      activationEnded();
    });
  }

  /** Starts the one that has waited longest; `false` if none may start. */
  serve(): boolean {
    const ticket = this.#firstTicket();
    if (ticket === undefined || !this.#hasRoom(1)) return false;
    const record = this.#stacks.take();
    if (record === 0) return false;
    ticket.start(record);
    return true;
  }

  #firstTicket(): Ticket | undefined {
    while (this.#tickets[this.#first]?.isGone === true) this.#first++;
    if (this.#first > this.#tickets.length >> 1) {
      this.#tickets = this.#tickets.slice(this.#first);
      this.#first = 0;
    }
    return this.#tickets[this.#first];
  }

  #remove(ticket: Ticket): void {
    ticket.isGone = true;
    this.#waiting--;
    if (this.#waiting > 0) return;
    this.#tickets = [];
    this.#first = 0;
    crowded.delete(this);
    if (crowded.size === 0) words[REPORT_ENDS >> 2] = 0;
  }
}
