/** A number of permits. */

import type { Soon } from "../coroutine/pending.ts";
import type { LockOptions } from "./mutex.ts";
import type { WaitReason } from "./participant.ts";
import { promiseOf, readySoon } from "./soon.ts";
import { requireAllowed } from "./wait.ts";
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
  readonly #waiting = new WaitQueue<SemaphorePermits, number>({
    onAbandon: () => this.#admit(),
    takeBack: release,
  });
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

  /** How many wait for permits. */
  get waiting(): number {
    return this.#waiting.length;
  }

  acquire(options?: AcquireOptions): Promise<SemaphorePermits> {
    checkCount(options?.count ?? 1, 1);
    try {
      return promiseOf(this.acquireSoon(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** {@link Semaphore.acquire} for host functions of guests: where there are permits the guest goes on at once. */
  acquireSoon(options?: AcquireOptions): Soon<SemaphorePermits> {
    const { count = 1 } = options ?? {};
    checkCount(count, 1);
    requireAllowed(options);
    const permits = this.tryAcquire(count);
    return permits === undefined ? this.#waiting.wait(this.#reason, options, count) : readySoon(permits, release);
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

function release(permits: SemaphorePermits): void {
  permits.release();
}

function checkCount(count: number, least: number): void {
  if (Number.isSafeInteger(count) && count >= least) return;
  throw new RangeError(`Cannot count permits: found ${count}, expected a whole number from ${least}`);
}
