/** One activation of a guest on backend `transform`, from its entry to its end. */

import { Pending } from "../coroutine/pending.ts";
import { guestStarted } from "../coroutine/guest-trace.ts";
import type { GuestOwner, GuestTrace } from "../coroutine/guest-trace.ts";
import { Suspension } from "../coroutine/suspend.ts";
import { isContextKept } from "../link/activation-context.ts";
import { activationOf } from "../link/activation.ts";
import type { Activation, Waiter } from "../link/activation.ts";
import { defer } from "../link/deferred.ts";
import type { GuestSwitches } from "../link/switch-module.ts";
import { AWAITED, FLAGS, GUEST, HOOKED, SAVED, countStart, readWord, writeWord } from "../link/switchboard.ts";
import { uncatchableTrap } from "../link/uncatchable-trap.ts";
import { InContext } from "../link/waiter.ts";
import { SuspendedStack } from "../transform/suspended-stack.ts";
import type { Outcome, StackOwner } from "../transform/suspended-stack.ts";

/** What a run needs of its guest. */
export interface RunningGuest extends StackOwner {
  /** Around every part of a run. */
  readonly switches: GuestSwitches;
  /** Calls the exported function `name` on `stack`. */
  begin(stack: SuspendedStack, name: string, args: readonly unknown[]): Outcome;
  /** What to tell the caller of a guest that has thrown `error`. Called before the record ends. */
  failure(error: unknown, record: number): unknown;
  /** What the import at `position` returns, of its answer. @throws {TypeError} when it does not convert */
  checked(position: number, answer: unknown): unknown;
  /** Whether the answer of the import at `position` is a list of results. */
  isList(position: number): boolean;
  /** What the import at `position` is called. */
  importName(position: number): string | undefined;
  /** Whether the stack of `record` may be continued now: no call lies on top of it. */
  isOnTop(record: number): boolean;
}

/**
 * Runs the guest's code until it suspends, returns or throws, again and again: whoever it waits for calls {@link Run.resolve} or
 * {@link Run.reject}, as often as it suspends.
 */
export class Run extends SuspendedStack<RunningGuest> implements Waiter, GuestTrace {
  readonly #record: number;
  readonly #end: Waiter;
  /** What to do at the end of {@link Run.#leave}, while it is in the middle of that: what it waits for may be there at once. */
  #next: (() => void) | undefined;
  /** Itself, for those who tell it from code that is not its own. */
  #inContext: InContext | undefined;
  /** On whose behalf it runs, if they want to know. */
  #guestOwner: GuestOwner | undefined;

  /** `end` is told how the activation has ended. */
  constructor(guest: RunningGuest, record: number, end: Waiter) {
    super(guest);
    this.#record = record;
    this.#end = end;
  }

  /** Calls the exported function `name`. To be called once. */
  begin(name: string, args: readonly unknown[]): void {
    const guest = this.owner;
    this.#guestOwner = guestStarted(this);
    countStart(readWord(this.#record, GUEST), SAVED);
    guest.switches.enter(this.#record);
    let outcome: Outcome;
    try {
      outcome = guest.begin(this, name, args);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#leave(outcome);
  }

  get awaitedImport(): string | undefined {
    return this.area === 0 ? undefined : this.owner.importName(readWord(this.#record, AWAITED) - 1);
  }

  /** The call of the import that it waits in returns `value`. */
  resolve(value: unknown): void {
    const guest = this.owner;
    const record = this.#record;
    if (this.#next !== undefined || !guest.isOnTop(record)) {
      this.#postpone(() => this.resolve(value));
      return;
    }
    const position = readWord(record, AWAITED) - 1;
    let checked: unknown;
    try {
      checked = guest.checked(position, Suspension.refuse(value));
    } catch (error) {
      this.reject(error);
      return;
    }
    guest.switches.resume(record);
    let outcome: Outcome;
    try {
      outcome = guest.isList(position) ? this.resume(...(checked as readonly unknown[])) : this.resume(checked);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#leave(outcome);
  }

  /** The call of the import that it waits in throws `error`. */
  reject(error: unknown): void {
    const guest = this.owner;
    const record = this.#record;
    if (this.#next !== undefined || !guest.isOnTop(record)) {
      this.#postpone(() => this.reject(error));
      return;
    }
    if (error === uncatchableTrap()) {
      this.#drop(error);
      return;
    }
    guest.switches.resume(record);
    let outcome: Outcome;
    try {
      outcome = this.throw(error);
    } catch (thrown) {
      this.#fail(thrown);
      return;
    }
    this.#leave(outcome);
  }

  #postpone(goOn: () => void): void {
    if (this.#next !== undefined) this.#next = goOn;
    // What is on top of it stands on the native stack, too, and is gone when that is empty.
    else queueMicrotask(goOn);
  }

  #fail(error: unknown): void {
    const failure = this.owner.failure(error, this.#record);
    this.owner.switches.end(this.#record);
    this.#guestOwner?.guestEnded(this);
    this.#end.reject(failure);
  }

  #leave(outcome: Outcome): void {
    if (outcome.done) {
      this.owner.switches.end(this.#record);
      this.#guestOwner?.guestEnded(this);
      const { values } = outcome;
      this.#end.resolve(values.length < 2 ? values[0] : values);
      return;
    }
    this.owner.switches.leave(this.#record);
    this.#next = stayAway;
    this.#wait(outcome.value);
    const next = this.#next;
    this.#next = undefined;
    // Recursion ends after a thousand times: a guest that is unwound, and waits again and again, is stopped then.
    next();
  }

  #wait(answer: unknown): void {
    const activation = activationOf(this.#record);
    if (answer instanceof Pending) {
      this.#inContext ??= new InContext(this);
      if (activation === undefined) answer.subscribe(this.#inContext);
      else activation.wait(answer, this.#inContext);
    } else if (activation !== undefined) activation.wait(answer, waiterInContext(this, answer, activation));
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
    this.owner.switches.resume(this.#record);
    this.drop();
    this.owner.switches.end(this.#record);
    this.#guestOwner?.guestEnded(this);
    this.#end.reject(error);
  }
}

function stayAway(): void {}

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
