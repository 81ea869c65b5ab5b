/** Waiting for a promise that is not of this library. */

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

/** @throws {TypeError} when that is nothing to wait for */
export function requirePromise(value: unknown, what: string): void {
  if (typeof value === "object" && value !== null && "then" in value && typeof value.then === "function") return;
  throw new TypeError(
    `Cannot wait for ${what}: expected a promise, received ${value === null ? "null" : typeof value}`,
  );
}

/** Adds a wait to those for `promise`. It can leave again without a trace. */
export function joinPromise(promise: PromiseLike<unknown>, joining: Joining<unknown, undefined>): void {
  let queue = waiting.get(promise);
  if (queue === undefined) {
    queue = new WaitQueue();
    waiting.set(promise, queue);
    // Not by then() of the caller's context: it is nobody's in particular.
    void watch(promise, queue);
  }
  queue.add(joining);
}

async function watch(promise: PromiseLike<unknown>, queue: WaitQueue<unknown>): Promise<void> {
  const { isError, value } = await outcomeOf(promise);
  waiting.delete(promise);
  for (let waiter = queue.first; waiter !== undefined; waiter = queue.first) {
    if (isError) waiter.throw(value);
    else waiter.succeed(value);
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
