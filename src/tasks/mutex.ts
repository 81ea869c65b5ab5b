/** A lock that one task has at a time. */

import type { Soon } from "../coroutine/pending.ts";
import type { Participant, WaitReason } from "./participant.ts";
import { promiseOf, readySoon } from "./soon.ts";
import { participantFor, requireAllowed } from "./wait.ts";
import type { WaitOptions } from "./wait.ts";
import { WaitQueue } from "./wait-queue.ts";

export interface LockOptions {
  /** For messages and `dump()`. */
  readonly name?: string | undefined;
}

let privateRelock: (guard: MutexGuard) => Soon<MutexGuard>;

/** Takes the mutex of a guard that has been released again, under the same guard. */
export function relock(guard: MutexGuard): Soon<MutexGuard> {
  return privateRelock(guard);
}

/** Holds a {@link Mutex} until it is released or disposed of. */
export class MutexGuard implements Disposable {
  readonly #release: (guard: MutexGuard) => void;
  readonly #relock: (guard: MutexGuard) => Soon<MutexGuard>;
  readonly #isHeld: (guard: MutexGuard) => boolean;

  static {
    privateRelock = (guard) => guard.#relock(guard);
  }

  /** Made by a mutex, not by users. */
  constructor(mutex: {
    release: (guard: MutexGuard) => void;
    relock: (guard: MutexGuard) => Soon<MutexGuard>;
    isHeld: (guard: MutexGuard) => boolean;
  }) {
    this.#release = mutex.release;
    this.#relock = mutex.relock;
    this.#isHeld = mutex.isHeld;
  }

  /** Whether it still holds the mutex. */
  get held(): boolean {
    return this.#isHeld(this);
  }

  /** Lets go of the mutex: the one that has waited longest has it then. Does nothing the second time. */
  release(): void {
    this.#release(this);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/**
 * Mutual exclusion, first come first served. Tasks that wait for each other's get a `DeadlockError`.
 *
 * ```ts
 * const accounts = new Mutex({ name: "accounts" });
 * {
 *   using guard = await accounts.lock();
 *   // …
 * }
 * ```
 */
export class Mutex {
  readonly name: string;
  readonly #waiting = new WaitQueue<MutexGuard, MutexGuard>({ takeBack: release });
  readonly #reason: WaitReason;
  readonly #access = {
    release: (guard: MutexGuard): void => this.#release(guard),
    relock: (guard: MutexGuard): Soon<MutexGuard> => this.#take(guard, undefined),
    isHeld: (guard: MutexGuard): boolean => this.#guard === guard,
  };
  #guard: MutexGuard | undefined;
  #holder: Participant | undefined;

  constructor({ name = "" }: LockOptions = {}) {
    this.name = name;
    this.#reason = {
      isExternal: false,
      describe: () => `mutex${name && ` ${name}`}, held by ${this.#holder?.name ?? "code outside any task"}`,
      holders: () => this.#holder && [this.#holder],
    };
  }

  get locked(): boolean {
    return this.#guard !== undefined;
  }

  lock(options?: WaitOptions): Promise<MutexGuard> {
    try {
      return promiseOf(this.lockSoon(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** {@link Mutex.lock} for host functions of guests: where it is free the guest goes on at once. */
  lockSoon(options?: WaitOptions): Soon<MutexGuard> {
    return this.#take(new MutexGuard(this.#access), options);
  }

  /** The lock if it is free. */
  tryLock(): MutexGuard | undefined {
    if (this.#guard !== undefined) return undefined;
    this.#holder = participantFor(undefined);
    return (this.#guard = new MutexGuard(this.#access));
  }

  /** Runs `body` with the lock. */
  async with<Value>(body: () => Value | PromiseLike<Value>, options?: WaitOptions): Promise<Value> {
    const guard = await this.lock(options);
    try {
      return await body();
    } finally {
      guard.release();
    }
  }

  #take(guard: MutexGuard, options: WaitOptions | undefined): Soon<MutexGuard> {
    requireAllowed(options);
    if (this.#guard !== undefined) return this.#waiting.wait(this.#reason, options, guard);
    this.#guard = guard;
    this.#holder = participantFor(options);
    return readySoon(guard, release);
  }

  #release(guard: MutexGuard): void {
    if (this.#guard !== guard) return;
    const next = this.#waiting.first;
    this.#guard = next?.demand;
    this.#holder = next?.wait.participant;
    next?.succeed(next.demand);
  }
}

function release(guard: MutexGuard): void {
  guard.release();
}
