/** One call of a guest: by which task, and how what it asks for reaches it. */

import { Pending } from "../coroutine/pending.ts";
import type { Soon, Waiter } from "../coroutine/pending.ts";
import type { Caller } from "../link/caller.ts";
import { instanceOf } from "../link/instance.ts";
import { failAfter } from "../tasks/sleep.ts";
import { Wait } from "../tasks/wait.ts";
import type { WaitOptions } from "../tasks/wait.ts";
import { Errno } from "../wasi/preview1/errno.ts";
import type { GuestMemory } from "../wasi/preview1/guest-memory.ts";
import type { GuestTask } from "./guest-task.ts";
import { WOULD_WAIT, statusOrThrow, timedOut } from "./status.ts";

/** Milliseconds that a guest wants to wait at most; a negative number is no limit. */
export type Limit = number;

const MAX_NAME_BYTES = 255;

export interface AnswerOptions {
  readonly limit: Limit;
  /** Whether somebody outside of the program may end the wait. */
  readonly isShared?: boolean;
  /** What the guest is told of an error that comes later, if it is not thrown again. */
  readonly fail?: (error: unknown) => number;
  /** Called if it is given up: the task is ended while it waits, or would not wait at all. */
  readonly onAbandon?: (() => void) | undefined;
}

interface Outcomes<Value> {
  readonly finish: (value: Value) => number;
  readonly fail: (error: unknown) => number;
  readonly onAbandon: (() => void) | undefined;
}

export class GuestCall {
  readonly caller: Caller;
  readonly memory: GuestMemory;
  /** `undefined`: the guest was not called by a program. */
  readonly task: GuestTask | undefined;

  constructor(caller: Caller, memory: GuestMemory, task: GuestTask | undefined) {
    this.caller = caller;
    this.memory = memory;
    this.task = task;
  }

  /** Says who waits. */
  get options(): WaitOptions | undefined {
    return this.task?.options;
  }

  /** @throws {Error} when the guest was called by nobody that could end its tasks */
  requireTask(action: string): GuestTask {
    if (this.task !== undefined) return this.task;
    throw new Error(`Cannot ${action}: the guest was not called within run() of its GuestTasks, which ends its tasks`);
  }

  /** The answer of an operation: what `finish` makes of its value, at once if the value is there. */
  answer<Value>(
    soon: Soon<Value>,
    finish: (value: Value) => number,
    { limit, isShared = false, fail = statusOrThrow, onAbandon }: AnswerOptions,
  ): Soon<number> {
    if (!(soon instanceof Pending)) return finish(soon);
    if (soon instanceof Wait && limit >= 0) {
      if (limit === 0) {
        soon.abandon();
        onAbandon?.();
        return WOULD_WAIT;
      }
      failAfter(soon, limit, timedOut);
    }
    const isOnlyForTasks = limit < 0 && !isShared && this.#hasOnlyTasks;
    return new GuestAnswer(soon, { finish, fail, onAbandon }, isOnlyForTasks ? this.task : undefined);
  }

  /** Not if threads of the guest, which are no tasks, may do what its tasks wait for, or calls of the host. */
  get #hasOnlyTasks(): boolean {
    return !this.memory.isShared && instanceOf(this.caller)?.module.hasEntries !== true;
  }

  /** A name of the guest: UTF-8 with a zero at its end. @throws {Errno} `EINVAL` when it is too long */
  name(pointer: number): string {
    for (let length = 0; length <= MAX_NAME_BYTES; length++) {
      if (this.memory.u8((pointer >>> 0) + length) === 0) return this.memory.text(pointer, length);
    }
    throw new Errno("EINVAL");
  }
}

/** A number for the guest, made of what an operation brings. */
class GuestAnswer<Value> extends Pending<number> implements Waiter {
  readonly #inner: Pending<Value>;
  readonly #outcomes: Outcomes<Value>;
  /** Whom only other tasks of the program can wake; not any more, when it is over. */
  #stuck: GuestTask | undefined;
  #waiter: Waiter | undefined;

  constructor(inner: Pending<Value>, outcomes: Outcomes<Value>, stuck: GuestTask | undefined) {
    super();
    this.#inner = inner;
    this.#outcomes = outcomes;
    this.#stuck = stuck;
    stuck?.program.stuck.add();
  }

  override get promise(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve: (value) => resolve(value as number), reject };
      this.#inner.promise.then(
        (value) => this.resolve(value),
        (error: unknown) => this.reject(error),
      );
    });
  }

  override subscribe(waiter: Waiter): void {
    this.#waiter = waiter;
    this.#inner.subscribe(this);
  }

  override abandon(): void {
    this.#leave();
    this.#waiter = undefined;
    this.#inner.abandon();
    this.#outcomes.onAbandon?.();
  }

  /** Called by what it waits for. */
  resolve(value: unknown): void {
    this.#leave();
    let status: number;
    try {
      status = this.#outcomes.finish(value as Value); // #inner brings nothing else
    } catch (error) {
      this.#fail(error, statusOrThrow);
      return;
    }
    this.#waiter?.resolve(status);
  }

  reject(error: unknown): void {
    this.#leave();
    this.#fail(error, this.#outcomes.fail);
  }

  #fail(error: unknown, statusFor: (error: unknown) => number): void {
    let status: number;
    try {
      status = statusFor(error);
    } catch (thrown) {
      this.#waiter?.reject(thrown);
      return;
    }
    this.#waiter?.resolve(status);
  }

  #leave(): void {
    this.#stuck?.program.stuck.remove();
    this.#stuck = undefined;
  }
}

/** Sizes and numbers come as the engine gives them: signed. @throws {Errno} `EINVAL` when it is less */
export function requireFrom(least: number, value: number): void {
  if (value < least) throw new Errno("EINVAL");
}
