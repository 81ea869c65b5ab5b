/** A coroutine's body: an activation of a guest, on any backend. */

import type { Coroutine } from "../coroutine/coroutine.ts";
import { ForcedUnwind, SuspendError } from "../coroutine/errors.ts";
import type { SyncRefusal } from "../coroutine/fiber.ts";
import { currentResumer, keepContexts } from "./activation-context.ts";
import { Activation } from "./activation.ts";
import type { Waiter } from "./activation.ts";
import { cancellationSignal } from "./cancellation.ts";
import { defer } from "./deferred.ts";
import type { Deferred } from "./deferred.ts";
import type { CallOptions, GuestFiber } from "./linked-guest.ts";
import { requireNativeStack } from "./native-stack.ts";
import { uncatchableTrap } from "./uncatchable-trap.ts";

type Step = IteratorResult<unknown, unknown>;
/** How a body has ended. */
type Outcome = { readonly step: Step } | { readonly error: unknown };

/** Who is told what a resume came to. */
interface Resumption {
  resolve(step: Step): void;
  reject(reason: unknown): void;
}

/** What enters bodies: the guest of a backend. */
export interface BodyRunner {
  /** Enters `body` with its first input; the body is told how it has ended. */
  startBody(body: GuestBody, input: unknown): void;
  /** Why the stack cannot be resumed on that of the caller; `undefined` if it can. */
  syncRefusal(activation: Activation): SyncRefusal | undefined;
}

/** Tells `body` how the activation has ended that `start` enters. */
export function endWith(body: GuestBody, ended: Promise<unknown>): void {
  ended.then(
    (value) => body.resolve(value),
    (error: unknown) => body.reject(error),
  );
}

export class GuestBody implements GuestFiber, Waiter {
  readonly activation: Activation;
  /** The exported function. */
  readonly name: string;
  /** Makes its arguments of the first input. */
  readonly toArguments: (input: unknown) => readonly unknown[];
  readonly options: CallOptions;
  readonly #runner: BodyRunner;
  #isReset = false;
  /** What the pending resume is told. */
  #step: Resumption | undefined;
  /** Where the pending `suspend()` gets its result from, and the activation that waits for it: the body's, or one inside it. */
  #input: Waiter | undefined;
  #holder: Activation | undefined;
  /** How the body has ended if nobody was waiting for it: told to whoever resumes it next. */
  #outcome: Outcome | undefined;
  #hasEnded = false;
  /** The error that it ended with, if that is not the one it was ended with. */
  #failure: { readonly error: unknown } | undefined;
  /** Whoever waits for its end. */
  #ended: Deferred<void> | undefined;

  readonly signal: AbortSignal | undefined;
  #stopListening: (() => void) | undefined;

  constructor(runner: BodyRunner, { name, toArguments, options }: Pick<GuestBody, "name" | "toArguments" | "options">) {
    this.#runner = runner;
    this.activation = new Activation(options);
    this.name = name;
    this.toArguments = toArguments;
    this.options = options;
    this.signal = cancellationSignal(this.activation, options);
    keepContexts();
  }

  get syncRefusal(): SyncRefusal | undefined {
    return this.#runner.syncRefusal(this.activation);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  requireRoom(): void {
    requireNativeStack();
  }

  attach(coroutine: Coroutine): void {
    this.activation.becomeBody(coroutine, this);
    const signal = this.signal;
    if (signal === undefined) return;
    const onAbort = (): void => {
      const isAwaited = coroutine.state === "running";
      const ended = coroutine.unwind(signal.reason);
      // Whoever awaits the pending resume is told how the body ended: it must not be reported as an unhandled rejection, too.
      if (isAwaited) ended.catch(() => {});
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#stopListening = () => signal.removeEventListener("abort", onAbort);
  }

  resume(input: unknown): Promise<Step> {
    const step = defer<Step>();
    this.#step = step;
    this.#resume(input);
    return step.promise;
  }

  throw(error: unknown): Promise<Step> {
    const step = defer<Step>();
    this.#step = step;
    this.#resumeThrowing(error);
    return step.promise;
  }

  resumeSync(input: unknown): Step {
    const step = new SyncStep();
    const holder = this.#beginSync(step);
    try {
      this.#resume(input);
    } finally {
      this.#endSync(holder);
    }
    return step.isSettled ? step.take() : this.#refuseToWait();
  }

  throwSync(error: unknown): Step {
    const step = new SyncStep();
    const holder = this.#beginSync(step);
    try {
      this.#resumeThrowing(error);
    } finally {
      this.#endSync(holder);
    }
    return step.isSettled ? step.take() : this.#refuseToWait();
  }

  /** Who goes on: an activation inside the body, if that one has suspended it. */
  #beginSync(step: Resumption): Activation {
    const activation = this.activation;
    const holder = this.#holder ?? activation;
    this.#step = step;
    activation.isResumedSynchronously = true;
    holder.isResumedSynchronously = true;
    return holder;
  }

  #endSync(holder: Activation): void {
    this.activation.isResumedSynchronously = false;
    holder.isResumedSynchronously = false;
  }

  #refuseToWait(): never {
    this.#step = undefined;
    const refusal = new SuspendError(
      "sync-call",
      "Cannot resume synchronously: the body has to wait, for a stack or for an inner coroutine; use resumeAsync()",
    );
    this.activation.cancel(refusal);
    throw refusal;
  }

  #resume(value: unknown): void {
    if (this.#outcome !== undefined) {
      this.#settle(this.#outcome);
      return;
    }
    const input = this.#input;
    const holder = this.#holder;
    const activation = this.activation;
    if (input === undefined || holder === undefined) {
      this.#runner.startBody(this, value);
      return;
    }
    this.#input = undefined;
    this.#holder = undefined;
    // On the stack of the resumer, nothing outside the body can be suspended from within it.
    activation.noteResumer(activation.isResumedSynchronously ? "nobody" : currentResumer());
    // Nobody takes it if the holder has ended meanwhile: the body goes on with what it has awaited of that.
    if (holder.takesInput(input)) input.resolve(value);
    activation.release();
  }

  #resumeThrowing(error: unknown): void {
    if (this.#outcome !== undefined) {
      this.#settle(this.#outcome);
      return;
    }
    const input = this.#input;
    const holder = this.#holder;
    const activation = this.activation;
    this.#input = undefined;
    this.#holder = undefined;
    activation.noteResumer(activation.isResumedSynchronously ? "nobody" : currentResumer());
    activation.release();
    if (input !== undefined && holder?.takesInput(input) === true) input.reject(error);
    else activation.interrupt(error);
  }

  unwind(reason?: unknown): Promise<void> {
    return this.#endWith(new ForcedUnwind(undefined, reason === undefined ? undefined : { cause: reason }));
  }

  reset(): Promise<void> {
    this.#isReset = true;
    return this.#endWith(uncatchableTrap());
  }

  #endWith(error: unknown): Promise<void> {
    const input = this.#input;
    const holder = this.#holder;
    this.#input = undefined;
    this.#holder = undefined;
    this.#stopListening?.();
    this.activation.cancel(error);
    // The input may be awaited by an inner coroutine, on top of this one: that one is unwound with it.
    if (input !== undefined && holder?.takesInput(input) === true) input.reject(error);
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    if (this.#hasEnded) return Promise.resolve();
    return (this.#ended ??= defer()).promise;
  }

  take(value: unknown, holder: Activation, input: Waiter): void {
    const step = this.#step;
    if (step === undefined) {
      throw new SuspendError("no-coroutine", "Cannot suspend coroutine: it is suspended already, expected running");
    }
    this.#input = input;
    this.#holder = holder;
    this.#step = undefined;
    step.resolve({ done: false, value });
  }

  /** It has returned `value`. */
  resolve(value: unknown): void {
    this.#end();
    if (this.activation.isCancelled) this.#settle({ error: this.#endReason() });
    else this.#settle({ step: { done: true, value } });
  }

  /** It has thrown `error`. */
  reject(error: unknown): void {
    const isExpected = this.activation.isEnding(error);
    if (!isExpected) this.#failure = { error };
    this.#end();
    this.#settle({ error: isExpected ? this.#endReason() : error });
  }

  #settle(outcome: Outcome): void {
    const pending = this.#step;
    this.#step = undefined;
    if (pending === undefined) this.#outcome = outcome;
    else if ("step" in outcome) pending.resolve(outcome.step);
    else pending.reject(outcome.error);
  }

  #end(): void {
    this.#hasEnded = true;
    this.#stopListening?.();
    this.activation.end();
    if (this.#failure === undefined) this.#ended?.resolve();
    else this.#ended?.reject(this.#failure.error);
  }

  /** What a pending resume is told about a body that was ended from outside. */
  #endReason(): unknown {
    if (this.#isReset) return new ForcedUnwind("The coroutine was reset");
    return this.signal?.aborted === true ? this.signal.reason : this.activation.cancellation;
  }
}

/** What a resume came to on the stack of the caller. */
class SyncStep implements Resumption {
  isSettled = false;
  #step: Step | undefined;
  #error: unknown;

  resolve(step: Step): void {
    this.isSettled = true;
    this.#step = step;
  }

  reject(error: unknown): void {
    this.isSettled = true;
    this.#error = error;
  }

  take(): Step {
    if (this.#step === undefined) throw this.#error;
    return this.#step;
  }
}
