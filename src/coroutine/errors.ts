/** The errors that a caller may want to catch apart. Everything else is a built-in error. */

/** Code tried to suspend where its stack cannot be left. */
export class SuspendError extends Error {
  override readonly name = "SuspendError";
  /**
   * - `"no-coroutine"`: `suspend()` was called, but no coroutine is running there
   * - `"sync-call"`: the guest was entered through a synchronous call
   * - `"javascript-frame"`: JavaScript of the host stands between two guest frames
   * - `"excluded"`: the import, or a function of the guest that is on the stack, was excluded from suspending
   * - `"not-supported"`: this guest or backend cannot suspend at all
   */
  readonly reason: "no-coroutine" | "sync-call" | "javascript-frame" | "excluded" | "not-supported";

  constructor(reason: SuspendError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** A coroutine was resumed, or a stack used, in a state that does not allow it. */
export class ResumeError extends Error {
  override readonly name = "ResumeError";
  /** The state that was found. */
  readonly state: string;

  constructor(state: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.state = state;
  }
}

/**
 * Thrown into a guest to make it run its cleanups and end.
 *
 * A host function or guest that catches it should throw it on; one that does not is sent it again at its next suspension.
 */
export class ForcedUnwind extends Error {
  override readonly name = "ForcedUnwind";

  constructor(message = "The coroutine is being unwound", options?: ErrorOptions) {
    super(message, options);
  }
}

/** A guest's stack in linear memory, or the area for its saved frames, is full. */
export class StackExhaustedError extends RangeError {
  override readonly name = "StackExhaustedError";
  /** Bytes that the stack can hold. */
  readonly limit: number;
  /** Bytes that would have been needed, as far as is known. */
  readonly needed: number;

  constructor(limit: number, needed: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.limit = limit;
    this.needed = needed;
  }
}

/** A guest has run for as long as it was allowed to: `instance.fuel` is 0. */
export class FuelExhaustedError extends Error {
  override readonly name = "FuelExhaustedError";
  /** What it was given last. */
  readonly limit: number;

  constructor(limit: number, options?: ErrorOptions) {
    super(`Cannot go on: the guest has used up its fuel of ${limit}; set instance.fuel to let it run again`, options);
    this.limit = limit;
  }
}

/** No backend of this runtime can do what was asked for. */
export class BackendUnavailableError extends Error {
  override readonly name = "BackendUnavailableError";
  /** Every backend that was considered, and why it cannot be used. */
  readonly tried: readonly { readonly backend: string; readonly reason: string }[];

  constructor(message: string, tried: BackendUnavailableError["tried"]) {
    super([message, ...tried.map(({ backend, reason }) => `  ${backend}: ${reason}`)].join("\n"));
    this.tried = tried;
  }
}
