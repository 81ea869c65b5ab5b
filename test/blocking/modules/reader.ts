/** Asynchronous functions that are called by threads which block. */
import { setTimeout as sleep } from "node:timers/promises";
import { callSignal } from "stackful/blocking";

export function echo(value: unknown): unknown {
  return value;
}

export async function later<Value>(value: Value, ms = 1): Promise<Value> {
  await sleep(ms);
  return value;
}

export async function fail(): Promise<never> {
  await sleep(1);
  throw Object.assign(new RangeError("later"), { code: 9 });
}

export function throwValue(value: unknown): Promise<never> {
  // oxlint-disable-next-line prefer-promise-reject-errors -- that is what is tested
  return Promise.reject(value);
}

export function never(): Promise<never> {
  setTimeout(() => {}, 100_000);
  return new Promise(() => {});
}

export function exit(code: number): Promise<never> {
  setTimeout(() => process.exit(code), 5);
  return new Promise(() => {});
}

export function throwUncaught(): Promise<never> {
  setTimeout(() => {
    throw new TypeError("uncaught");
  }, 5);
  return new Promise(() => {});
}

export function exhaustMemory(): never {
  const all: object[] = [];
  for (;;) all.push(Array.from({ length: 100_000 }, () => ({})));
}

export async function cannotBeCloned(): Promise<unknown> {
  return () => {};
}

let turns = 0;

/** How often the event loop of this thread has turned since the first call, as far as timers tell. */
export async function countTurns(): Promise<number> {
  if (turns === 0) setInterval(() => turns++, 1).unref();
  turns ||= 1;
  return turns;
}

export function hasSignal(): boolean {
  return callSignal() !== undefined;
}
