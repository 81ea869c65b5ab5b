/**
 * What keeps an activation that waits from going on although its answer has come: activations on top of it, on a stack that they
 * share, and the suspension of its coroutine by an activation inside it.
 */

/** What a gate has to know of an activation. */
export interface Passenger {
  readonly isCancelled: boolean;
  readonly cancellation: unknown;
  /** Aborts when it is cancelled. */
  readonly cancelSignal: AbortSignal;
}

export class Gate<Top extends Passenger> {
  /** The activation on top. */
  #top: Top | undefined;
  /** Settles when the last activation on top has ended. */
  #onTop: Promise<void> | undefined;
  #hold: { readonly isOver: Promise<void>; readonly end: () => void } | undefined;

  get top(): Top | undefined {
    return this.#top;
  }

  /**
   * Runs `body`, an activation on top of `below`, when the others on top of it have ended: at once if there is none. That one does
   * not continue before it has ended.
   */
  runOnTop<Result>(below: Passenger, activation: Top, body: () => Promise<Result>): Promise<Result> {
    const begin = (): Promise<Result> => {
      // The one below may be cancelled while others wait to be on top of it: they would keep it from ending.
      const cancelled = [activation, below].find(({ isCancelled }) => isCancelled);
      if (cancelled !== undefined) return Promise.reject(cancelled.cancellation);
      this.#top = activation;
      return body();
    };
    const isFirst = this.#onTop === undefined;
    const turn = this.#onTop === undefined ? begin() : this.#onTop.then(begin);
    const ended = turn.then(
      () => {},
      () => {},
    );
    this.#onTop = ended;
    void ended.then(() => {
      if (this.#onTop === ended) this.#onTop = undefined;
    });
    return isFirst ? turn : untilAborted(turn, activation);
  }

  /** Keeps it closed until {@link Gate.release}. */
  hold(): void {
    let end!: () => void;
    const isOver = new Promise<void>((onEnd) => (end = onEnd));
    this.#hold = { isOver, end };
  }

  release(): void {
    this.#hold?.end();
    this.#hold = undefined;
  }

  /** Goes on when nothing is in the way: at once, if that is now. */
  whenOpen(goOn: () => void): void {
    const closed = this.#onTop ?? this.#hold?.isOver;
    if (closed === undefined) goOn();
    else void closed.then(() => this.whenOpen(goOn));
  }
}

/** `turn`, or the cancellation of `activation` if that comes first: its call need not wait for its turn to be told. */
function untilAborted<Result>(turn: Promise<Result>, activation: Passenger): Promise<Result> {
  return new Promise((resolve, reject) => {
    activation.cancelSignal.addEventListener("abort", () => reject(activation.cancellation), { once: true });
    turn.then(resolve, reject);
  });
}
