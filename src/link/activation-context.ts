/** On whose behalf JavaScript is running: also after an `await`, where the platform has an asynchronous context. */

import { currentActivation } from "./activation.ts";
import type { Activation, Resumer } from "./activation.ts";
import { makeAsyncContext } from "../platform/async-context.ts";
import type { AsyncContext } from "../platform/async-context.ts";

/** Set when every call has an {@link Activation}, because values belong to it or calls run on top of it. */
let isContextWatched = false;
/** `null`: not made yet. */
let asyncContext: AsyncContext<Activation | undefined> | undefined | null = null;

/** From now on {@link currentContext} is wanted, of all calls. */
export function watchContexts(): void {
  isContextWatched = true;
  keepContexts();
}

/** From now on {@link currentContext} is wanted, of calls that have an {@link Activation} anyway. */
export function keepContexts(): void {
  if (asyncContext === null) asyncContext = makeAsyncContext();
}

/** Whether the platform has an asynchronous context, and somebody wants to know it. */
export function isContextKept(): boolean {
  return asyncContext !== null && asyncContext !== undefined;
}

export function areContextsWatched(): boolean {
  return isContextWatched;
}

/** Runs `body`, which starts `activation`, so that {@link currentContext} finds it also after an `await` of its host functions. */
export function runInContext<Result>(activation: Activation, body: () => Result): Result {
  return asyncContext ? asyncContext.run(activation, body) : body();
}

/** Runs `body`, which starts something that goes on by itself: whoever runs now is not around it. */
export function runOnItsOwn<Result>(body: () => Result): Result {
  return asyncContext ? asyncContext.run(undefined, body) : body();
}

/**
 * The activation on whose behalf JavaScript is running.
 *
 * Where there is an asynchronous context it alone decides: after a trap {@link currentActivation} still names the activation that
 * was cut off, until its rejection is handled, and code outside any guest may run in between.
 */
export function currentContext(): Activation | undefined {
  return asyncContext ? asyncContext.getStore() : currentActivation();
}

/** The activation that resumes another one now. */
export function currentResumer(): Resumer {
  return currentContext() ?? (asyncContext ? "nobody" : "unknown");
}
