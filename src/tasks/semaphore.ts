/** A number of permits. */

import type { LockOptions } from "./mutex.ts";
import type { WaitReason } from "./participant.ts";
import { ready } from "./scheduler.ts";
import { refusalOf } from "./wait.ts";
import type { WaitOptions } from "./wait.ts";
import { WaitQueue } from "./wait-queue.ts";

export interface AcquireOptions extends WaitOptions {
  /** How many; 1 when left out. */
  readonly count?: number | undefined;
}

/** Permits of a {@link Semaphore}, until they are released or disposed of. */
export class SemaphorePermits implements Disposable {
  readonly count: number;
  #semaphore: Semaphore | undefined;

  /** Made by a semaphore, not by users. */
  constructor(semaphore: Semaphore, count: number) {
    this.#semaphore = semaphore;
    this.count = count;
  }

  /** Gives them back. Does nothing the second time. */
  release(): void {
    const semaphore = this.#semaphore;
    this.#semaphore = undefined;
    semaphore?.release(this.count);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** Lets a number of tasks go on at a time, first come first served: one that wants many is not passed by those that want few. */
export class Semaphore {
  readonly name: string;
  readonly #waiting = new WaitQueue<SemaphorePermits, number>(() => this.#admit());
  readonly #reason: WaitReason;
  #available: number;

  constructor(permits: number, { name = "" }: LockOptions = {}) {
    checkCount(permits, 0);
    this.#available = permits;
    this.name = name;
    this.#reason = {
      isExternal: false,
      describe: () => `semaphore${name && ` ${name}`}, which has ${this.#available} left`,
      holders: () => undefined,
    };
  }

  /** How many permits are left. */
  get available(): number {
    return this.#available;
  }

  acquire(options?: AcquireOptions): Promise<SemaphorePermits> {
    const { count = 1 } = options ?? {};
    checkCount(count, 1);
    const refusal = refusalOf(options);
    if (refusal !== undefined) return Promise.reject(refusal.reason);
    const permits = this.tryAcquire(count);
    return permits === undefined ? this.#waiting.wait(this.#reason, options, count) : ready(permits);
  }

  /** Permits if there are that many, and nobody waits. */
  tryAcquire(count = 1): SemaphorePermits | undefined {
    checkCount(count, 1);
    if (this.#waiting.length > 0 || this.#available < count) return undefined;
    this.#available -= count;
    return new SemaphorePermits(this, count);
  }

  /** Adds permits: also such as nobody has acquired. */
  release(count = 1): void {
    checkCount(count, 1);
    this.#available += count;
    this.#admit();
  }

  #admit(): void {
    for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
      if (this.#available < next.demand) return;
      this.#available -= next.demand;
      next.succeed(new SemaphorePermits(this, next.demand));
    }
  }
}

function checkCount(count: number, least: number): void {
  if (Number.isSafeInteger(count) && count >= least) return;
  throw new RangeError(`Cannot count permits: found ${count}, expected a whole number from ${least}`);
}
