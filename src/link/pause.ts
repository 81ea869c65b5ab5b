/** What a guest waits for that was interrupted: the next turn of the event loop. */

import { nextTurn } from "../platform/event-loop.ts";

/**
 * Answer of a host function by which a guest gives way. Unlike any other promise it may be ignored: where the guest cannot be suspended it
 * just goes on; and a guest that is being ended waits for it, as its cleanups may take longer than a slice.
 */
export class Pause implements PromiseLike<void> {
  readonly #turn: Promise<void> = nextTurn();

  // oxlint-disable-next-line unicorn/no-thenable -- that is what a guest waits for
  then<Result1 = void, Result2 = never>(
    onTurn?: ((value: void) => Result1 | PromiseLike<Result1>) | null,
    onError?: ((reason: unknown) => Result2 | PromiseLike<Result2>) | null,
  ): Promise<Result1 | Result2> {
    return this.#turn.then(onTurn, onError);
  }
}
