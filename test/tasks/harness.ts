/** What the tests of tasks use. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { dump } from "stackful/tasks";
import type { Task } from "stackful/tasks";

/** A test that also fails when it leaves a task behind. */
export function check(name: string, body: () => void | Promise<void>): void {
  it(name, async () => {
    const before = dump().map(({ id }) => id);
    // Node 20 takes a test that only waits for a timeout signal for one that nothing can continue.
    const keepAlive = setInterval(() => {}, 1000);
    try {
      await body();
    } finally {
      clearInterval(keepAlive);
    }
    await turn();
    const left = dump().filter(({ id }) => !before.includes(id));
    assert.deepEqual(left, [], "the test leaves tasks behind");
  });
}

/** Microtasks and whatever is ready in this turn of the event loop have run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export const never = (): Promise<never> => new Promise(() => {});

/** What it rejects with; fails if it does not. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.fail("expected a rejection");
}

export async function stateOf(task: Task): Promise<string> {
  const { state } = await task.join();
  return state;
}

/** Whole numbers below a limit, the same for the same seed (mulberry32). */
export function seeded(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}
