/** Something that is made once. */

import { Mutex } from "./mutex.ts";
import type { LockOptions } from "./mutex.ts";
import { ready } from "./scheduler.ts";
import { requireAllowed } from "./wait.ts";
import type { WaitOptions } from "./wait.ts";

/** A value that the first who wants it makes, while the others wait. If that fails, the next one tries. */
export class Once<Value> {
  readonly #mutex: Mutex;
  #made: { readonly value: Value } | undefined;

  constructor({ name }: LockOptions = {}) {
    this.#mutex = new Mutex({ name: name ?? "of once" });
  }

  get done(): boolean {
    return this.#made !== undefined;
  }

  /** The value, if it has been made. */
  get value(): Value | undefined {
    return this.#made?.value;
  }

  /**
   * The value; `make` is only called if there is none yet. `make` itself must not ask for it: it would wait for its own end.
   *
   * Rejects with what `make` throws, then the next one tries, and like any operation when its signal has aborted or its task is cancelled.
   */
  async get(make: () => Value | PromiseLike<Value>, options?: WaitOptions): Promise<Value> {
    requireAllowed(options);
    if (this.#made !== undefined) return ready(this.#made.value);
    return this.#mutex.with(async () => (this.#made ??= { value: await make() }).value, options);
  }
}
