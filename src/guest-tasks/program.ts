/** The tasks that one call of `GuestTasks.run()` has brought forth, and their common end. */

import { StackExhaustedError } from "../coroutine/errors.ts";
import type { CallOptions } from "../link/linked-guest.ts";
import { trapFor, uncatchableTrap } from "../link/uncatchable-trap.ts";
import { onCancelAround } from "../tasks/participant.ts";
import { Trap } from "../link/trap.ts";
import { Task, joinToTheEnd, onTaskEnd, unwrapResult } from "../tasks/task.ts";
import type { TaskOptions } from "../tasks/task.ts";
import { shield } from "../tasks/shield.ts";
import { requireAllowed } from "../tasks/wait.ts";
import { Errno } from "../wasi/preview1/errno.ts";
import { GuestTask } from "./guest-task.ts";
import type { TaskProgram } from "./guest-task.ts";
import type { StuckTasks } from "./stuck-tasks.ts";
import type { TaskTable } from "./task-table.ts";

export class Program implements TaskProgram {
  readonly #table: TaskTable;
  readonly stuck: StuckTasks;
  /** Those that have not ended, the main one included. */
  readonly #living = new Set<GuestTask>();
  #main: GuestTask | undefined;
  #isEnding = false;

  constructor(table: TaskTable, stuck: StuckTasks) {
    this.#table = table;
    this.stuck = stuck;
  }

  /** Runs `body` as the main task, and ends all others after it. */
  async run<Value>(body: (options: CallOptions) => Value | PromiseLike<Value>, options: TaskOptions): Promise<Value> {
    requireAllowed(options);
    const { made, task } = this.#start(body, options);
    this.#main = made;
    const forget = onCancelAround((reason) => task.cancel(reason));
    try {
      await shield(() => joinToTheEnd(task));
    } finally {
      forget();
      this.#isEnding = true;
      // Those that somebody wants to end, with all that they would do at their end, end like the main one.
      const reason = task.result?.state === "cancelled" ? task.result.reason : uncatchableTrap();
      await shield(() => this.#endAll(reason));
    }
    return unwrapResult(task.result!);
  }

  spawn(body: (options: CallOptions) => Promise<unknown>, name: string | undefined): GuestTask {
    if (this.#isEnding) throw new Errno("EAGAIN");
    const { made, task } = this.#start(body, { name });
    made.participant.isSequential = true;
    onTaskEnd(task, () => {
      if (task.result?.state === "threw") this.fail(asFailureOf(task, task.result.error));
    });
    return made;
  }

  /** One of its tasks has failed, or has called `proc_exit`: the main one ends with that, and runs no more of its code. */
  fail(error: unknown): void {
    if (!this.#isEnding) this.#main?.task.cancel(trapFor(error));
  }

  #start<Value>(
    body: (options: CallOptions) => Value | PromiseLike<Value>,
    { name, signal }: TaskOptions,
  ): { made: GuestTask; task: Task<Value> } {
    const made = this.#table.add((id) => new GuestTask(id, this));
    const task = new Task(() => body({ signal: made.options.signal, owner: made }), {
      name: name ?? `task ${made.id}`,
      signal,
    });
    made.attach(task);
    this.#table.bind(made);
    this.#living.add(made);
    this.stuck.started(made);
    onTaskEnd(task, () => this.#forget(made));
    return { made, task };
  }

  #forget(task: GuestTask): void {
    this.#living.delete(task);
    task.end();
    if (task.isDetached || task === this.#main) this.#table.delete(task);
    this.stuck.ended(task);
  }

  async #endAll(reason: unknown): Promise<void> {
    const tasks = [...this.#living];
    for (const { task } of tasks) task.cancel(reason);
    await Promise.allSettled(tasks.map(({ task }) => joinToTheEnd(task)));
    this.#table.deleteAllOf(this);
  }
}

/** What becomes of the program when one of its tasks ends with `error`: of a trap it is said which task it was, as of threads. */
function asFailureOf({ name }: Task, error: unknown): unknown {
  if (!(error instanceof Trap || error instanceof StackExhaustedError) || !Object.isExtensible(error)) return error;
  return Object.defineProperties(error, {
    task: { value: name, configurable: true, writable: true },
    message: { value: `${error.message} (in ${name})`, configurable: true, writable: true },
  });
}
