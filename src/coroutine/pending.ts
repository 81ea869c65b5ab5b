/** What a host function may answer with in place of a promise. */

/** Who waits for something, and is told once how it came. */
export interface Waiter {
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

/**
 * Something to wait for that needs no promise to tell a guest: backends that can continue a guest from a call do so, the others, and
 * `await`, take its {@link Pending.promise}.
 */
export abstract class Pending<Value> implements PromiseLike<Value> {
  /** Made when it is asked for. */
  abstract readonly promise: Promise<Value>;

  /** Tells `waiter`, and nobody else: later, never inside of this call, and not inside of somebody else's code. */
  abstract subscribe(waiter: Waiter): void;

  /** Whoever has subscribed is not to be told any more: has what was on its way to it put back. Does nothing when it was told. */
  abstract abandon(): void;

  // oxlint-disable-next-line unicorn/no-thenable -- it can be awaited
  then<Fulfilled = Value, Rejected = never>(
    onFulfilled?: ((value: Value) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.promise.then(onFulfilled, onRejected);
  }
}

/** A value that is there at once, or what brings it. */
export type Soon<Value> = Value | Pending<Value>;
