/** A body with its own stack that can be resumed, with values both ways. */

import { linkBacktrace, takeBacktrace } from "./backtrace.ts";
import { BackendUnavailableError, ResumeError } from "./errors.ts";
import type { Fiber } from "./fiber.ts";

/**
 * ```text
 * created ──resume──▶ running ──suspend──▶ suspended ──resume──▶ running …
 *    │                   ├── returns ─▶ returned
 *    │                   └── throws ──▶ threw
 *    └──────────── unwind, reset ─────▶ unwound, reset     (from every state that is not final)
 * ```
 */
export type CoroutineState = "created" | "running" | "suspended" | "returned" | "threw" | "unwound" | "reset";

let privateFiberOf: (coroutine: Coroutine) => Fiber<unknown, unknown, unknown>;

/** For what runs the bodies of coroutines: the fiber that a coroutine was made with. */
export function fiberOf(coroutine: Coroutine): Fiber<unknown, unknown, unknown> {
  return privateFiberOf(coroutine);
}

/**
 * A coroutine: `resumeAsync()` runs its body until it suspends, returns or throws.
 *
 * - Nothing runs before the first resume. Its input is the argument of the body; a later one is the result of the
 *   pending `suspend()`.
 * - An error of the body reaches whoever resumed it, with its identity; the coroutine is then finished.
 * - A suspended coroutine holds a stack that is never collected: run it to its end, or `unwind()` it (`await using` does).
 * - To JavaScript it is an async generator, and a generator where the backend can resume synchronously.
 *
 * ```ts
 * const coroutine = instance.coroutine<number, number, void>("generate");
 * for await (const value of coroutine) console.log(value);
 * ```
 */
export class Coroutine<Input = unknown, Yield = unknown, Return = unknown> {
  readonly #fiber: Fiber<Input, Yield, Return>;
  /** `undefined`: it takes no backtraces. */
  #resumer: string | undefined;

  static {
    privateFiberOf = (coroutine) => coroutine.#fiber;
  }

  /** `ending`: to others it is running until its end is reached. */
  #state: CoroutineState | "ending" = "created";
  #ending: Promise<void> | undefined;

  /** Made by a guest's `instance.coroutine()`, not by users. */
  constructor(fiber: Fiber<Input, Yield, Return>, options: { readonly backtraces?: boolean | undefined } = {}) {
    this.#fiber = fiber;
    this.#resumer = options.backtraces === true ? "" : undefined;
  }

  get state(): CoroutineState {
    return this.#state === "ending" ? "running" : this.#state;
  }

  /** Whether it was ever resumed, or is done. */
  get started(): boolean {
    return this.#state !== "created";
  }

  /** Whether it has ended, in whichever way. */
  get done(): boolean {
    const { state } = this;
    return !(state === "created" || state === "running" || state === "suspended");
  }

  /**
   * The stack that resumed it last, one frame a line; empty unless it was made with `backtraces`. Errors that leave it have
   * this at the end of their `coroutineStack`.
   */
  get backtrace(): string {
    return this.#resumer ?? "";
  }

  /**
   * Resumes it and waits until it suspends (`done: false`) or returns (`done: true`). Host promises are awaited on the way.
   *
   * @throws {ResumeError} when it is running or done
   * @throws the reason of its signal, if that has ended it
   */
  resumeAsync(input: Input): Promise<IteratorResult<Yield, Return>> {
    if (this.#resumer !== undefined) this.#resumer = takeBacktrace();
    return this.#step("resume", () => this.#fiber.resume(input));
  }

  /**
   * Resumes it on the stack of the caller, without a promise.
   *
   * @throws {BackendUnavailableError} when its backend cannot do that
   * @throws {SuspendError} when the body awaits a host promise
   * @throws {ResumeError} when it is running or done
   */
  resume(input: Input): IteratorResult<Yield, Return> {
    this.#enterSync("resume");
    try {
      return this.#settled(this.#fiber.resumeSync(input));
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /**
   * Resumes it on the stack of the caller by throwing `error` from the pending `suspend()`; one that never started ends at once.
   *
   * @throws what {@link Coroutine.resume} throws, and `error` if the body does not catch it
   */
  throw(error: unknown): IteratorResult<Yield, Return> {
    const isFresh = this.#state === "created";
    this.#enterSync("throw into");
    try {
      if (isFresh) this.#endBefore(error);
      return this.#settled(this.#fiber.throwSync(error));
    } catch (failure) {
      throw this.#failed(failure);
    }
  }

  /** Resumes it by throwing `error` from the pending `suspend()`; one that never started ends at once. */
  throwAsync(error: unknown): Promise<IteratorResult<Yield, Return>> {
    if (this.#resumer !== undefined) this.#resumer = takeBacktrace();
    const isFresh = this.#state === "created";
    return this.#step("throw into", () => {
      // Thrown here, before the body has begun, it takes the same way as from the fiber.
      if (isFresh) this.#endBefore(error);
      return this.#fiber.throw(error);
    });
  }

  /**
   * Ends the body and runs its cleanups: a {@link ForcedUnwind} is thrown at its suspension point, again until it has
   * ended. Does nothing when it is done; one that never started ends without running.
   *
   * @throws an error of the body that is not the forced unwind
   */
  unwind(reason?: unknown): Promise<void> {
    if (this.done) return Promise.resolve();
    if (this.#ending !== undefined) return this.#ending;
    if (this.#state === "created") return this.#endFresh("unwound");
    return this.#end("unwound", () => this.#fiber.unwind(reason));
  }

  /** Ends the body without running its cleanups, as `longjmp` would. Does nothing when it is done. */
  reset(): Promise<void> {
    if (this.done) return Promise.resolve();
    if (this.#state === "created") return this.#endFresh("reset");
    return this.#end("reset", () => this.#fiber.reset());
  }

  /** Starts to unwind it. Never throws; an error of a cleanup is reported as an unhandled rejection. */
  [Symbol.dispose](): void {
    void this.unwind();
  }

  /** Unwinds it and waits until its stack is free. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.unwind();
  }

  /** Resumes with `undefined` at first, then with what is passed to `next()`. Leaving the loop early unwinds it. */
  [Symbol.asyncIterator](): AsyncGenerator<Yield, Return, Input | undefined> {
    return new CoroutineAsyncIterator(this, this.#fiber.signal);
  }

  /** Like the async iterator, on the stack of the caller; only on a backend that can resume synchronously. */
  *[Symbol.iterator](): Generator<Yield, Return, Input | undefined> {
    // The first next() of a generator cannot carry a value: the first input is undefined, as for the async iterator.
    let step = (): IteratorResult<Yield, Return> => this.resume(undefined as Input);
    try {
      for (;;) {
        const result = step();
        if (result.done === true) return result.value;
        try {
          const input = (yield result.value) as Input;
          step = () => this.resume(input);
        } catch (error) {
          // Given to throw() of the generator: the guest may catch it.
          step = () => this.throw(error);
        }
      }
    } finally {
      // Left at a yield; one that could not be resumed is left alone.
      if (this.#state === "suspended") void this.unwind();
    }
  }

  /** Whether its signal has ended it: whoever resumes it then is told the signal's reason. */
  get #isAborted(): boolean {
    return this.#fiber.signal?.aborted === true && (this.#state === "ending" || this.#state === "unwound");
  }

  #enterSync(verb: string): void {
    const { syncRefusal } = this.#fiber;
    if (syncRefusal !== undefined) throw new BackendUnavailableError(`Cannot ${verb} synchronously`, [syncRefusal]);
    this.#enter(verb);
    if (this.#resumer !== undefined) this.#resumer = takeBacktrace();
  }

  #enter(verb: string): void {
    if (this.#isAborted) throw this.#fiber.signal?.reason;
    if (this.#state !== "created" && this.#state !== "suspended") {
      const state = this.#state === "ending" ? "being unwound" : this.#state;
      throw new ResumeError(this.state, `Cannot ${verb} coroutine: it is ${state}, expected created or suspended`);
    }
    this.#fiber.requireRoom();
    this.#state = "running";
  }

  /** Not an async function: each would add a microtask and 60 ns to every resume. */
  #step(verb: string, run: () => Promise<IteratorResult<Yield, Return>>): Promise<IteratorResult<Yield, Return>> {
    try {
      this.#enter(verb);
    } catch (error) {
      return Promise.reject(error);
    }
    try {
      return run().then(
        (step) => this.#settled(step),
        (error: unknown) => {
          throw this.#failed(error);
        },
      );
    } catch (error) {
      return Promise.reject(this.#failed(error));
    }
  }

  #failed(error: unknown): unknown {
    if (this.#state === "running") this.#state = "threw";
    if (this.#resumer !== undefined) linkBacktrace(error, this.#resumer);
    return error;
  }

  #settled(step: IteratorResult<Yield, Return>): IteratorResult<Yield, Return> {
    if (this.#state === "running") this.#state = step.done === true ? "returned" : "suspended";
    return step;
  }

  /** For one that never started: its body never will, and lets go of what it holds. */
  #endBefore(error: unknown): never {
    void this.#fiber.reset();
    throw error;
  }

  /** One that never started has nothing to wait for. */
  #endFresh(state: "unwound" | "reset"): Promise<void> {
    this.#state = state;
    void this.#fiber.reset();
    return Promise.resolve();
  }

  #end(state: "unwound" | "reset", end: () => Promise<void>): Promise<void> {
    this.#state = "ending";
    const ended = end();
    // Some stacks are free at once.
    if (this.#fiber.hasEnded) this.#state = state;
    this.#ending = ended.finally(() => {
      this.#state = state;
    });
    return this.#ending;
  }
}

/** `AsyncGenerator` over a coroutine, so that `return()` and `throw()` reach its stack. */
class CoroutineAsyncIterator<Input, Yield, Return> implements AsyncGenerator<Yield, Return, Input | undefined> {
  readonly #coroutine: Coroutine<Input, Yield, Return>;
  readonly #signal: AbortSignal | undefined;
  /** Settles when the step that was asked for last is over. */
  #last: Promise<void> | undefined;

  constructor(coroutine: Coroutine<Input, Yield, Return>, signal: AbortSignal | undefined) {
    this.#coroutine = coroutine;
    this.#signal = signal;
  }

  next(...[input]: [] | [Input | undefined]): Promise<IteratorResult<Yield, Return>> {
    return this.#inTurn(() => {
      // After the end a generator answers `done` for ever; a coroutine would throw ResumeError.
      const isAborted = this.#coroutine.state === "unwound" && this.#signal?.aborted === true;
      if (this.#coroutine.done && !isAborted) return Promise.resolve({ done: true, value: undefined as Return });
      return this.#coroutine.resumeAsync(input as Input);
    });
  }

  /** Not in turn, as it would be with a generator: what waits for a step of the coroutine is unwound with it. */
  async return(value: Return | PromiseLike<Return>): Promise<IteratorResult<Yield, Return>> {
    await this.#coroutine.unwind();
    return { done: true, value: await value };
  }

  throw(error: unknown): Promise<IteratorResult<Yield, Return>> {
    return this.#inTurn(() => {
      if (this.#coroutine.done) return Promise.reject(error);
      return this.#coroutine.throwAsync(error);
    });
  }

  /** Runs `step` when the steps that were asked for before it are over: at once if they are. */
  #inTurn(step: () => Promise<IteratorResult<Yield, Return>>): Promise<IteratorResult<Yield, Return>> {
    const result = this.#last === undefined ? step() : this.#last.then(step);
    const over = (): void => {
      if (this.#last === last) this.#last = undefined;
    };
    const last: Promise<void> = result.then(over, over);
    this.#last = last;
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#coroutine.unwind();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
