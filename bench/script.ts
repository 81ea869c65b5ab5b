/**
 * What scripts of QuickJS cost in a `ScriptEngine`: asynchronous functions of the host, beside quickjs-emscripten's build with Asyncify, and the
 * speed of scripts, beside the plain build in the engine's own instance. `npm run bench:guests` installs both.
 */

import { pathToFileURL } from "node:url";
import { backends } from "stackful";
import { ScriptEngine } from "stackful/script";
import type { ScriptEngineOptions } from "stackful/script";
import { quickjs } from "stackful/script/quickjs";
import { geometricMean, measure } from "./harness/measure.ts";
import type { GroupResult, Row } from "./harness/measure.ts";
import { findInstalled } from "./harness/packages.ts";
import { runParts } from "./harness/parts.ts";
import { WORKLOADS, findQuickJS } from "./harness/quickjs.ts";

const CALLS = 1000;
const SCRIPTS = 1000;
const ASYNCIFIED = "@jitl/quickjs-wasmfile-release-asyncify";

const LOOP = `{ let sum = 0; for (let i = 0; i < ${CALLS}; i++) sum += increment(i); sum; }`;
const SUM = (CALLS * (CALLS + 1)) / 2;

const increment = async (value: number): Promise<number> => value + 1;

const available = backends().filter((backend) => backend.available);

/** Where scripts run → how to have them there. */
const places: Readonly<Record<string, ScriptEngineOptions>> = {
  ...Object.fromEntries(available.map(({ name }) => [name, { backend: name }])),
  "on a thread": { thread: true },
};

async function calls(): Promise<GroupResult[]> {
  const rows = await Promise.all(
    Object.entries(places).map(async ([name, options]): Promise<Row> => {
      const engine = await ScriptEngine.create(quickjs(), options);
      engine.register("increment", increment);
      return { name, expected: SUM, run: () => engine.eval(LOOP) };
    }),
  );
  const peer = await asyncified();
  const title = "an asynchronous function of the host, called by a script (at most 3 us)";
  return [await measure({ title, operations: CALLS, rows: peer === undefined ? rows : [peer, ...rows], samples: 15 })];
}

/** The part of `quickjs-emscripten-core` that is used here. */
interface AsyncContext {
  newAsyncifiedFunction(
    name: string,
    body: (value: unknown) => Promise<unknown>,
  ): { consume(use: (handle: unknown) => void): void };
  readonly global: object;
  setProp(object: object, name: string, value: unknown): void;
  getNumber(handle: unknown): number;
  newNumber(value: number): unknown;
  evalCodeAsync(
    source: string,
  ): Promise<{ readonly value: { consume<Result>(use: (handle: unknown) => Result): Result } }>;
}

async function asyncified(): Promise<Row | undefined> {
  const [variantFile, coreFile] = [findInstalled(ASYNCIFIED), findInstalled("quickjs-emscripten-core")];
  if (variantFile === null || coreFile === null) return undefined;
  const load = async (file: string): Promise<object> => (await import(pathToFileURL(file).href)) as object;
  const { default: variant } = (await load(variantFile)) as { default: { default?: unknown } };
  const { newQuickJSAsyncWASMModuleFromVariant: open } = (await load(coreFile)) as {
    newQuickJSAsyncWASMModuleFromVariant(variant: unknown): Promise<{ newContext(): AsyncContext }>;
  };
  const context = (await open(variant.default ?? variant)).newContext();
  const body = async (value: unknown): Promise<unknown> => context.newNumber(await increment(context.getNumber(value)));
  context
    .newAsyncifiedFunction("increment", body)
    .consume((made) => context.setProp(context.global, "increment", made));
  const run = async (): Promise<number> =>
    (await context.evalCodeAsync(LOOP)).value.consume((value) => context.getNumber(value));
  return { name: "quickjs-emscripten, Asyncify", expected: SUM, run };
}

async function speed(): Promise<GroupResult[]> {
  const found = await findQuickJS();
  if (found === null) return [];
  const plain = await found.start(found.bytes);
  const limits: Readonly<Record<string, number>> = { jspi: 1.05, transform: 1.15 };
  const engines = await Promise.all(
    available.map(async ({ name }) => ({ name, engine: await ScriptEngine.create(quickjs(), { backend: name }) })),
  );
  const groups: GroupResult[] = [];
  for (const [workload, body] of Object.entries(WORKLOADS)) {
    const expected = plain(body);
    const rows = engines.map(({ name, engine }): Row => ({
      name,
      expected,
      run: () => engine.eval(`(() => {${body}})()`),
    }));
    const title = `a script that calls nothing: ${workload}`;
    groups.push(
      await measure({ title, operations: 1, rows: [{ name: "plain", expected, run: () => plain(body) }, ...rows] }),
    );
  }
  const title = `a script that calls nothing: geometric mean of ${groups.length}`;
  return [...groups, geometricMean(groups, title, [undefined, ...engines.map(({ name }) => limits[name])])];
}

/** Scripts of one engine that all wait at the same time. */
async function many(): Promise<GroupResult[]> {
  const rows = await Promise.all(
    Object.entries(places).map(async ([name, options]): Promise<Row> => {
      const engine = await ScriptEngine.create(quickjs(), options);
      let waiting: (() => void)[] = [];
      engine.register("wait", async () => {
        await new Promise<void>((resolve) => {
          if (waiting.push(resolve) === SCRIPTS) for (const release of waiting) release();
        });
        return 1;
      });
      const prepare = (): void => void (waiting = []);
      const run = async (): Promise<number> => {
        const results = await Promise.all(Array.from({ length: SCRIPTS }, () => engine.eval("wait() + 1")));
        return results.reduce<number>((sum, value) => sum + Number(value), 0);
      };
      return { name, expected: SCRIPTS * 2, prepare, run };
    }),
  );
  return [
    await measure({ title: `one of ${SCRIPTS} scripts that wait at once`, operations: SCRIPTS, rows, samples: 7 }),
  ];
}

await runParts(import.meta.url, { calls, speed, many });
