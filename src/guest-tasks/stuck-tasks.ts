/** Notices when each task of guests that share their objects waits for another one of them. */

import { runInNextTurn } from "../platform/event-loop.ts";
import { onlyWait, rejectStuck } from "../tasks/deadlock.ts";
import type { GuestTask } from "./guest-task.ts";

export class StuckTasks {
  readonly #living = new Set<GuestTask>();
  /** How many wait for what only another one can bring. */
  #stuck = 0;
  #isLooking = false;

  started(task: GuestTask): void {
    this.#living.add(task);
  }

  ended(task: GuestTask): void {
    this.#living.delete(task);
    this.#look();
  }

  /** One begins to wait for what only another one can bring. */
  add(): void {
    this.#stuck++;
    this.#look();
  }

  remove(): void {
    this.#stuck--;
  }

  get #areAll(): boolean {
    return this.#stuck > 0 && this.#stuck >= this.#living.size;
  }

  #look(): void {
    if (this.#isLooking || !this.#areAll) return;
    this.#isLooking = true;
    // Whoever has been woken goes on before that.
    runInNextTurn(() => {
      this.#isLooking = false;
      if (!this.#areAll) return;
      const participants = [...this.#living].map(({ participant }) => participant);
      if (participants.every((each) => onlyWait(each) !== undefined)) rejectStuck(participants);
    });
  }
}
