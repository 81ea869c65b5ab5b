/** Where scripts run in tests, and what a language has to have for the suite over all of them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { backends } from "stackful";
import { ScriptEngine } from "stackful/script";
import type { ScriptEngineOptions, ScriptLanguage } from "stackful/script";

/** The same scripts in each language. `later(ms, value)`, `fail(message)`, `note(value)` and `apply(f, …)` are functions of the host. */
export interface Sources {
  /** `text` as its value. */
  readonly expression: (text: string) => string;
  /** Adds what `later(ms, n)` gives, twice. */
  readonly sum: (firstMs: number, secondMs: number) => string;
  /** Catches what `fail("no")` throws and has its message as a value. */
  readonly caught: string;
  /** Calls `fail("no")` in a function called `outer`. */
  readonly uncaught: string;
  /** Throws an error of its own with the message "mine". */
  readonly thrown: string;
  /** Sorts 3, 1, 2 with a comparison that waits. */
  readonly sorted: string;
  readonly endless: string;
  /** Catches everything around `body`, notes "caught", and goes on. */
  readonly guarded: (body: string) => string;
  /** Defines `add(a, b)`, `same(value)`, and `waitAndAdd(n)`, which waits 1 ms and adds 1 to `n`. */
  readonly functions: string;
  /** Its value is a function that adds its argument to `n`, after having waited. */
  readonly adder: (n: number) => string;
  /** Has the host call a function of the script, which waits, and adds 1 to the result. */
  readonly callback: string;
  /** Calls itself until it fails, and has a text with the error as its value. */
  readonly recursion: string;
  /** Keeps more and more. */
  readonly hoard: string;
  /** Gets and puts, as in the pattern of Rhai. */
  readonly pingPong: string;
}

export interface LanguageUnderTest {
  readonly name: string;
  readonly make: () => ScriptLanguage;
  readonly sources: Sources;
  /** Values that are something else when they come back: a text of the value → what it is then. */
  readonly different?: ReadonlyMap<string, unknown>;
  /** What it says when calls nest too deeply; "overflow" when left out. */
  readonly overflow?: RegExp;
  /** Bytes that are enough for small scripts; 4 MB when left out. */
  readonly memoryBytes?: number;
  /** Title of a test of the suite → why it cannot be. */
  readonly skips?: ReadonlyMap<string, string>;
  /** Takes long to start: runs on the first backend only, and in one version of Node for each; `undefined`: wherever it can. */
  readonly isLarge?: boolean;
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What a host function that never answers returns. */
export const never = (): Promise<never> => new Promise(() => {});

const available = backends().filter((backend) => backend.available);

/**
 * Places where scripts run: each backend that is there, and a thread. Without `jspi` a thread compiles its engine for half a second, so that
 * only thread.test.ts has some.
 */
const places: readonly (readonly [name: string, options: ScriptEngineOptions])[] = [
  ...available.map(({ name }) => [name, { backend: name }] as const),
  ...available.filter(({ name }) => name === "jspi").map(() => ["thread", { thread: true }] as const),
];

type TestedLanguage = Pick<LanguageUnderTest, "name" | "make" | "isLarge" | "skips">;
type Body = (engine: ScriptEngine, notes: unknown[]) => Promise<void>;

/** A test in each place with an engine of its own. */
export function check(language: TestedLanguage, title: string, body: Body, options: ScriptEngineOptions = {}): void {
  const skip = reasonToSkip(language, title);
  if (skip !== undefined) return void it(`${title} (${language.name})`, { skip });
  for (const [place, placeOptions] of placesOf(language))
    checkAt(language, `${title} (${language.name}, ${place})`, body, { ...placeOptions, ...options });
}

function reasonToSkip({ isLarge = false, skips }: TestedLanguage, title: string): string | undefined {
  if (places.length === 0) return "this runtime has no backend";
  const isBuilt = import.meta.url.endsWith(".js");
  if (isLarge && isBuilt && !process.versions.node.startsWith("20."))
    return "it runs from the sources, and built with Node 20";
  return skips?.get(title);
}

function placesOf({ isLarge = false }: TestedLanguage): typeof places {
  return isLarge ? places.slice(0, 1) : places;
}

/** The same for what a thread changes nothing about. */
export function checkHere(language: TestedLanguage, title: string, body: Body): void {
  if (reasonToSkip(language, title) !== undefined) return;
  for (const [place, options] of placesOf(language)) {
    if (options.thread !== true) checkAt(language, `${title} (${language.name}, ${place})`, body, options);
  }
}

function checkAt({ make }: TestedLanguage, title: string, body: Body, options: ScriptEngineOptions): void {
  it(title, async () => {
    const engine = await ScriptEngine.create(make(), options);
    const notes: unknown[] = [];
    registerFunctions(engine, notes);
    try {
      await body(engine, notes);
    } finally {
      await engine.close();
    }
  });
}

function registerFunctions(engine: ScriptEngine, notes: unknown[]): void {
  engine.register("later", async (ms: number, value: unknown) => {
    await sleep(ms);
    return value;
  });
  engine.register("fail", async (message: string) => {
    await sleep(1);
    throw Object.assign(new RangeError(message), { code: "E_NO" });
  });
  engine.register("note", (value: unknown) => void notes.push(value));
  engine.register("apply", async (callee: (...args: unknown[]) => Promise<unknown>, ...args: unknown[]) =>
    callee(...args),
  );
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  return assert.fail(`fulfilled with ${String(value)}`);
}

export { describe };
