/** One activation of a guest on backend `transform`, from its entry to its end. */

import type { Outcome, SuspendedStack } from "../transform/suspendable-instance.ts";
import { activationOf } from "../link/activation.ts";
import type { Waiter } from "../link/activation.ts";
import { AWAITED, LIVE, readWord, words } from "../link/switchboard.ts";
import { uncatchableTrap } from "../link/uncatchable-trap.ts";

/** What a run needs of its guest. */
export interface RunningGuest {
  /** Calls the exported function `name`. */
  begin(name: string, args: readonly unknown[]): Outcome;
  /** Runs what enters the guest. */
  step(body: () => Outcome): Outcome;
  /** Around every part of a run. */
  enter(record: number): void;
  resume(record: number): void;
  leave(record: number): void;
  end(record: number): void;
  /** What to tell the caller of a guest that has thrown `error`. Called before the record ends. */
  failure(error: unknown, record: number): unknown;
  /** The results of the import at `position`, made of its answer. @throws {TypeError} when it does not convert */
  results(position: number, answer: unknown): readonly unknown[];
  /** Whether the stack of `record` may be continued now: no call lies on top of it. */
  isOnTop(record: number): boolean;
}

/**
 * Runs the guest's code until it suspends, returns or throws, again and again: whoever it waits for calls {@link Run.resolve} or
 * {@link Run.reject}, as often as it suspends.
 */
export class Run implements Waiter {
  readonly #guest: RunningGuest;
  readonly #record: number;
  readonly #end: Waiter;
  #stack: SuspendedStack | undefined;
  #isRunning = false;
  /** How to go on when the guest has waited for something that was there at once. */
  #next: (() => Outcome) | undefined;

  /** `end` is told how the activation has ended. */
  constructor(guest: RunningGuest, record: number, end: Waiter) {
    this.#guest = guest;
    this.#record = record;
    this.#end = end;
  }

  /** Calls the exported function `name`. To be called once. */
  begin(name: string, args: readonly unknown[]): void {
    words[LIVE >> 2]!++;
    this.#guest.enter(this.#record);
    this.#go(() => this.#guest.begin(name, args));
  }

  /** The call of the import that it waits in returns `value`. */
  resolve(value: unknown): void {
    let results: readonly unknown[];
    try {
      results = this.#guest.results(readWord(this.#record, AWAITED) - 1, value);
    } catch (error) {
      this.reject(error);
      return;
    }
    this.#continue((stack) => stack.resume(...results));
  }

  /** The call of the import that it waits in throws `error`. */
  reject(error: unknown): void {
    if (error === uncatchableTrap()) this.#drop(error);
    else this.#continue((stack) => stack.throw(error));
  }

  #continue(body: (stack: SuspendedStack) => Outcome): void {
    const next = (): Outcome => body(this.#stack!);
    if (this.#isRunning) {
      this.#next = next;
      return;
    }
    if (!this.#guest.isOnTop(this.#record)) {
      // What is on top of it stands on the native stack, too, and is gone when that is empty.
      queueMicrotask(() => this.#continue(body));
      return;
    }
    this.#guest.resume(this.#record);
    this.#go(next);
  }

  /** Ends it, and none of the guest's code runs. */
  #drop(error: unknown): void {
    const stack = this.#stack!;
    this.#guest.resume(this.#record);
    stack.drop();
    this.#finish(() => this.#end.reject(error));
  }

  /** The record is entered. Loops instead of recursing: a guest that is unwound may wait a thousand times more. */
  #go(first: () => Outcome): void {
    let body: (() => Outcome) | undefined = first;
    this.#isRunning = true;
    while (body !== undefined) {
      const outcome = this.#run(body);
      if (outcome === undefined) return;
      this.#guest.leave(this.#record);
      this.#stack = outcome.stack;
      this.#next = undefined;
      this.#wait(outcome.value);
      body = this.#next;
      if (body !== undefined) this.#guest.resume(this.#record);
    }
    this.#isRunning = false;
  }

  /** `undefined`: it has ended. */
  #run(body: () => Outcome): Extract<Outcome, { done: false }> | undefined {
    let outcome: Outcome;
    try {
      outcome = this.#guest.step(body);
    } catch (error) {
      const failure = this.#guest.failure(error, this.#record);
      this.#finish(() => this.#end.reject(failure));
      return undefined;
    }
    if (!outcome.done) return outcome;
    const { values } = outcome;
    this.#finish(() => this.#end.resolve(values.length < 2 ? values[0] : values));
    return undefined;
  }

  #finish(tell: () => void): void {
    this.#isRunning = false;
    this.#guest.end(this.#record);
    tell();
  }

  #wait(answer: unknown): void {
    const activation = activationOf(this.#record);
    if (activation !== undefined) activation.wait(answer, this);
    else {
      Promise.resolve(answer as PromiseLike<unknown>).then(
        (value) => this.resolve(value),
        (error: unknown) => this.reject(error),
      );
    }
  }
}
