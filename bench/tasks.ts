/** What a task costs: spawned and joined, beside a plain promise of an async function and effection, whose tasks are generators. */

import * as effection from "effection";
import { scope, sleep, spawn, yieldNow } from "stackful/tasks";
import type { Task } from "stackful/tasks";
import { measure } from "./harness/measure.ts";
import type { GroupResult } from "./harness/measure.ts";
import { runParts } from "./harness/parts.ts";

const ALIVE = 100_000;
const TASKS = 1_000_000;
const CHILDREN = 5000;
const YIELDS = 1000;

const body = async (value: number): Promise<number> => value;
const expected = (ALIVE * (ALIVE - 1)) / 2;

async function sumOf(promises: readonly PromiseLike<number>[]): Promise<number> {
  let sum = 0;
  for (const promise of promises) sum += await promise;
  return sum;
}

async function joined(tasks: readonly Task<number>[]): Promise<number> {
  let sum = 0;
  for (const task of tasks) {
    const result = await task.join();
    if (result.state === "returned") sum += result.value;
  }
  return sum;
}

const indices = Array.from({ length: ALIVE }, (_, index) => index);
const afterTurn = (value: number): Promise<number> => new Promise((resolve) => setImmediate(() => resolve(value)));

/** Tasks of effection, all alive before the first one is awaited. */
function inEffection(values: readonly number[]): PromiseLike<number> {
  return effection.run(function* () {
    const tasks: effection.Task<number>[] = [];
    for (const index of values) {
      tasks.push(
        // oxlint-disable-next-line require-yield -- an operation that does not wait
        yield* effection.spawn(function* () {
          return index;
        }),
      );
    }
    let sum = 0;
    for (const task of tasks) sum += yield* task;
    return sum;
  });
}

async function alive(): Promise<GroupResult[]> {
  const rows = [
    { name: "async function", run: () => sumOf(indices.map((index) => body(index))), expected },
    {
      name: "async function after a microtask",
      run: () => sumOf(indices.map((index) => Promise.resolve(index).then(body))),
      expected,
    },
    { name: "spawn, await", run: () => sumOf(indices.map((index) => spawn(() => body(index)))), expected },
    { name: "spawn, join", run: () => joined(indices.map((index) => spawn(() => body(index)))), expected },
  ];
  return [await measure({ title: "100,000 alive at once", operations: ALIVE, rows, samples: 9 })];
}

/**
 * Children that end with the task that has spawned them, as those of effection always do. That makes about twenty objects for each, and
 * the time goes into collecting them: it is the same for 1,000 and for 50,000 at once. So few, that all rows take seconds.
 */
async function children(): Promise<GroupResult[]> {
  const values = indices.slice(0, CHILDREN);
  const sum = (CHILDREN * (CHILDREN - 1)) / 2;
  // What one row leaves behind must not be collected in the time of the next.
  const prepare = (globalThis as { gc?: () => void }).gc!;
  const rows = [
    {
      name: "scope.spawn, await",
      run: () => scope((scope) => sumOf(values.map((value) => scope.spawn(() => body(value))))),
      prepare,
      expected: sum,
    },
    { name: "effection: spawn", run: async () => inEffection(values), prepare, expected: sum },
  ];
  return [await measure({ title: "5,000 children at once", operations: CHILDREN, rows, samples: 9 })];
}

async function million(): Promise<GroupResult[]> {
  const rounds = async (round: () => Promise<number>): Promise<number> => {
    let sum = 0;
    for (let i = 0; i < TASKS / ALIVE; i++) sum += await round();
    return sum;
  };
  const rows = [
    { name: "async function", run: () => rounds(() => sumOf(indices.map((index) => body(index)))) },
    { name: "spawn, join", run: () => rounds(() => joined(indices.map((index) => spawn(() => body(index))))) },
  ];
  const withSum = rows.map((row) => ({ ...row, expected: expected * (TASKS / ALIVE) }));
  return [await measure({ title: "1,000,000 spawned and joined", operations: TASKS, rows: withSum, samples: 3 })];
}

async function yields(): Promise<GroupResult[]> {
  const many = (yieldOnce: () => Promise<unknown>) => async (): Promise<number> => {
    const loop = async (): Promise<number> => {
      for (let i = 0; i < YIELDS; i++) await yieldOnce();
      return 1;
    };
    return sumOf(Array.from({ length: 10 }, loop));
  };
  const tasks = async (): Promise<number> => {
    const loop = async (): Promise<number> => {
      for (let i = 0; i < YIELDS; i++) await yieldNow();
      return 1;
    };
    return sumOf(Array.from({ length: 10 }, () => spawn(loop)));
  };
  const rows = [
    { name: "await of a resolved promise", run: many(() => Promise.resolve()), expected: 10 },
    { name: "await of setImmediate", run: many(() => afterTurn(1)), expected: 10 },
    { name: "yieldNow", run: tasks, expected: 10 },
  ];
  return [await measure({ title: "10 that yield 1,000 times each", operations: 10 * YIELDS, rows, samples: 15 })];
}

async function timers(): Promise<GroupResult[]> {
  const count = 10_000;
  const plain = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));
  const all = async (make: () => PromiseLike<unknown>): Promise<number> => {
    const promises = Array.from({ length: count }, make);
    for (const promise of promises) await promise;
    return promises.length;
  };
  const rows = [
    { name: "setTimeout", run: () => all(plain), expected: count },
    { name: "spawn, sleep", run: () => all(() => spawn(() => sleep(1))), expected: count },
  ];
  return [await measure({ title: "10,000 that sleep", operations: count, rows, samples: 15 })];
}

await runParts(import.meta.url, { alive, children, million, yields, timers }, ["--expose-gc"]);
