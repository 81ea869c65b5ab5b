/** Tasks, channels and locks for guests. */

import { currentActivation } from "../link/activation.ts";
import type { Caller } from "../link/caller.ts";
import { wrapAsyncWithCaller } from "../link/host-function.ts";
import type { CallOptions } from "../link/linked-guest.ts";
import { Channel } from "../tasks/channel.ts";
import { currentContext } from "../tasks/participant.ts";
import { GuestMemory } from "../wasi/preview1/guest-memory.ts";
import { CHANNEL_CALLS } from "./channel-calls.ts";
import { GuestCall } from "./guest-call.ts";
import { GuestTask } from "./guest-task.ts";
import { HostMemory } from "./host-memory.ts";
import { LOCK_CALLS } from "./lock-calls.ts";
import { MUTEX_CALLS } from "./mutex-calls.ts";
import { Objects } from "./objects.ts";
import { Program } from "./program.ts";
import { SELECT_CALLS } from "./select-call.ts";
import { statusOrThrow } from "./status.ts";
import { StuckTasks } from "./stuck-tasks.ts";
import { TASK_CALLS } from "./task-calls.ts";
import { TaskTable } from "./task-table.ts";
import type { Call, World } from "./world.ts";

export interface GuestTasksOptions {
  /** Channels that guests can open by these names; what goes through them are the bytes of one element each. */
  readonly channels?: Readonly<Record<string, Channel<Uint8Array>>> | undefined;
  /** Tasks that live, or have not been joined yet; 100,000 when left out. */
  readonly maxTasks?: number | undefined;
  /** What their channels, with all that is in them, and locks may take of the host's memory, about; 256 MiB when left out. */
  readonly maxBytes?: number | undefined;
}

export interface RunOptions {
  /** Ends the main task and all others, which are unwound. */
  readonly signal?: AbortSignal | undefined;
  /** Of the main task, for messages and `dump()`; `"main"` when left out. */
  readonly name?: string | undefined;
}

/** What guests import it from. */
const MODULE = "stackful";

const MAX_TASKS = 100_000;
const MAX_BYTES = 2 ** 28;

/**
 * What guests that include `stackful.h` import.
 *
 * ```ts
 * import { instantiate } from "stackful";
 * import { GuestTasks } from "stackful/guest-tasks";
 * import { WASI } from "stackful/wasi";
 *
 * const [wasi, tasks] = [new WASI(), new GuestTasks()];
 * const instance = await instantiate(bytes, { ...wasi.imports(), ...tasks.imports() });
 * const exitCode = await tasks.run((options) => wasi.start(instance, options));
 * ```
 */
export class GuestTasks {
  readonly #tasks: TaskTable;
  readonly #stuck: StuckTasks = new StuckTasks();
  readonly #imports: Readonly<Record<string, (...args: never[]) => unknown>>;
  #memory: GuestMemory | undefined;

  /**
   * @throws {RangeError} when `maxTasks` or `maxBytes` is no number from 1
   * @throws {TypeError} when one of `channels` is none
   */
  constructor({ channels = {}, maxTasks = MAX_TASKS, maxBytes = MAX_BYTES }: GuestTasksOptions = {}) {
    for (const [name, value] of Object.entries({ maxTasks, maxBytes })) {
      if (!(value >= 1)) throw new RangeError(`Cannot make GuestTasks: ${name} must be from 1, received ${value}`);
    }
    for (const [name, channel] of Object.entries(channels)) {
      if (channel instanceof Channel) continue;
      throw new TypeError(`Cannot make GuestTasks: channel ${name} is ${typeof channel}, expected a Channel`);
    }
    this.#tasks = new TaskTable(maxTasks);
    const memory = new HostMemory(maxBytes);
    const world: World = { tasks: this.#tasks, objects: new Objects(memory), memory, channels };
    const calls = [TASK_CALLS, CHANNEL_CALLS, SELECT_CALLS, MUTEX_CALLS, LOCK_CALLS].flatMap((make) =>
      Object.entries(make(world)),
    );
    this.#imports = Object.fromEntries(calls.map(([name, body]) => [name, this.#hostFunction(body)]));
  }

  /** What to instantiate a guest with, beside its other imports. Several guests may have the same, and use each other's objects then. */
  imports(): { readonly stackful: Readonly<Record<string, unknown>> } {
    return { [MODULE]: this.#imports };
  }

  /**
   * Runs `body`, which calls a guest with the options that it is given, as the main task of a program. When that ends, so do all tasks
   * that it and they have spawned; where one of them fails, or calls `proc_exit`, the main one and all others end with it.
   *
   * @returns what `body` returns
   * @throws whatever a task has failed with
   */
  run<Value>(body: (options: CallOptions) => Value | PromiseLike<Value>, options: RunOptions = {}): Promise<Value> {
    const { signal, name = "main" } = options;
    return new Program(this.#tasks, this.#stuck).run(body, { signal, name });
  }

  #hostFunction(body: Call): (...args: never[]) => unknown {
    // Three parameters are the most there are; those that a function does not have are undefined, which costs less than an array.
    return wrapAsyncWithCaller((caller, a: number, b: number, c: number) => {
      try {
        return body(new GuestCall(caller, this.#memoryOf(caller), this.#currentTask()), a, b, c);
      } catch (error) {
        return statusOrThrow(error);
      }
    });
  }

  #memoryOf({ memory }: Caller): GuestMemory {
    if (this.#memory?.isOf(memory) !== true) this.#memory = new GuestMemory(memory);
    return this.#memory;
  }

  #currentTask(): GuestTask | undefined {
    const owner = currentActivation()?.options.owner;
    if (owner instanceof GuestTask) return owner;
    const participant = currentContext()?.participant;
    return participant && this.#tasks.of(participant);
  }
}
