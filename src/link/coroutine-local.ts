/** Values that belong to one activation of a guest. */

import { currentContext, watchContexts } from "./activation-context.ts";

/** Stands for all code that runs outside any guest. */
const outside = {};

/**
 * A variable with one value for each activation (a call or a coroutine): what a host function sets is there in the next one that
 * the same activation calls, whichever others have run in between. Code outside any guest shares one value.
 *
 * After an `await` inside a host function it is right where the platform has an asynchronous context (Node, Deno, Bun);
 * elsewhere read it before the first `await`. Create it before the calls that use it.
 *
 * ```ts
 * const requestId = new CoroutineLocal<string>(() => "none");
 * ```
 */
export class CoroutineLocal<Value> {
  readonly #initial: () => Value;
  readonly #values = new WeakMap<object, { value: Value }>();

  /** `initial` makes the value of an activation that has set none. */
  constructor(initial: () => Value) {
    this.#initial = initial;
    watchContexts();
  }

  get(): Value {
    return this.#slot().value;
  }

  set(value: Value): void {
    this.#slot().value = value;
  }

  #slot(): { value: Value } {
    const context = currentContext() ?? outside;
    let slot = this.#values.get(context);
    if (slot === undefined) this.#values.set(context, (slot = { value: this.#initial() }));
    return slot;
  }
}
