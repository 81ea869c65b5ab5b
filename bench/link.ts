/**
 * What linking costs, against the engine alone, and what the checks of the stack pointer cost a guest that runs.
 *
 * Guests of any size can be added: the `.wasm` files in the folder `STACKFUL_BENCH_GUESTS`.
 */

import { readFileSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { compile, instantiate } from "stackful";
import { bytesOf, link } from "./harness/guests.ts";
import { measure } from "./harness/measure.ts";
import type { GroupResult, Row } from "./harness/measure.ts";
import { runParts } from "./harness/parts.ts";

const folder = process.env["STACKFUL_BENCH_GUESTS"];

function guests(): { name: string; bytes: Uint8Array<ArrayBuffer> }[] {
  const own = ["hello", "frames", "plugin", "callback"].map((name) => ({ name, bytes: bytesOf(name) }));
  if (folder === undefined) return own;
  const files = readdirSync(folder)
    .filter((file) => file.endsWith(".wasm"))
    .toSorted((a, b) => statSync(path.join(folder, a)).size - statSync(path.join(folder, b)).size);
  const given = files.map((file) => ({ name: file, bytes: Uint8Array.from(readFileSync(path.join(folder, file))) }));
  return [...own, ...given];
}

let serial = 0;

/** The same module with a custom section of its own: the engine knows again what it has compiled once. */
function fresh(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const content = new TextEncoder().encode(`\u0005bench${String(serial++).padStart(10)}`);
  const copy = new Uint8Array(bytes.length + 2 + content.length);
  copy.set(bytes);
  copy.set([0, content.length, ...content], bytes.length);
  return copy;
}

/** Something for every import, of the right kind and type. */
function stubsFor(module: WebAssembly.Module): Record<string, Record<string, unknown>> {
  const imports: Record<string, Record<string, unknown>> = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (kind !== "function") return {};
    (imports[from] ??= {})[name] = () => 0;
  }
  return imports;
}

async function compiling(): Promise<GroupResult[]> {
  const groups: GroupResult[] = [];
  for (const { name, bytes } of guests()) {
    const imported = (module: WebAssembly.Module): number => WebAssembly.Module.imports(module).length;
    const expected = imported(await WebAssembly.compile(bytes));
    const rows: Row[] = [
      { name: "WebAssembly.compile", run: async () => imported(await WebAssembly.compile(fresh(bytes))), expected },
      { name: "stackful", run: async () => (await compile(fresh(bytes))).imports.length, expected },
      {
        name: "stackful, stackChecks: false",
        run: async () => (await compile(fresh(bytes), { stackChecks: false })).imports.length,
        expected,
      },
    ];
    const samples = bytes.length > 1e6 ? 15 : 31;
    groups.push(await measure({ title: `compile, ${name}, ${bytes.length} bytes`, operations: 1, samples, rows }));
  }
  return groups;
}

async function instantiating(): Promise<GroupResult[]> {
  const groups: GroupResult[] = [];
  for (const { name, bytes } of guests()) {
    const raw = await WebAssembly.compile(bytes);
    const imports = stubsFor(raw);
    const module = await compile(bytes);
    if (Object.keys(imports).length === 0 && WebAssembly.Module.imports(raw).length > 0) continue;
    const many = (make: () => Promise<unknown>) => async (): Promise<number> => {
      for (let i = 0; i < 10; i++) await make();
      return 10;
    };
    const rows: Row[] = [
      {
        name: "WebAssembly.instantiate",
        run: many(() => WebAssembly.instantiate(raw, imports as WebAssembly.Imports)),
        expected: 10,
      },
      { name: "stackful", run: many(() => instantiate(module, imports)), expected: 10 },
    ];
    groups.push(await measure({ title: `instantiate, ${name}`, operations: 10, rows }));
  }
  return groups;
}

/** A C function that calls itself 2,000 times with a frame of 16 bytes: more checks than any real program has. */
async function stackChecks(): Promise<GroupResult[]> {
  const levels = 2000;
  const calls = 200;
  const host = { wait: (id: number) => id };
  const raw = (await WebAssembly.instantiate(bytesOf("overflow"), { host })).instance;
  const checked = await link("overflow", host);
  const unchecked = await link("overflow", host, { stackChecks: false });
  const run = (small: (...args: never[]) => unknown) => (): number => {
    let sum = 0;
    for (let i = 0; i < calls; i++) sum += (small as (levels: number, id: number) => number)(levels, 0);
    return sum;
  };
  const expected = calls * (levels + 1);
  const rows: Row[] = [
    { name: "plain WebAssembly", run: run(raw.exports["small"] as () => number), expected },
    { name: "stackful, stackChecks: false", run: run(unchecked.sync["small"]!), expected },
    { name: "stackful", run: run(checked.sync["small"]!), expected, baseline: "stackful, stackChecks: false" },
  ];
  const title = "a recursive C function, one call of it";
  return [await measure({ title, operations: calls * levels, rows })];
}

await runParts(import.meta.url, { compile: compiling, instantiate: instantiating, "stack-checks": stackChecks });
