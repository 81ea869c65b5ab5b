/** Tasks of guests, by the numbers that guests know them by. */

import type { Participant } from "../tasks/participant.ts";
import { Errno } from "../wasi/preview1/errno.ts";
import type { GuestTask, TaskProgram } from "./guest-task.ts";

const LAST_ID = 0x7fff_ffff;

export class TaskTable {
  readonly #maxTasks: number;
  readonly #tasks = new Map<number, GuestTask>();
  readonly #byParticipant = new WeakMap<Participant, GuestTask>();
  #last = 0;

  constructor(maxTasks: number) {
    this.#maxTasks = maxTasks;
  }

  /** @throws {Errno} `EAGAIN` when there are too many that live, or have not been joined */
  add(make: (id: number) => GuestTask): GuestTask {
    if (this.#tasks.size >= this.#maxTasks || this.#last === LAST_ID) throw new Errno("EAGAIN");
    const task = make(++this.#last);
    this.#tasks.set(task.id, task);
    return task;
  }

  /** Lets it be found by who waits: it has a task now. */
  bind(task: GuestTask): void {
    this.#byParticipant.set(task.participant, task);
  }

  /** @throws {Errno} `ESRCH` when there is none, or nobody may join it any more */
  get(id: number): GuestTask {
    const found = this.#tasks.get(id);
    if (found === undefined) throw new Errno("ESRCH");
    return found;
  }

  of(participant: Participant): GuestTask | undefined {
    return this.#byParticipant.get(participant);
  }

  delete({ id }: GuestTask): void {
    this.#tasks.delete(id);
  }

  deleteAllOf(program: TaskProgram): void {
    for (const task of this.#tasks.values()) if (task.program === program) this.delete(task);
  }
}
