/** Blocks a thread until the other one has written a message. */

import type { Line } from "./line.ts";
import type { Message } from "./mailbox.ts";
import { Spinning } from "./spinning.ts";

/** How often somebody looks whether the other thread still lives. */
const LIFE_CHECK_MS = 100;

export class BlockingReader {
  readonly #line: Line;
  readonly #spinning = new Spinning();
  readonly #isThere: () => boolean;

  constructor(line: Line) {
    this.#line = line;
    this.#isThere = () => line.incoming.isMessageComing;
  }

  /**
   * @param deadline by `performance.now()`
   * @returns the next message; `undefined` when it is not there in time
   * @throws {ThreadError} when there is nobody any more who could write one
   */
  next(deadline: number): Message | undefined {
    const { incoming } = this.#line;
    incoming.setWatched(true);
    this.#spinning.start();
    this.#spinning.until(this.#isThere);
    try {
      for (;;) {
        const message = incoming.take(Math.max(0, deadline - performance.now()));
        if (message !== undefined) return message;
        const left = deadline - performance.now();
        if (left <= 0) return undefined;
        incoming.wait(Math.min(left, LIFE_CHECK_MS));
        const ended = incoming.hasMessage ? undefined : this.#line.whyEnded();
        // It may have written its last message in between.
        if (ended !== undefined && !incoming.hasMessage) throw ended;
      }
    } finally {
      this.#spinning.arrived();
      incoming.setWatched(false);
    }
  }
}
