/** A coroutine's body on a stack of the engine's. */

import type { Coroutine } from "../coroutine/coroutine.ts";
import { ForcedUnwind, SuspendError } from "../coroutine/errors.ts";
import { currentResumer, keepContexts } from "../link/activation-context.ts";
import type { Activation, PendingInput } from "../link/activation.ts";
import type { GuestFiber } from "../link/linked-guest.ts";
import { uncatchableTrap } from "../link/uncatchable-trap.ts";

type Step = IteratorResult<unknown, unknown>;
/** How a body has ended. */
type Outcome = { readonly step: Step } | { readonly error: unknown };

interface Deferred<Value> {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
  readonly reject: (reason: unknown) => void;
}

export class JspiFiber implements GuestFiber {
  readonly syncRefusal = {
    backend: "jspi",
    reason: "the engine resumes its stacks from the microtask queue, never synchronously; backend transform can",
  };
  readonly #activation: Activation;
  readonly #start: (input: unknown) => Promise<unknown>;
  #isReset = false;
  /** What the pending resume is told. */
  #step: Deferred<Step> | undefined;
  /** Where the pending `suspend()` gets its result from, and the activation that waits for it: the body's, or one inside it. */
  #suspension: { readonly input: PendingInput; readonly holder: Activation } | undefined;
  /** How the body has ended if nobody was waiting for it: told to whoever resumes it next. */
  #outcome: Outcome | undefined;
  /** Settles when the body has ended, with its error if that is not the one it was ended with. */
  readonly #ended: Deferred<void> = defer();

  readonly signal: AbortSignal | undefined;
  #stopListening: () => void = () => {};

  /** `start` enters the body; aborting `signal` unwinds it. */
  constructor(activation: Activation, start: (input: unknown) => Promise<unknown>, signal: AbortSignal | undefined) {
    this.#activation = activation;
    this.#start = start;
    this.signal = signal;
    keepContexts();
    // Most coroutines are never unwound, and nobody waits for this promise then.
    this.#ended.promise.catch(() => {});
  }

  attach(coroutine: Coroutine): void {
    this.#activation.becomeBody(coroutine, (value, holder) => this.#yield(value, holder));
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
    const { promise } = (this.#step = defer());
    if (this.#outcome !== undefined) {
      this.#settle(this.#outcome);
      return promise;
    }
    const suspension = this.#takeSuspension();
    if (suspension === undefined) {
      this.#start(input).then(
        (value) => this.#return(value),
        (error: unknown) => this.#throw(error),
      );
      return promise;
    }
    this.#activation.noteResumer(currentResumer());
    // Nobody takes it if the holder has ended meanwhile: the body goes on with what it has awaited of that.
    suspension.input.resolve(input);
    this.#activation.release();
    return promise;
  }

  resumeSync(): never {
    throw new TypeError(`Cannot resume synchronously: ${this.syncRefusal.reason}`);
  }

  throw(error: unknown): Promise<Step> {
    const { promise } = (this.#step = defer());
    if (this.#outcome !== undefined) {
      this.#settle(this.#outcome);
      return promise;
    }
    const suspension = this.#takeSuspension();
    this.#activation.noteResumer(currentResumer());
    this.#activation.release();
    if (suspension?.holder.awaits(suspension.input) === true) suspension.input.reject(error);
    else this.#activation.interrupt(error);
    return promise;
  }

  unwind(reason?: unknown): Promise<void> {
    return this.#endWith(new ForcedUnwind(undefined, reason === undefined ? undefined : { cause: reason }));
  }

  reset(): Promise<void> {
    this.#isReset = true;
    return this.#endWith(uncatchableTrap());
  }

  #endWith(error: unknown): Promise<void> {
    // The input may be awaited by an inner coroutine, on top of this one: that one is unwound with it.
    const suspension = this.#takeSuspension();
    this.#stopListening();
    this.#activation.cancel(error);
    suspension?.input.reject(error);
    return this.#ended.promise;
  }

  #takeSuspension(): { readonly input: PendingInput; readonly holder: Activation } | undefined {
    const suspension = this.#suspension;
    this.#suspension = undefined;
    return suspension;
  }

  #yield(value: unknown, holder: Activation): PendingInput {
    const step = this.#step;
    if (step === undefined) {
      throw new SuspendError("no-coroutine", "Cannot suspend coroutine: it is suspended already, expected running");
    }
    const input = defer<unknown>();
    this.#suspension = { input, holder };
    this.#step = undefined;
    step.resolve({ done: false, value });
    return input;
  }

  #return(value: unknown): void {
    this.#end();
    this.#ended.resolve();
    if (this.#activation.isCancelled) this.#settle({ error: this.#endReason() });
    else this.#settle({ step: { done: true, value } });
  }

  #throw(error: unknown): void {
    const isExpected = this.#activation.isEnding(error);
    this.#end();
    if (isExpected) this.#ended.resolve();
    else this.#ended.reject(error);
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
    this.#stopListening();
    this.#activation.end();
  }

  /** What a pending resume is told about a body that was ended from outside. */
  #endReason(): unknown {
    if (this.#isReset) return new ForcedUnwind("The coroutine was reset");
    return this.signal?.aborted === true ? this.signal.reason : this.#activation.cancellation;
  }
}

function defer<Value>(): Deferred<Value> {
  let resolve!: Deferred<Value>["resolve"];
  let reject!: Deferred<Value>["reject"];
  const promise = new Promise<Value>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
