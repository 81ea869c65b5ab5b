/** How a thread has ended, for whoever waits for it. */

/** A thread has ended, or cannot answer, while somebody waited for it. */
export class ThreadError extends Error {
  override readonly name = "ThreadError";
  /**
   * - `"exited"`: it has ended by itself, for instance with `process.exit()`
   * - `"failed"`: it has thrown an error that nobody caught; `cause` is that error, where it is known
   * - `"out-of-memory"`: it has used more memory than it may
   * - `"closed"`, `"terminated"`: its owner has ended it
   * - `"unresponsive"`: it was to be interrupted and did not react, so it was ended
   * - `"lost"`: it is gone, and nobody knows why
   * - `"would-deadlock"`: it lives, but is blocked in a call of the very thread that would have had to wait for it
   */
  readonly reason: ThreadErrorReason;
  readonly exitCode: number | undefined;

  constructor(
    reason: ThreadErrorReason,
    message: string,
    options: ErrorOptions & { readonly exitCode?: number | undefined } = {},
  ) {
    super(message, options);
    this.reason = reason;
    this.exitCode = options.exitCode;
  }

  /** The same, for whoever has called a function of the thread. */
  inCall(name: string): ThreadError {
    const { exitCode } = this;
    const cause: ErrorOptions = "cause" in this ? { cause: this.cause } : {};
    return new ThreadError(this.reason, `Cannot call ${name}: ${this.message}`, { ...cause, exitCode });
  }
}

export type ThreadErrorReason =
  | "exited"
  | "failed"
  | "out-of-memory"
  | "closed"
  | "terminated"
  | "unresponsive"
  | "lost"
  | "would-deadlock";
