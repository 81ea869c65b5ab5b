/** Who is told what a guest waits for. */

import type { Pending, Waiter } from "../coroutine/pending.ts";
import { captureAsyncContext } from "../platform/async-context.ts";

export type { Waiter } from "../coroutine/pending.ts";

/** Tells a waiter once, of several who might. */
export class Once implements Waiter {
  #waiter: Waiter | undefined;

  constructor(waiter: Waiter) {
    this.#waiter = waiter;
  }

  resolve(value: unknown): void {
    this.#take()?.resolve(value);
  }

  reject(reason: unknown): void {
    this.#take()?.reject(reason);
  }

  #take(): Waiter | undefined {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    return waiter;
  }
}

/** One that lets go of what it waits for when it is told something else first. */
export class Abandoning extends Once {
  readonly #pending: Pending<unknown>;

  constructor(waiter: Waiter, pending: Pending<unknown>) {
    super(waiter);
    this.#pending = pending;
  }

  override reject(reason: unknown): void {
    super.reject(reason);
    this.#pending.abandon();
  }
}

/** Tells another one in the asynchronous context in which this was made: a reaction to a promise would do that, but costs more. */
export class InContext implements Waiter {
  readonly #waiter: Waiter;
  readonly #inContext = captureAsyncContext();

  constructor(waiter: Waiter) {
    this.#waiter = waiter;
  }

  resolve(value: unknown): void {
    this.#inContext(resolveWaiter, this.#waiter, value);
  }

  reject(reason: unknown): void {
    this.#inContext(rejectWaiter, this.#waiter, reason);
  }
}

function resolveWaiter(waiter: Waiter, value: unknown): void {
  waiter.resolve(value);
}

function rejectWaiter(waiter: Waiter, reason: unknown): void {
  waiter.reject(reason);
}
