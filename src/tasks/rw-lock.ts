/** A lock that many readers have at a time, or one writer. */

import type { Soon } from "../coroutine/pending.ts";
import type { LockOptions } from "./mutex.ts";
import type { Participant, WaitReason } from "./participant.ts";
import { promiseOf, readySoon } from "./soon.ts";
import { participantFor, requireAllowed } from "./wait.ts";
import type { WaitOptions } from "./wait.ts";
import { WaitQueue } from "./wait-queue.ts";

type Access = "read" | "write";

/** Holds a {@link RwLock} until it is released or disposed of. */
export class RwLockGuard implements Disposable {
  readonly access: Access;
  readonly #release: (guard: RwLockGuard) => void;

  /** Made by a lock, not by users. */
  constructor(access: Access, release: (guard: RwLockGuard) => void) {
    this.access = access;
    this.#release = release;
  }

  /** Does nothing the second time. */
  release(): void {
    this.#release(this);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/**
 * Any number of readers at a time, or one writer. First come first served: a reader that comes after a writer waits for it, so that
 * writers are never kept out by readers.
 */
export class RwLock {
  readonly name: string;
  readonly #waiting = new WaitQueue<RwLockGuard, RwLockGuard>({
    onAbandon: () => this.#admit(),
    takeBack: release,
  });
  /** All of the same access. */
  readonly #held = new Map<RwLockGuard, Participant | undefined>();
  readonly #reasons: Readonly<Record<Access, WaitReason>>;
  readonly #releaseOne = (guard: RwLockGuard): void => {
    if (this.#held.delete(guard)) this.#admit();
  };
  #hasWriter = false;

  constructor({ name = "" }: LockOptions = {}) {
    this.name = name;
    this.#reasons = {
      read: { isExternal: false, describe: () => this.#describeForReaders(), holders: () => this.#readersWaitFor },
      write: { isExternal: false, describe: () => this.#describe(), holders: () => this.#holders },
    };
  }

  /** How many have it for reading. */
  get readers(): number {
    return this.#hasWriter ? 0 : this.#held.size;
  }

  /** Whether one has it for writing. */
  get writing(): boolean {
    return this.#hasWriter && this.#held.size > 0;
  }

  read(options?: WaitOptions): Promise<RwLockGuard> {
    return this.#promise("read", options);
  }

  write(options?: WaitOptions): Promise<RwLockGuard> {
    return this.#promise("write", options);
  }

  /** {@link RwLock.read} for host functions of guests: where nobody has to be waited for the guest goes on at once. */
  readSoon(options?: WaitOptions): Soon<RwLockGuard> {
    return this.#take("read", options);
  }

  /** {@link RwLock.write} for host functions of guests. */
  writeSoon(options?: WaitOptions): Soon<RwLockGuard> {
    return this.#take("write", options);
  }

  /** The lock if nobody has to be waited for. */
  tryRead(): RwLockGuard | undefined {
    return this.#tryTake("read");
  }

  /** The lock if nobody has to be waited for. */
  tryWrite(): RwLockGuard | undefined {
    return this.#tryTake("write");
  }

  #tryTake(access: Access): RwLockGuard | undefined {
    if (this.#waiting.length > 0 || !this.#fits(access)) return undefined;
    const guard = new RwLockGuard(access, this.#releaseOne);
    this.#give(guard, participantFor(undefined));
    return guard;
  }

  #promise(access: Access, options: WaitOptions | undefined): Promise<RwLockGuard> {
    try {
      return promiseOf(this.#take(access, options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #take(access: Access, options: WaitOptions | undefined): Soon<RwLockGuard> {
    requireAllowed(options);
    const guard = new RwLockGuard(access, this.#releaseOne);
    if (this.#waiting.length > 0 || !this.#fits(access))
      return this.#waiting.wait(this.#reasons[access], options, guard);
    this.#give(guard, participantFor(options));
    return readySoon(guard, release);
  }

  get #holders(): Participant[] {
    return [...this.#held.values()].filter((holder) => holder !== undefined);
  }

  /** Beside readers it is not they who keep further readers out, but the writer in front of these, who may also give up. */
  get #readersWaitFor(): Participant[] {
    const writer = this.#waiting.first?.wait.participant;
    if (this.#hasWriter) return this.#holders;
    return writer === undefined ? [] : [writer];
  }

  #describe(): string {
    return `lock${this.name && ` ${this.name}`}, held by ${[...this.#held.values()].map(nameOf).join(", ")}`;
  }

  #describeForReaders(): string {
    return this.#hasWriter
      ? this.#describe()
      : `${this.#describe()}, behind ${nameOf(this.#waiting.first?.wait.participant)}`;
  }

  #fits(access: Access): boolean {
    return this.#held.size === 0 || (access === "read" && !this.#hasWriter);
  }

  #give(guard: RwLockGuard, holder: Participant | undefined): void {
    this.#held.set(guard, holder);
    this.#hasWriter = guard.access === "write";
  }

  /** Lets in whoever is first in line, and the readers behind it if it is one. */
  #admit(): void {
    for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
      if (!this.#fits(next.demand.access)) return;
      this.#give(next.demand, next.wait.participant);
      next.succeed(next.demand);
    }
  }
}

function release(guard: RwLockGuard): void {
  guard.release();
}

function nameOf(participant: Participant | undefined): string {
  return participant?.name ?? "code outside any task";
}
