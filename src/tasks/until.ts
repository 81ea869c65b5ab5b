/** Waiting for a promise that is not of this library. */

import { currentContext, runWithin } from "./participant.ts";
import type { WaitReason } from "./participant.ts";
import { Wait, refusalOf } from "./wait.ts";
import type { WaitOptions } from "./wait.ts";
import { WaitQueue, Waiter } from "./wait-queue.ts";
import type { Joining } from "./wait-queue.ts";

/** Ways for a wait to end by a promise. */
interface Outcome {
  readonly isError: boolean;
  readonly value: unknown;
}

/** A promise that somebody waits for, or has waited for. */
interface Watched {
  readonly queue: WaitQueue<unknown>;
  /** How it has ended: a promise itself cannot be asked. */
  outcome: Outcome | undefined;
}

/** A promise keeps what is attached to it; of this library that is one thing, however many have waited and left. */
const known = new WeakMap<PromiseLike<unknown>, Watched>();

const reason: WaitReason = { isExternal: true, describe: () => "a promise", holders: () => undefined };

/** @throws {TypeError} when there is nothing to wait for */
export function requirePromise(promise: unknown, what: string): void {
  if (typeof (promise as { then?: unknown } | null | undefined)?.then === "function") return;
  throw new TypeError(
    `Cannot wait for ${what}: expected a promise, received ${promise === null ? "null" : typeof promise}`,
  );
}

/** Adds a wait to those for `promise`. It can leave again without a trace. */
export function joinPromise(promise: PromiseLike<unknown>, joining: Joining<unknown, undefined>): void {
  const { queue, outcome } = watched(promise);
  if (outcome === undefined) queue.add(joining);
  else tell(new Waiter(queue, joining), outcome);
}

/**
 * The value of a promise that has settled; `undefined` if it has not, or nobody has watched it before: if it `hasBegun`, it is from now
 * on. Others, that begin with their `then()`, do so only when somebody really waits for them.
 *
 * @throws what it was rejected with
 */
export function pollPromise(promise: PromiseLike<unknown>, hasBegun: boolean): { readonly value: unknown } | undefined {
  const outcome = (hasBegun ? watched(promise) : known.get(promise))?.outcome;
  if (outcome?.isError === true) throw outcome.value;
  return outcome;
}

function watched(promise: PromiseLike<unknown>): Watched {
  const found = known.get(promise);
  if (found !== undefined) return found;
  const made: Watched = { queue: new WaitQueue(), outcome: undefined };
  known.set(promise, made);
  // On nobody's behalf: if it is a task, whoever happens to be the first to wait for it must not end the wait of all by being cancelled.
  if (currentContext() === undefined) void watch(promise, made);
  else void runWithin(undefined, () => watch(promise, made));
  return made;
}

async function watch(promise: PromiseLike<unknown>, made: Watched): Promise<void> {
  const outcome = await outcomeOf(promise);
  made.outcome = outcome;
  for (let waiter = made.queue.first; waiter !== undefined; waiter = made.queue.first) tell(waiter, outcome);
}

function tell(waiter: Waiter<unknown>, { isError, value }: Outcome): void {
  if (isError) waiter.throw(value);
  else waiter.succeed(value);
}

async function outcomeOf(promise: PromiseLike<unknown>): Promise<Outcome> {
  try {
    return { isError: false, value: await promise };
  } catch (error) {
    return { isError: true, value: error };
  }
}

/**
 * Waits for a promise as for anything of this library: a task that is cancelled stops waiting at once. What the promise stands for goes
 * on; give it the task's `signal` where it takes one.
 *
 * @throws {TypeError} when it is no promise
 */
export function until<Value>(promise: PromiseLike<Value>, options?: WaitOptions): Promise<Value> {
  requirePromise(promise, "promise");
  const refusal = refusalOf(options);
  if (refusal !== undefined) return Promise.reject(refusal.reason);
  const wait = new Wait<Value>(reason, options);
  joinPromise(promise, { wait, demand: undefined });
  return wait.begin().promise;
}
