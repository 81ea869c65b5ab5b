/**
 * The contract between {@link Coroutine} and a backend.
 *
 * A backend makes a fiber, resumes it, lets its body suspend, and unwinds it. `test/conformance` holds every backend to
 * the rules below.
 */

/** Why a fiber cannot be resumed on the stack of the caller. */
export interface SyncRefusal {
  readonly backend: string;
  readonly reason: string;
}

/** One guest stack that can be left and entered again. Owned by exactly one coroutine, which checks every call's legality. */
export interface Fiber<Input, Yield, Return> {
  /** Aborting it unwinds the body. */
  readonly signal: AbortSignal | undefined;

  /** Why {@link Fiber.resumeSync} cannot be used, or `undefined` if it can. */
  readonly syncRefusal: SyncRefusal | undefined;

  /** Whether the body has ended; its end may be known to the coroutine later. */
  readonly hasEnded: boolean;

  /**
   * Called before it is entered: throws when that would fail half-way. The coroutine stays what it was.
   *
   * @throws {RangeError} when the caller has used up the native stack
   */
  requireRoom(): void;

  /**
   * Enters the stack: the first call starts the body with `input`, a later one makes `input` the result of the pending
   * `suspend()`. Settles when the body suspends, returns or throws; host promises are awaited on the way.
   *
   * - Called only while the fiber is not running and not finished.
   * - An error of the body arrives with its identity.
   */
  resume(input: Input): Promise<IteratorResult<Yield, Return>>;

  /** Like {@link Fiber.resume}, on the caller's stack; throws {@link SuspendError} when the body awaits a host promise. */
  resumeSync(input: Input): IteratorResult<Yield, Return>;

  /** Like {@link Fiber.resume}, but the pending `suspend()` throws `error` into the guest. Only for a suspended fiber. */
  throw(error: unknown): Promise<IteratorResult<Yield, Return>>;

  /** Both: {@link Fiber.throw} as {@link Fiber.resumeSync}. */
  throwSync(error: unknown): IteratorResult<Yield, Return>;

  /**
   * Throws a {@link ForcedUnwind} at the suspension point, again at every further one, until the body has ended; a body
   * that never stops is ended by a trap that it cannot catch. Settles when the stack is free.
   *
   * - Also while the body awaits a host promise; its pending `resume()` then rejects with the same {@link ForcedUnwind}.
   * - Rejects with an error of the body that is not the {@link ForcedUnwind}. A value that the body returns is dropped.
   */
  unwind(reason?: unknown): Promise<void>;

  /**
   * Ends the body without running any cleanup of the guest. Settles when the stack is free.
   *
   * - Also for a fiber that was never resumed, which never will be: it lets go of what it holds. Need not settle then.
   */
  reset(): Promise<void>;
}
