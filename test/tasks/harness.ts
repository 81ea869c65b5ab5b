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
