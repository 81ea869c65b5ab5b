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
  /** What the pending resume is told. */
  #step: Deferred<Step> | undefined;
  /** Where the pending `suspend()` gets its result from. */
  #input: PendingInput | undefined;
  /** Settles when the body has ended, with its error if that is not the one it was ended with. */
  readonly #ended: Deferred<void> = defer();

  constructor(activation: Activation, start: (input: unknown) => Promise<unknown>) {
    this.#activation = activation;
    this.#start = start;
    // Most coroutines are never unwound, and nobody waits for this promise then.
    this.#ended.promise.catch(() => {});
  }

  attach(coroutine: Coroutine): void {
    this.#activation.becomeBody(coroutine, (value) => this.#yield(value));
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
    return this.#endWith(uncatchableTrap());
  }

  #endWith(error: unknown): Promise<void> {
    // The input may be awaited by an inner coroutine, on top of this one: that one is unwound with it.
    const pending = this.#input;
    this.#input = undefined;
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
    this.#activation.end();
    this.#ended.resolve();
    if (this.#activation.isCancelled) this.#step?.reject(this.#activation.cancellation);
    else this.#step?.resolve({ done: true, value });
  }

  #throw(error: unknown): void {
    this.#activation.end();
    const isExpected = this.#activation.isEnding(error);
    if (isExpected) this.#ended.resolve();
    else this.#ended.reject(error);
    this.#step?.reject(isExpected ? this.#activation.cancellation : error);
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
