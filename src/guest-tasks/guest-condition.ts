/** A condition variable of guests. They give back the mutex, wait and take it again one after the other: nobody else runs in between. */

import type { Soon } from "../coroutine/pending.ts";
import type { WaitReason } from "../tasks/participant.ts";
import { requireAllowed } from "../tasks/wait.ts";
import type { WaitOptions } from "../tasks/wait.ts";
import { WaitQueue } from "../tasks/wait-queue.ts";

export class GuestCondition {
  /** Who is woken and then ended before it knows passes that on. */
  readonly #waiting: WaitQueue<void> = new WaitQueue<void>({ takeBack: () => this.notify(false) });
  readonly #reason: WaitReason;

  constructor(name: string) {
    this.#reason = { isExternal: false, describe: () => `condition ${name}`, holders: () => undefined };
  }

  get isUsed(): boolean {
    return this.#waiting.length > 0;
  }

  wait(options: WaitOptions | undefined): Soon<void> {
    requireAllowed(options);
    return this.#waiting.wait(this.#reason, options, undefined);
  }

  notify(all: boolean): void {
    if (all) this.#waiting.succeedAll(undefined);
    else this.#waiting.first?.succeed();
  }
}
