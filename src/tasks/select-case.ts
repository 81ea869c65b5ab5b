/** What a `select` can wait for besides promises. */

import type { Joining } from "./wait-queue.ts";

/** One way for a `select` to end. Nothing happens before it is given to `select()`. */
export abstract class SelectCase<Value> {
  /** For messages. */
  abstract describe(): string;

  /** Whether something that is no task may make it ready. */
  readonly isExternal: boolean = false;

  /** Does it, if that is possible at once. */
  abstract poll(): { readonly value: Value } | undefined;

  /** Takes a value of it that nobody is there any more to be given. */
  giveBack(_value: Value): void {}

  /** Stands in line for it. */
  abstract join(joining: Joining<Value, undefined>): void;
}
