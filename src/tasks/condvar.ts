/** Waiting, with a mutex, until others have changed something. */

import { relock } from "./mutex.ts";
import type { LockOptions, MutexGuard } from "./mutex.ts";
import type { WaitReason } from "./participant.ts";
import { shield } from "./shield.ts";
import { promiseOf } from "./soon.ts";
import { requireAllowed } from "./wait.ts";
import type { WaitOptions } from "./wait.ts";
import { WaitQueue } from "./wait-queue.ts";

/**
 * A condition variable: those who wait let go of the mutex meanwhile, and have it again when they go on, also after an error.
 *
 * ```ts
 * using guard = await mutex.lock();
 * await changed.waitWhile(guard, () => queue.length === 0);
 * ```
 */
export class Condvar {
  readonly name: string;
  readonly #waiting = new WaitQueue<void>();
  readonly #reason: WaitReason;

  constructor({ name = "" }: LockOptions = {}) {
    this.name = name;
    this.#reason = {
      isExternal: false,
      describe: () => `condition${name && ` ${name}`}`,
      holders: () => undefined,
    };
  }

  /** Waits to be notified. Nothing is remembered for those who are not waiting yet. */
  async wait(guard: MutexGuard, options?: WaitOptions): Promise<void> {
    if (!guard.held)
      throw new Error("Cannot wait for condition: the guard is released, expected one that holds its mutex");
    requireAllowed(options);
    const notified = this.#waiting.wait(this.#reason, options, undefined).promise;
    guard.release();
    try {
      await notified;
    } finally {
      await shield(() => promiseOf(relock(guard)));
    }
  }

  /** Waits as long as `condition` holds: it is looked at with the mutex, before and whenever notified. */
  async waitWhile(guard: MutexGuard, condition: () => boolean, options?: WaitOptions): Promise<void> {
    while (condition()) await this.wait(guard, options);
  }

  /** Wakes the one that has waited longest. */
  notifyOne(): void {
    this.#waiting.first?.succeed();
  }

  notifyAll(): void {
    this.#waiting.succeedAll();
  }
}
