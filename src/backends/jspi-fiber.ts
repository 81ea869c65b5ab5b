/** A coroutine's body on a stack of the engine's. */

import type { Coroutine } from "../coroutine/coroutine.ts";
import { ForcedUnwind } from "../coroutine/errors.ts";
import type { Activation, PendingInput } from "../link/activation.ts";
import type { GuestFiber } from "../link/linked-guest.ts";
import { uncatchableTrap } from "../link/uncatchable-trap.ts";

type Step = IteratorResult<unknown, unknown>;

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
  /** Where the pending `suspend()` gets its result from. */
  #input: PendingInput | undefined;
  /** Settles when the body has ended, with its error if that is not the one it was ended with. */
  readonly #ended: Deferred<void> = defer();

  readonly signal: AbortSignal | undefined;
  #stopListening: () => void = () => {};

  /** `start` enters the body; aborting `signal` unwinds it. */
  constructor(activation: Activation, start: (input: unknown) => Promise<unknown>, signal: AbortSignal | undefined) {
    this.#activation = activation;
    this.#start = start;
    this.signal = signal;
    // Most coroutines are never unwound, and nobody waits for this promise then.
    this.#ended.promise.catch(() => {});
  }

  attach(coroutine: Coroutine): void {
    this.#activation.becomeBody(coroutine, (value) => this.#yield(value));
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
    this.#step = defer();
    const { promise } = this.#step;
    const pending = this.#input;
    this.#input = undefined;
    if (pending !== undefined) pending.resolve(input);
    else
      this.#start(input).then(
        (value) => this.#return(value),
        (error: unknown) => this.#throw(error),
      );
    return promise;
  }

  resumeSync(): never {
    throw new TypeError(`Cannot resume synchronously: ${this.syncRefusal.reason}`);
  }

  throw(error: unknown): Promise<Step> {
    this.#step = defer();
    const { promise } = this.#step;
    const pending = this.#input;
    this.#input = undefined;
    pending?.reject(error);
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
    const pending = this.#input;
    this.#input = undefined;
    this.#stopListening();
    this.#activation.cancel(error);
    pending?.reject(error);
    return this.#ended.promise;
  }

  #yield(value: unknown): PendingInput {
    const input = defer<unknown>();
    this.#input = input;
    const step = this.#step;
    this.#step = undefined;
    step?.resolve({ done: false, value });
    return input;
  }

  #return(value: unknown): void {
    this.#end();
    this.#ended.resolve();
    if (this.#activation.isCancelled) this.#step?.reject(this.#endReason());
    else this.#step?.resolve({ done: true, value });
  }

  #throw(error: unknown): void {
    const isExpected = this.#activation.isEnding(error);
    this.#end();
    if (isExpected) this.#ended.resolve();
    else this.#ended.reject(error);
    this.#step?.reject(isExpected ? this.#endReason() : error);
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
