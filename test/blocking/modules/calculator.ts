/** A module that blocks in functions of its host. */
import { host } from "stackful/blocking";
import type { Host } from "../thread.test.ts";

const parent = host<Host>();

export function add(a: number, b: number): number {
  return a + b;
}

export function ask(value: unknown): unknown {
  return parent.echo(value);
}

export function askLater(value: unknown): unknown {
  return parent.later(value);
}

export function sum(count: number): number {
  let total = 0;
  for (let index = 0; index < count; index++) total += parent.double(index);
  return total;
}

/** Blocks in the middle of functions of the language. */
export function sortAndMap(values: number[]): number[] {
  return values.toSorted((a, b) => parent.compare(a, b)).map((value) => parent.double(value));
}

export function nested(): number {
  return parent.deep.er.three();
}

export function failAndCatch(): unknown {
  try {
    return parent.fail();
  } catch (error) {
    return error;
  }
}

export function fail(): never {
  throw Object.assign(new RangeError("from the thread"), { code: 7 });
}

export function failWith(value: unknown): never {
  throw value;
}

export async function addLater(a: number, b: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 5));
  return a + b;
}

export function waitForEver(): unknown {
  return parent.never();
}

export function waitAndCatch(): unknown {
  try {
    return parent.never();
  } catch (error) {
    return ["caught", (error as Error).name];
  }
}

export function waitAtMost(timeoutMs: number): unknown {
  return host<Host>({ timeoutMs }).never();
}

/** Calls that give up, in between others. */
export function giveUpSometimes(count: number): number {
  const impatient = host<Host>({ timeoutMs: 1 });
  let right = 0;
  for (let index = 0; index < count; index++) {
    try {
      impatient.laterBy(index % 4, index);
    } catch {
      // Too late, and never to be seen again.
    }
    if (parent.double(index) === 2 * index) right++;
  }
  return right;
}

export function spin(): never {
  for (;;);
}

export function spinAfterInterrupt(): never {
  try {
    parent.never();
  } catch {
    // Does not want to end.
  }
  for (;;);
}

export function exit(code: number): never {
  process.exit(code);
}

export function exitInHost(): unknown {
  return parent.exitOther();
}

export function throwLater(): Promise<never> {
  setTimeout(() => {
    throw new TypeError("uncaught");
  });
  return new Promise(() => {});
}

export function exhaustMemory(): never {
  const all: object[] = [];
  for (;;) all.push(Array.from({ length: 100_000 }, () => ({})));
}

/** Waits again whenever it is interrupted. */
export function waitAgainAndAgain(): never {
  for (;;) {
    try {
      parent.never();
    } catch {
      // Not for this one.
    }
  }
}

export function callBack(value: number): unknown {
  return parent.callBack(value);
}

export function callBackLater(value: number): unknown {
  return parent.callBackLater(value);
}

export function cannotBeCloned(): unknown {
  return { f: () => {} };
}

export function give(value: unknown): unknown {
  return parent.giveFunction() ?? value;
}

export const notAFunction = 1;
