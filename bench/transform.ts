/**
 * Backend `transform`: what the code that it makes costs while nothing suspends, how large it is, and how long the compiler
 * takes; all of it also with Binaryen's Asyncify. transform-stacks.ts measures what suspends.
 *
 * Limits are what the project allows itself at most; a title names the goal. Real guests and Binaryen have to be installed,
 * see harness/packages.ts.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { decodeModule } from "#src/binary/decode-module";
import { transformModule } from "#src/transform/transform-module";
import { asyncify } from "./harness/binaryen.ts";
import type { Asyncified } from "./harness/binaryen.ts";
import { addedImports } from "./harness/first-module.ts";
import { compared, geometricMean, measure, quantile } from "./harness/measure.ts";
import type { GroupResult, Row, RowResult } from "./harness/measure.ts";
import { installedGuests } from "./harness/packages.ts";
import { runParts } from "./harness/parts.ts";
import { WORKLOADS, findQuickJS } from "./harness/quickjs.ts";
import type { Evaluate } from "./harness/quickjs.ts";

const BINARYEN = "Binaryen's Asyncify -O2";

interface Guest {
  readonly name: string;
  readonly file: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

async function guests(): Promise<Guest[]> {
  const own = ["frames", "callback", "plugin"].map((name) => ({
    name,
    file: fileURLToPath(new URL(`../test/guests/${name}.wasm`, import.meta.url)),
  }));
  const quickjs = await findQuickJS();
  if (quickjs) own.push({ name: "QuickJS", file: quickjs.file });
  return [...own, ...installedGuests()]
    .map((guest) => ({ ...guest, bytes: Uint8Array.from(readFileSync(guest.file)) }))
    .toSorted((a, b) => a.bytes.length - b.bytes.length);
}

function bytesOfCode(bytes: Uint8Array): number {
  const { bodies } = decodeModule(bytes);
  return bodies.reduce((sum, offset, at) => sum + (at % 2 === 0 ? -offset : offset), 0);
}

/** Guests from so many bytes on are more than their runtime. */
const LARGE = 100_000;

// -- Code that does not suspend

const MEAN_LIMIT = 1.12;
const WORKLOAD_LIMIT = 1.25;
/** One takes a few milliseconds, in which a collection of garbage would weigh too much. */
const RUNS_PER_SAMPLE = 2;
const SAMPLES = 51;

async function slowdown(): Promise<GroupResult[]> {
  const quickjs = await findQuickJS();
  if (!quickjs) return [];
  const plain = await quickjs.start(quickjs.bytes);
  const made = transformModule(quickjs.bytes);
  const transformed = await quickjs.start(made.main, { imports: addedImports(made), attach: () => {} });
  const asyncified = asyncify(quickjs.bytes);
  const binaryen = asyncified && (await quickjs.start(asyncified.bytes));
  // All code is compiled by the optimizing compiler before anything is timed.
  for (const body of Object.values(WORKLOADS)) {
    for (let i = 0; i < 15; i++) {
      const expected = plain(body);
      assert.equal(transformed(body), expected);
      if (binaryen) assert.equal(binaryen(body), expected);
    }
  }
  await new Promise((done) => setTimeout(done, 1500));
  const groups: GroupResult[] = [];
  for (const [title, body] of Object.entries(WORKLOADS)) {
    const expected = plain(body);
    const run = (evaluate: Evaluate) => (): unknown => {
      let result: unknown;
      for (let i = 0; i < RUNS_PER_SAMPLE; i++) result = evaluate(body);
      return result;
    };
    const rows: Row[] = [
      { name: "plain", run: run(plain), expected },
      { name: "transformed", run: run(transformed), expected, limit: WORKLOAD_LIMIT },
      ...(binaryen ? [{ name: BINARYEN, run: run(binaryen), expected }] : []),
    ];
    groups.push(await measure({ title: `QuickJS, ${title}`, operations: RUNS_PER_SAMPLE, samples: SAMPLES, rows }));
  }
  const title = `QuickJS, geometric mean of ${groups.length} workloads; goal 1.05x`;
  return [...groups, geometricMean(groups, title, [undefined, MEAN_LIMIT])];
}

// -- Size

const SIZE_LIMIT = 1.25;

async function sizes(): Promise<GroupResult[]> {
  return (await guests()).map(({ name, bytes }) => {
    const transformed = transformModule(bytes);
    const { functions, suspendable, sites } = transformed.report;
    const base = { name: "plain", value: bytes.length };
    return {
      title: `size of ${name}, ${suspendable} of ${functions} functions suspendable, ${sites} sites; goal 1.15x`,
      samples: 1,
      unit: "bytes",
      rows: [
        ...compared("first module", [transformed.main.length], {
          ...base,
          limit: bytes.length < LARGE ? undefined : SIZE_LIMIT,
        }),
        compared("resume module", [transformed.resume().length], base)[1]!,
        ...(name === "QuickJS" ? binaryenRow(bytes, ({ bytes: { length } }) => length, base) : []),
      ],
    };
  });
}

function binaryenRow(
  bytes: Uint8Array,
  figure: (result: Asyncified) => number,
  base: { name: string; value: number; limit?: number | undefined },
): RowResult[] {
  const result = asyncify(bytes);
  return result ? compared(BINARYEN, [figure(result)], base).slice(1) : [];
}

// -- The compiler

const COLD_LIMIT_MS = 300;
const LIMIT_MB_PER_SECOND = 5;
/** The speed is asked of modules with so much code; smaller ones are over before the compiler is warm. */
const LIMITED_FROM_MB = 1;
const COLD_PROCESSES = 5;
const WARM_SAMPLES = 5;

/** QuickJS, each time in a fresh process. */
async function cold(): Promise<GroupResult[]> {
  const quickjs = await findQuickJS();
  if (!quickjs) return [];
  const once = fileURLToPath(new URL("harness/transform-once.ts", import.meta.url));
  const run = (): number =>
    Number(execFileSync(process.execPath, [...process.execArgv, once, quickjs.file], { encoding: "utf8" })) * 1e6;
  const times = Array.from({ length: COLD_PROCESSES }, run);
  const limit = { name: "what is allowed", value: COLD_LIMIT_MS * 1e6, limit: 1 };
  const title = "transform QuickJS in a fresh process; goal 100 ms";
  const rows = [
    ...compared("stackful", times, limit),
    ...binaryenRow(quickjs.bytes, ({ ms }) => ms * 1e6, { ...limit, limit: undefined }),
  ];
  return [{ title, samples: COLD_PROCESSES, rows }];
}

/** Each guest again and again, the large ones against the speed that is asked for. */
async function warm(): Promise<GroupResult[]> {
  const groups: GroupResult[] = [];
  for (const { name, bytes } of await guests()) {
    if (bytes.length < LARGE) continue;
    const first: number[] = [];
    const resume: number[] = [];
    for (let sample = 0; sample <= WARM_SAMPLES; sample++) {
      const start = performance.now();
      const transformed = transformModule(bytes);
      const between = performance.now();
      transformed.resume();
      if (sample === 0) continue;
      first.push((between - start) * 1e6);
      resume.push((performance.now() - between) * 1e6);
    }
    const megabytes = bytesOfCode(bytes) / 1e6;
    const speed = (megabytes / quantile(first, 0.5)) * 1e9;
    const limit = { name: `${LIMIT_MB_PER_SECOND} MB/s`, value: (megabytes / LIMIT_MB_PER_SECOND) * 1e9 };
    groups.push({
      title: `transform ${name}, ${megabytes.toFixed(2)} MB of code, ${speed.toFixed(1)} MB/s`,
      samples: WARM_SAMPLES,
      rows: [
        ...compared("first module", first, { ...limit, limit: megabytes < LIMITED_FROM_MB ? undefined : 1 }),
        compared("resume module, only when something suspends", resume, limit)[1]!,
      ],
    });
  }
  return groups;
}

await runParts(import.meta.url, {
  quickjs: slowdown,
  sizes,
  "compile-cold": cold,
  "compile-warm": warm,
});
