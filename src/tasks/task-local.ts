/** Values that belong to one task. */

import { currentContext } from "./participant.ts";
import { participantOfTask } from "./task.ts";
import type { Task } from "./task.ts";

/** Stands for all code that runs outside any task. */
const outside = {};

/**
 * A variable with one value for each task, also after an `await` where the platform has an asynchronous context; elsewhere say which
 * task is meant. Code outside any task shares one value; the body of a `scope()` is a task of its own.
 */
export class TaskLocal<Value> {
  readonly #initial: () => Value;
  readonly #values = new WeakMap<object, { value: Value }>();

  /** `initial` makes the value of a task that has set none. */
  constructor(initial: () => Value) {
    this.#initial = initial;
  }

  /** The value of `task`, or of the one that runs. */
  get(task?: Task): Value {
    return this.#slot(task).value;
  }

  /** Sets the value of `task`, or of the one that runs. */
  set(value: Value, task?: Task): void {
    this.#slot(task).value = value;
  }

  #slot(task: Task | undefined): { value: Value } {
    const participant = task === undefined ? currentContext()?.participant : participantOfTask(task);
    const key = participant ?? outside;
    let slot = this.#values.get(key);
    if (slot === undefined) this.#values.set(key, (slot = { value: this.#initial() }));
    return slot;
  }
}
