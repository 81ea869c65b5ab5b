/** What the tests of stackful/blocking run in workers of the page. */

import { host, prepareCoroutineThreads, toSync, workerCoroutine } from "../../dist/blocking/index.js";

export function sum(count) {
  const { double } = host();
  let total = 0;
  for (let index = 0; index < count; index++) total += double(index);
  return total;
}

export function echo(value) {
  return host().echo(value);
}

export function fails() {
  return host().fail();
}

export function waits() {
  return host().never();
}

export async function later(value) {
  await new Promise((resolve) => setTimeout(resolve, 5));
  return value;
}

export function body(yielder, input) {
  return [1, 2].map((value) => yielder.suspend(value + input));
}

/** Blocks this worker for another one. */
export async function syncFromWorker(value) {
  const call = toSync(import.meta.url, "later");
  try {
    await call.prepare();
    return call(value);
  } finally {
    call[Symbol.dispose]();
  }
}

/** Resumes a coroutine on the stack of this worker. */
export async function coroutineFromWorker() {
  await prepareCoroutineThreads(1);
  const coroutine = workerCoroutine(import.meta.url, "body");
  return [coroutine.resume(10), coroutine.resume(20), coroutine.resume(30)];
}
