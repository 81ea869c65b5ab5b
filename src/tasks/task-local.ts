/** Values that belong to one task. */

import { currentContext } from "./participant.ts";

/** Stands for all code that runs outside any task. */
const outside = {};

/**
 * A variable with one value for each task, also after an `await` where the platform has an asynchronous context. Code outside any task
 * shares one value; the body of a `scope()` is a task of its own.
 */
export class TaskLocal<Value> {
  readonly #initial: () => Value;
  readonly #values = new WeakMap<object, { value: Value }>();

  /** `initial` makes the value of a task that has set none. */
  constructor(initial: () => Value) {
    this.#initial = initial;
  }

  get(): Value {
    return this.#slot().value;
  }

  set(value: Value): void {
    this.#slot().value = value;
  }

  #slot(): { value: Value } {
    const key = currentContext()?.participant ?? outside;
    let slot = this.#values.get(key);
    if (slot === undefined) this.#values.set(key, (slot = { value: this.#initial() }));
    return slot;
  }
}
