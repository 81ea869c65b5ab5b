/** What a program waits for, fetched once for all who wait. */

/** Where values come from, one after the other. */
export interface Source<Value> {
  /** A promise only if there is none yet. Not called again before it has answered. `undefined` from a promise: there was none after all. */
  next(hint: number): Value | Promise<Value>;
  keepAlive?(isWaitedFor: boolean): unknown;
}

/**
 * The next value of a source, looked for before somebody takes it: `poll_oneoff` has to know whether there is one.
 *
 * The source is asked once, however many wait and however often they give up: what it answers then stays here until somebody takes it.
 */
export class Ahead<Value> {
  readonly #source: Source<Value>;
  #state: "empty" | "fetching" | "full" | "failed" = "empty";
  /** The value, or why there is none. */
  #answer: unknown;
  /** What was put back, and comes before what the source gives. */
  #returned: { readonly value: Value } | undefined;
  #isClosed = false;
  #isEnded = false;
  /** What becomes of a value that comes too late. */
  #drop: ((value: Value) => void) | undefined;
  readonly #watchers = new Set<() => void>();

  constructor(source: Source<Value>) {
    this.#source = source;
  }

  /** Whether there is something to take, an error included. Asks the source if it has not been asked yet; `hint` is for it. */
  look(hint: number): boolean {
    if (this.#returned !== undefined) return true;
    if (this.#state === "empty") this.#fetch(hint);
    return this.#state !== "fetching";
  }

  /** Whether the source has not been asked for the next value yet. */
  get isEmpty(): boolean {
    return this.#state === "empty" && this.#returned === undefined;
  }

  /** The value, if there is one already. */
  get value(): Value | undefined {
    if (this.#returned !== undefined) return this.#returned.value;
    return this.#state === "full" ? (this.#answer as Value) : undefined;
  }

  /**
   * The value, which is gone then. Only after {@link Ahead.look} has said that there is something.
   *
   * @throws whatever the source has failed with; it is asked again next time
   */
  take(): Value {
    const returned = this.#returned;
    this.#returned = undefined;
    if (returned !== undefined) return returned.value;
    const { answer, isFailure } = { answer: this.#answer, isFailure: this.#state === "failed" };
    this.#state = "empty";
    this.#answer = undefined;
    if (isFailure) throw answer;
    // In state "full" it is what the source has given.
    return answer as Value;
  }

  /** Makes `value` the next one, also while the source is asked for another. */
  putBack(value: Value): void {
    this.#returned = { value };
  }

  /** {@link Ahead.putBack}, when those who wait do not know yet that there is something. */
  giveBack(value: Value): void {
    this.putBack(value);
    this.#wakeAll();
  }

  /** Makes `error` what is taken next. */
  putBackFailure(error: unknown): void {
    this.#state = "failed";
    this.#answer = error;
  }

  /** Calls `wake` each time that {@link Ahead.look} may answer otherwise. @returns what ends that */
  watch(wake: () => void): () => void {
    const watchers = this.#watchers;
    if (watchers.size === 0 && !this.#isClosed) this.#source.keepAlive?.(true);
    watchers.add(wake);
    return () => {
      if (watchers.delete(wake) && watchers.size === 0 && !this.#isClosed) this.#source.keepAlive?.(false);
    };
  }

  /** Makes `last` all that there will ever be. */
  end(last: Value): void {
    this.#isEnded = true;
    this.giveBack(last);
  }

  /** Wakes all who wait: there is nothing to wait for any more. What still comes is dropped by `drop`. */
  close(drop?: (value: Value) => void): void {
    if (this.#isClosed) return;
    if (this.#watchers.size > 0) this.#source.keepAlive?.(false);
    this.#isClosed = true;
    if (this.#state === "full") drop?.(this.#answer as Value);
    if (this.#returned !== undefined) drop?.(this.#returned.value);
    this.#returned = undefined;
    if (this.#state === "fetching") this.#drop = drop;
    else this.#state = "empty";
    this.#wakeAll();
  }

  #fetch(hint: number): void {
    let answer: Value | Promise<Value>;
    try {
      answer = this.#source.next(hint);
    } catch (error) {
      this.#settle("failed", error);
      return;
    }
    if (answer instanceof Promise || typeof (answer as { then?: unknown } | null)?.then === "function") {
      this.#state = "fetching";
      (answer as Promise<Value>).then(
        (value) => this.#settle("full", value),
        (error: unknown) => this.#settle("failed", error),
      );
    } else {
      this.#settle("full", answer);
    }
  }

  #settle(state: "full" | "failed", answer: unknown): void {
    if (this.#isEnded) return;
    if (this.#isClosed) {
      if (state === "full") this.#drop?.(answer as Value);
      return;
    }
    const wasFetching = this.#state === "fetching";
    this.#state = state === "full" && answer === undefined ? "empty" : state;
    this.#answer = answer;
    if (wasFetching) this.#wakeAll();
  }

  #wakeAll(): void {
    for (const wake of this.#watchers) wake();
  }
}
