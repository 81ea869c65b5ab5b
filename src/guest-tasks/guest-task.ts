/** A task of a guest. */

import { participantOfTask } from "../tasks/task.ts";
import type { Task } from "../tasks/task.ts";
import type { Participant } from "../tasks/participant.ts";
import type { WaitOptions } from "../tasks/wait.ts";
import type { CallOptions } from "../link/linked-guest.ts";

/** The program that a task belongs to. */
export interface TaskProgram {
  /**
   * Starts another one.
   *
   * @throws {Errno} `EAGAIN` when there are too many, or the program ends
   */
  spawn(body: (options: CallOptions) => Promise<unknown>, name: string | undefined): GuestTask;
  /** Ends it with `error`. */
  fail(error: unknown): void;
  /** Is told of its tasks that wait for others. */
  readonly stuck: { add(): void; remove(): void };
}

/** A lock that a task has. */
export interface Held {
  release(): void;
}

/** How often the destructor of one local is called for one task at most: it may set the value again. */
const MAX_DESTRUCTIONS = 4;

export class GuestTask {
  /** What the guest knows it by. */
  readonly id: number;
  readonly program: TaskProgram;
  /** Local → the task's value, a pointer. */
  readonly #locals = new Map<number, number>();
  readonly #destructions = new Map<number, number>();
  readonly #held = new Set<Held>();
  #task: Task | undefined;
  #options: WaitOptions | undefined;
  /** Gives a wake-up to somebody else, if it was woken by a condition and has not taken the mutex again since. */
  passOn: (() => void) | undefined;
  isDetached = false;

  constructor(id: number, program: TaskProgram) {
    this.id = id;
    this.program = program;
  }

  /** To be called once, before it runs. */
  attach(task: Task): void {
    this.#task = task;
  }

  get task(): Task {
    if (this.#task === undefined) throw new Error("Cannot use task: it has not been made");
    return this.#task;
  }

  get participant(): Participant {
    return participantOfTask(this.task);
  }

  /** Says that it is this one that waits. */
  get options(): WaitOptions & { readonly signal: AbortSignal } {
    const options = (this.#options ?? { signal: this.task.signal }) as { readonly signal: AbortSignal };
    this.#options = options;
    return options;
  }

  /** It has a lock, until that is dropped or the task ends. */
  hold(held: Held): void {
    this.#held.add(held);
  }

  drop(held: Held): void {
    this.#held.delete(held);
  }

  /** Lets go of what it has: nobody else can any more. */
  end(): void {
    for (const held of this.#held) held.release();
    this.#held.clear();
    this.#locals.clear();
  }

  local(key: number): number {
    return this.#locals.get(key) ?? 0;
  }

  setLocal(key: number, value: number): void {
    if (value === 0) this.#locals.delete(key);
    else this.#locals.set(key, value);
  }

  /** A local whose destructor has to be called, with its value, which the task does not have any more then. */
  takeLocal(hasDestructor: (key: number) => boolean): { readonly key: number; readonly value: number } | undefined {
    for (const [key, value] of this.#locals) {
      this.#locals.delete(key);
      const times = this.#destructions.get(key) ?? 0;
      if (!hasDestructor(key) || times === MAX_DESTRUCTIONS) continue;
      this.#destructions.set(key, times + 1);
      return { key, value };
    }
    return undefined;
  }
}
