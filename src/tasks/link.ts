/** Tasks that want to know how others end. */

import type { Mailbox } from "./mailbox.ts";
import { onTaskEnd } from "./task.ts";
import type { Task, TaskResult } from "./task.ts";

/** A message: a task that was monitored, or linked, has ended. */
export class TaskEnded {
  readonly task: Task;
  readonly result: TaskResult<unknown>;

  constructor(task: Task, result: TaskResult<unknown>) {
    this.task = task;
    this.result = result;
  }
}

/** Why a task was cancelled: one that it is linked to has failed. */
export class LinkDiedError extends Error {
  override readonly name = "LinkDiedError";
  readonly task: Task;

  constructor(task: Task, cause: unknown) {
    super(`${task.name}, to which it is linked, has failed`, { cause });
    this.task = task;
  }
}

export interface LinkOptions {
  /** Those of the two that get a {@link TaskEnded} into their mailbox when the other one fails, instead of being cancelled. */
  readonly asMessage?: readonly Task[] | undefined;
}

/**
 * Has each of the two cancelled when the other one throws or is cancelled. One that returns does nothing to the other.
 *
 * @returns what ends the link
 */
export function link(first: Task, second: Task, { asMessage = [] }: LinkOptions = {}): () => void {
  const tell = (task: Task, other: Task): void => {
    const { result } = task;
    // What each keeps of the other must not outlive the link: a task may be linked to many, one after the other.
    unlink();
    if (result === undefined || result.state === "returned") return;
    if (asMessage.includes(other)) other.mailbox.send(new TaskEnded(task, result));
    else other.cancel(new LinkDiedError(task, result.state === "threw" ? result.error : result.reason));
  };
  const forget: (() => void)[] = [];
  const unlink = (): void => {
    for (const each of forget.splice(0)) each();
  };
  forget.push(onTaskEnd(first, () => tell(first, second)));
  // It may have ended before.
  if (first.result === undefined) forget.push(onTaskEnd(second, () => tell(second, first)));
  if (second.result !== undefined) unlink();
  return unlink;
}

/**
 * Puts a {@link TaskEnded} into `mailbox` when `task` ends, in whichever way: at once, if it has.
 *
 * @returns what ends that
 */
export function monitor(task: Task, mailbox: Mailbox<TaskEnded> | Mailbox): () => void {
  return onTaskEnd(task, () => {
    if (task.result !== undefined) mailbox.send(new TaskEnded(task, task.result));
  });
}
