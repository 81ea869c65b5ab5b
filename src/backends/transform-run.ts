/** One activation of a guest on backend `transform`, from its entry to its end. */

import type { Outcome, SuspendedStack } from "../transform/suspendable-instance.ts";
import { Suspension } from "../coroutine/suspend.ts";
import { isContextKept } from "../link/activation-context.ts";
import { activationOf } from "../link/activation.ts";
import type { Activation, Waiter } from "../link/activation.ts";
import { defer } from "../link/deferred.ts";
import type { GuestSwitches } from "../link/switch-module.ts";
import { AWAITED, FLAGS, HOOKED, LIVE, readWord, words, writeWord } from "../link/switchboard.ts";
import { uncatchableTrap } from "../link/uncatchable-trap.ts";

/** What a run needs of its guest. */
export interface RunningGuest {
  /** Around every part of a run. */
  readonly switches: GuestSwitches;
  /** Calls the exported function `name`. */
  begin(name: string, args: readonly unknown[]): Outcome;
  /** Continues `stack`; the import that it waits in has these results. */
  resume(stack: SuspendedStack, results: readonly unknown[]): Outcome;
  /** Continues `stack`; the import that it waits in throws `error`. */
  throw(stack: SuspendedStack, error: unknown): Outcome;
  /** What to tell the caller of a guest that has thrown `error`. Called before the record ends. */
  failure(error: unknown, record: number): unknown;
  /** The results of the import at `position`, made of its answer. @throws {TypeError} when it does not convert */
  results(position: number, answer: unknown): readonly unknown[];
  /** Whether the stack of `record` may be continued now: no call lies on top of it. */
  isOnTop(record: number): boolean;
}

/** How a guest goes on that has waited: with the results of the import, or with what it throws. */
type Step = { readonly results: readonly unknown[] } | { readonly error: unknown };

/**
 * Runs the guest's code until it suspends, returns or throws, again and again: whoever it waits for calls {@link Run.resolve} or
 * {@link Run.reject}, as often as it suspends.
 */
export class Run implements Waiter {
  readonly #guest: RunningGuest;
  readonly #record: number;
  readonly #end: Waiter;
  #stack: SuspendedStack | undefined;
  /** Whether it is in the middle of {@link Run.#leave}: what it waits for may be there at once. */
  #isLeaving = false;
  #next: Step | undefined;

  /** `end` is told how the activation has ended. */
  constructor(guest: RunningGuest, record: number, end: Waiter) {
    this.#guest = guest;
    this.#record = record;
    this.#end = end;
  }

  /** Calls the exported function `name`. To be called once. */
  begin(name: string, args: readonly unknown[]): void {
    const guest = this.#guest;
    words[LIVE >> 2]!++;
    guest.switches.enter(this.#record);
    let outcome: Outcome;
    try {
      outcome = guest.begin(name, args);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#leave(outcome);
  }

  /** The call of the import that it waits in returns `value`. */
  resolve(value: unknown): void {
    let step: Step;
    try {
      step = { results: this.#guest.results(readWord(this.#record, AWAITED) - 1, value) };
    } catch (error) {
      step = { error };
    }
    this.#continue(step);
  }

  /** The call of the import that it waits in throws `error`. */
  reject(error: unknown): void {
    if (error === uncatchableTrap()) this.#drop(error);
    else this.#continue({ error });
  }

  #continue(step: Step): void {
    if (this.#isLeaving) this.#next = step;
    else if (this.#guest.isOnTop(this.#record)) this.#go(step);
    // What is on top of it stands on the native stack, too, and is gone when that is empty.
    else queueMicrotask(() => this.#continue(step));
  }

  #go(step: Step): void {
    const guest = this.#guest;
    const stack = this.#stack!;
    guest.switches.resume(this.#record);
    let outcome: Outcome;
    try {
      outcome = "results" in step ? guest.resume(stack, step.results) : guest.throw(stack, step.error);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#leave(outcome);
  }

  #fail(error: unknown): void {
    const failure = this.#guest.failure(error, this.#record);
    this.#guest.switches.end(this.#record);
    this.#end.reject(failure);
  }

  #leave(outcome: Outcome): void {
    if (outcome.done) {
      this.#guest.switches.end(this.#record);
      const { values } = outcome;
      this.#end.resolve(values.length < 2 ? values[0] : values);
      return;
    }
    this.#guest.switches.leave(this.#record);
    this.#stack = outcome.stack;
    this.#isLeaving = true;
    this.#wait(outcome.value);
    this.#isLeaving = false;
    const step = this.#next;
    this.#next = undefined;
    // Recursion ends after a thousand times: a guest that is unwound, and waits again and again, is stopped then.
    if (step !== undefined) this.#go(step);
  }

  #wait(answer: unknown): void {
    const activation = activationOf(this.#record);
    if (activation !== undefined) activation.wait(answer, waiterInContext(this, answer, activation));
    else {
      Promise.resolve(answer as PromiseLike<unknown>).then(
        (value) => this.resolve(value),
        (error: unknown) => this.reject(error),
      );
    }
  }

  /** Ends it, and none of the guest's code runs, nor a hook: its stack is not entered. */
  #drop(error: unknown): void {
    writeWord(this.#record, FLAGS, readWord(this.#record, FLAGS) & ~HOOKED);
    this.#guest.switches.resume(this.#record);
    this.#stack!.drop();
    this.#guest.switches.end(this.#record);
    this.#end.reject(error);
  }
}

/**
 * Who waits for the next input of a coroutine. The guest's host functions are to see the asynchronous context that it was started in, not
 * that of whoever resumes it; a reaction to a promise that is made now has the context of now. On the stack of the resumer, where there is
 * no time for that, they see the resumer's, as a generator does.
 */
function waiterInContext(run: Run, answer: unknown, activation: Activation): Waiter {
  if (!(answer instanceof Suspension) || activation.isResumedSynchronously || !isContextKept()) return run;
  const later = defer<unknown>();
  later.promise.then(
    (value) => run.resolve(value),
    (error: unknown) => run.reject(error),
  );
  return {
    resolve: (value) => (activation.isResumedSynchronously ? run.resolve(value) : later.resolve(value)),
    reject: (error) => (activation.isResumedSynchronously ? run.reject(error) : later.reject(error)),
  };
}
