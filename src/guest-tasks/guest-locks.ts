/** Locks that belong to tasks of guests: who has one, and how it is given back. */

import { Mutex } from "../tasks/mutex.ts";
import type { MutexGuard } from "../tasks/mutex.ts";
import { RwLock } from "../tasks/rw-lock.ts";
import type { RwLockGuard } from "../tasks/rw-lock.ts";
import { Errno } from "../wasi/preview1/errno.ts";
import type { GuestTask } from "./guest-task.ts";
import { OK } from "./status.ts";

type Owner = GuestTask | undefined;

export class GuestMutex {
  readonly mutex: Mutex;
  #guard: MutexGuard | undefined;
  #owner: Owner;

  constructor(name: string) {
    this.mutex = new Mutex({ name });
  }

  get isUsed(): boolean {
    return this.mutex.locked;
  }

  take(owner: Owner, guard: MutexGuard): number {
    this.#guard = guard;
    this.#owner = owner;
    owner?.hold(guard);
    return OK;
  }

  /** @throws {Errno} `EPERM` when `owner` does not have it */
  give(owner: Owner): number {
    const guard = this.#guard;
    if (guard?.held !== true || this.#owner !== owner) throw new Errno("EPERM");
    this.#guard = undefined;
    owner?.drop(guard);
    guard.release();
    return OK;
  }
}

export class GuestRwLock {
  readonly lock: RwLock;
  /** A task may have it for reading more than once. What calls outside of any task have is the lock's own. */
  readonly #guards = new WeakMap<object, RwLockGuard[]>();

  constructor(name: string) {
    this.lock = new RwLock({ name });
  }

  get isUsed(): boolean {
    return this.lock.writing || this.lock.readers > 0;
  }

  take(owner: Owner, guard: RwLockGuard): number {
    const guards = this.#guards.get(owner ?? this);
    if (guards === undefined) this.#guards.set(owner ?? this, [guard]);
    else guards.push(guard);
    owner?.hold(guard);
    return OK;
  }

  /** @throws {Errno} `EPERM` when `owner` does not have it */
  give(owner: Owner): number {
    const guard = this.#guards.get(owner ?? this)?.pop();
    if (guard === undefined) throw new Errno("EPERM");
    owner?.drop(guard);
    guard.release();
    return OK;
  }
}

/** The handle of a lock that is to be unlocked. @throws {Errno} `EPERM` when it is all zeros: nobody has ever had it */
export function requireMade(handle: number): number {
  if (handle === 0) throw new Errno("EPERM");
  return handle;
}
