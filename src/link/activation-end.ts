/** How an activation is ended from outside: its signal, its deadline, and what it is sent. Most have none of it. */

import { ForcedUnwind } from "../coroutine/errors.ts";
import { uncatchableTrap } from "./uncatchable-trap.ts";

/** How often a body is sent a {@link ForcedUnwind} before it is ended by a trap. */
export const MAX_UNWINDS = 1000;

/** When something has to be over. */
export interface Deadline {
  /** On the clock of `performance.now()`. */
  readonly at: number;
  readonly expire: () => void;
}

export class ActivationEnd {
  /** When it has to be over, and what to do then. */
  deadline: Deadline | undefined;
  #controller: AbortController | undefined;
  /** All that it was cancelled with: a body may still be ending with the first when the second comes. */
  readonly #sent: unknown[] = [];
  #unwinds = 0;
  /** Whether the error that it is being ended with was thrown in it. */
  #isTold = false;
  /** Times that it was interrupted since. */
  #interruptions = 0;

  /** Whether it has been cancelled. */
  get isBegun(): boolean {
    return this.#sent.length > 0;
  }

  /** What is thrown at every suspension point from now on. */
  get error(): unknown {
    return this.#sent.at(-1);
  }

  /** Aborts when it is cancelled. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.isBegun) this.#controller.abort(reasonOf(this.error));
    return this.#controller.signal;
  }

  /** Cancels it, maybe once more. */
  begin(error: unknown): void {
    this.#sent.push(error);
    this.#isTold = false;
    this.#controller?.abort(reasonOf(error));
  }

  /** Whether `error` is what it was ended with, or the trap that finished a body which would not stop. */
  isWith(error: unknown): boolean {
    return this.isBegun && (this.#sent.includes(error) || error === uncatchableTrap());
  }

  /** Its error was thrown in it, where it waited. */
  noteTold(): void {
    if (this.isBegun) this.#isTold = true;
  }

  /** The error to throw where it would wait. */
  atWait(): unknown {
    this.#isTold = true;
    const isStubborn = this.error instanceof ForcedUnwind && ++this.#unwinds > MAX_UNWINDS;
    return isStubborn ? uncatchableTrap() : this.error;
  }

  /**
   * The error to throw where it is interrupted while it runs, if any. What it is being ended with is thrown once: what runs then are
   * its cleanups, which have some time before a trap ends them.
   */
  atInterruption(now: number): { readonly error: unknown } | undefined {
    const { deadline } = this;
    if (deadline !== undefined && now >= deadline.at) deadline.expire();
    if (!this.isBegun) return undefined;
    if (this.#isTold && this.error instanceof ForcedUnwind) {
      return ++this.#interruptions > MAX_UNWINDS ? { error: uncatchableTrap() } : undefined;
    }
    this.#isTold = true;
    return { error: this.error };
  }
}

/** What a host function is told: why, rather than how. */
function reasonOf(cancellation: unknown): unknown {
  return cancellation instanceof ForcedUnwind && cancellation.cause !== undefined ? cancellation.cause : cancellation;
}
