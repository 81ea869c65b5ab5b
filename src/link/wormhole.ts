/** A call that begins when somebody wants its result. */

import { ForcedUnwind } from "../coroutine/errors.ts";

/**
 * Awaitable and lazy: the guest starts at the first `then`, and its result is kept for all who ask. Disposing one that never
 * started does nothing; disposing one that waits unwinds its guest. After `async-wormhole` for Rust.
 *
 * ```ts
 * const task = instance.wormhole<number>("run");
 * const result = await task;
 * ```
 */
export class Wormhole<Result> implements PromiseLike<Result> {
  readonly #start: (signal: AbortSignal) => Promise<Result>;
  readonly #controller = new AbortController();
  #result: Promise<Result> | undefined;
  readonly #stopListening: () => void;

  /** Made by `instance.wormhole()`, not by users. */
  constructor(start: (signal: AbortSignal) => Promise<Result>, signal: AbortSignal | undefined) {
    this.#start = start;
    if (signal?.aborted === true) this.#controller.abort(signal.reason);
    const onAbort = (): void => this.#controller.abort(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true, signal: this.#controller.signal });
    this.#stopListening = () => signal?.removeEventListener("abort", onAbort);
  }

  /** Whether the guest was started. */
  get started(): boolean {
    return this.#result !== undefined;
  }

  // oxlint-disable-next-line unicorn/no-thenable -- awaiting it is what it is for
  then<Fulfilled = Result, Rejected = never>(
    onFulfilled?: ((value: Result) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    if (this.#result === undefined) {
      this.#result = this.#start(this.#controller.signal);
      this.#result.then(this.#stopListening, this.#stopListening);
    }
    return this.#result.then(onFulfilled, onRejected);
  }

  /** Unwinds the guest; whoever awaits it is rejected with `reason`. One that never started never will. */
  async cancel(reason: unknown = new ForcedUnwind("The wormhole was cancelled")): Promise<void> {
    this.#controller.abort(reason);
    await this.#result?.catch((error: unknown) => {
      if (error !== reason) throw error;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cancel();
  }
}
