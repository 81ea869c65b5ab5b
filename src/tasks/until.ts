/** Waiting for a promise that is not of this library. */

import { runWithin } from "./participant.ts";
import type { WaitReason } from "./participant.ts";
import { Wait, refusalOf } from "./wait.ts";
import type { WaitOptions } from "./wait.ts";
import { WaitQueue } from "./wait-queue.ts";
import type { Joining } from "./wait-queue.ts";

/** Ways for a wait to end by a promise. */
interface Outcome {
  readonly isError: boolean;
  readonly value: unknown;
}

/** Who waits for a promise. A promise keeps what is attached to it; of this library that is one thing, however many have waited and left. */
const waiting = new WeakMap<PromiseLike<unknown>, WaitQueue<unknown>>();

const reason: WaitReason = { isExternal: true, describe: () => "a promise", holders: () => undefined };

/** How those have ended that were watched: a promise cannot be asked. */
const outcomes = new WeakMap<PromiseLike<unknown>, Outcome>();

/** @throws {TypeError} when there is nothing to wait for */
export function requirePromise(promise: unknown, what: string): void {
  if (typeof (promise as { then?: unknown } | null | undefined)?.then === "function") return;
  throw new TypeError(
    `Cannot wait for ${what}: it is ${promise === null ? "null" : typeof promise}, expected a promise`,
  );
}

/** Adds a wait to those for `promise`. It can leave again without a trace. */
export function joinPromise(promise: PromiseLike<unknown>, joining: Joining<unknown, undefined>): void {
  watched(promise).add(joining);
}

/**
 * The value of a promise that has settled; `undefined` if it has not, or nobody has watched it before: it is from now on.
 *
 * @throws what it was rejected with
 */
export function pollPromise(promise: PromiseLike<unknown>): { readonly value: unknown } | undefined {
  const outcome = outcomes.get(promise);
  if (outcome === undefined) watched(promise);
  else if (outcome.isError) throw outcome.value;
  return outcome;
}

function watched(promise: PromiseLike<unknown>): WaitQueue<unknown> {
  let queue = waiting.get(promise);
  if (queue === undefined) {
    queue = new WaitQueue();
    waiting.set(promise, queue);
    // On nobody's behalf: if it is a task, whoever happens to be the first to wait for it must not end the wait of all by being cancelled.
    void runWithin(undefined, watch.bind(undefined, promise, queue));
  }
  return queue;
}

async function watch(promise: PromiseLike<unknown>, queue: WaitQueue<unknown>): Promise<void> {
  const outcome = await outcomeOf(promise);
  waiting.delete(promise);
  outcomes.set(promise, outcome);
  for (let waiter = queue.first; waiter !== undefined; waiter = queue.first) {
    if (outcome.isError) waiter.throw(outcome.value);
    else waiter.succeed(outcome.value);
  }
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
