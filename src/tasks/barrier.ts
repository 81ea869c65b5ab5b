/** A point that tasks only pass together. */

import type { Soon } from "../coroutine/pending.ts";
import type { LockOptions } from "./mutex.ts";
import type { WaitReason } from "./participant.ts";
import { promiseOf, readySoon } from "./soon.ts";
import { requireAllowed } from "./wait.ts";
import type { WaitOptions } from "./wait.ts";
import { WaitQueue } from "./wait-queue.ts";

/** Lets tasks go on when a number of them have arrived, again and again. One that is cancelled there has not arrived. */
export class Barrier {
  readonly parties: number;
  readonly name: string;
  readonly #arrived = new WaitQueue<boolean>();
  readonly #reason: WaitReason;

  constructor(parties: number, { name = "" }: LockOptions = {}) {
    if (!Number.isSafeInteger(parties) || parties < 1) {
      throw new RangeError(`Cannot make barrier: parties is ${parties}, expected a whole number from 1`);
    }
    this.parties = parties;
    this.name = name;
    this.#reason = {
      isExternal: false,
      describe: () => `barrier${name && ` ${name}`}, where ${this.#arrived.length} of ${parties} are`,
      holders: () => undefined,
    };
  }

  /** How many have arrived, and wait for the others. */
  get waiting(): number {
    return this.#arrived.length;
  }

  /** Waits for the others. One of them, the last to arrive, is told `true`. */
  arrive(options?: WaitOptions): Promise<boolean> {
    try {
      return promiseOf(this.arriveSoon(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** {@link Barrier.arrive} for host functions of guests: the guest of the last one goes on at once. */
  arriveSoon(options?: WaitOptions): Soon<boolean> {
    requireAllowed(options);
    if (this.#arrived.length + 1 < this.parties) return this.#arrived.wait(this.#reason, options, undefined);
    this.#arrived.succeedAll(false);
    return readySoon(true);
  }
}
