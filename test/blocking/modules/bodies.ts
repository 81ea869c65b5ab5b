/** Bodies of coroutines: plain JavaScript that suspends from any depth. */
import type { Yielder } from "stackful/blocking";

/** corosensei's `basic`. */
export function count(yielder: Yielder<number, string>, input: number): string {
  let log = `started with ${input}`;
  for (let index = 0; index < 3; index++) log += `, ${yielder.suspend(`yield ${index}`)}`;
  return log;
}

/** Suspends inside functions of the language. */
export function everywhere(yielder: Yielder<number, string>, input: number): unknown {
  const mapped = [1, 2].map((value) => value * yielder.suspend(`map ${value}`));
  const sorted = [3, 1, 2].toSorted((a, b) => yielder.suspend("compare") * (a - b));
  const object = {
    get property() {
      return yielder.suspend("getter");
    },
  };
  const json = JSON.stringify({ toJSON: () => yielder.suspend("toJSON") });
  const replaced = "a-b".replace("-", () => String(yielder.suspend("replace")));
  return { input, mapped, sorted, property: object.property, json, replaced };
}

export function atOnce(_yielder: Yielder<unknown, unknown>, input: unknown): unknown {
  return input;
}

export function echo(yielder: Yielder<unknown, unknown>, input: unknown): never {
  for (let value = input; ;) value = yielder.suspend(value);
}

export function fails(yielder: Yielder<number, number>): never {
  yielder.suspend(1);
  throw Object.assign(new RangeError("from the body"), { code: 5 });
}

export function catches(yielder: Yielder<string, string>): string {
  try {
    return yielder.suspend("waiting");
  } catch (error) {
    return `caught ${(error as Error).name}: ${(error as Error).message}, ${yielder.suspend("in catch")}`;
  }
}

/** Counts in memory that is shared what it cleans up. */
export function cleansUp(yielder: Yielder<unknown, unknown>, input: unknown): void {
  const counter = new Int32Array(input as SharedArrayBuffer);
  try {
    yielder.suspend("outer");
  } finally {
    Atomics.add(counter, 0, 1);
    try {
      yielder.suspend("while it is unwound");
    } finally {
      Atomics.add(counter, 0, 1);
    }
  }
}

export function stubborn(yielder: Yielder<unknown, unknown>): never {
  for (;;) {
    try {
      yielder.suspend("never ends");
    } catch {
      // Goes on.
    }
  }
}

export function spins(yielder: Yielder<unknown, unknown>): never {
  yielder.suspend("before");
  for (;;);
}

export function failsWhileUnwound(yielder: Yielder<unknown, unknown>): void {
  try {
    yielder.suspend("before");
  } catch {
    throw new TypeError("in a cleanup");
  }
}

export function exits(yielder: Yielder<unknown, unknown>): void {
  yielder.suspend("before");
  process.exit(3);
}

export function notCloneable(yielder: Yielder<unknown, unknown>): unknown {
  try {
    yielder.suspend(() => {});
  } catch (error) {
    return (error as Error).name;
  }
  return "suspended";
}

export async function later(yielder: Yielder<number, string>, input: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 5));
  const more = yielder.suspend("after a promise");
  await new Promise((resolve) => setTimeout(resolve, 5));
  return input + more;
}

let runs = 0;
/** How often it has run in this thread. */
export function countRuns(): number {
  return ++runs;
}
