/**
 * Backend `transform`: what the code that it makes costs while nothing suspends, how large it is, how long the compiler
 * takes, and what a suspension takes.
 *
 * Limits are what the project allows itself at most; a title names the goal. Real guests: the `.wasm` files in the folder
 * `STACKFUL_BENCH_GUESTS`, and QuickJS, see harness/quickjs.ts.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { decodeModule } from "#src/binary/decode-module";
import { I32 } from "#src/binary/value-types";
import { ABI, resultsExport, resumeExport } from "#src/transform/abi";
import { FIRST_MODULE } from "#src/transform/first-module";
import { RAISE } from "#src/transform/resume-module";
import { SuspendableInstance } from "#src/transform/suspendable-instance";
import { transformModule } from "#src/transform/transform-module";
import { bytesOf } from "./harness/guests.ts";
import type { GuestFunctions } from "./harness/guests.ts";
import { measure, quantile } from "./harness/measure.ts";
import type { GroupResult, Row, RowResult } from "./harness/measure.ts";
import { runParts } from "./harness/parts.ts";
import { WORKLOADS, findQuickJS } from "./harness/quickjs.ts";
import type { Evaluate, QuickJS } from "./harness/quickjs.ts";

const folder = process.env["STACKFUL_BENCH_GUESTS"];

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
  const quickjs = await findQuickJS(folder);
  if (quickjs) own.push({ name: "QuickJS", file: quickjs.file });
  const given = folder === undefined ? [] : readdirSync(folder).filter((file) => file.endsWith(".wasm"));
  return [...own, ...given.map((name) => ({ name, file: path.join(folder!, name) }))]
    .map((guest) => ({ ...guest, bytes: Uint8Array.from(readFileSync(guest.file)) }))
    .toSorted((a, b) => a.bytes.length - b.bytes.length);
}

async function quickJS(): Promise<QuickJS | null> {
  const found = await findQuickJS(folder);
  if (!found) console.log("\nWithout QuickJS: its packages are not installed in STACKFUL_BENCH_GUESTS");
  return found;
}

function bytesOfCode(bytes: Uint8Array): number {
  const { bodies } = decodeModule(bytes);
  return bodies.reduce((sum, offset, at) => sum + (at % 2 === 0 ? -offset : offset), 0);
}

/** A figure that `measure` did not take, as a ratio to another one. */
function compared(
  name: string,
  values: readonly number[],
  base: { name: string; value: number; limit?: number | undefined },
): RowResult[] {
  const row = (ownName: string, own: readonly number[]): RowResult => ({
    name: ownName,
    ns: quantile(own, 0.5),
    quartiles: [quantile(own, 0.25), quantile(own, 0.75)],
    ratio: quantile(own, 0.5) / base.value,
    bestRatio: Math.min(...own) / base.value,
    baseline: base.name,
    limit: undefined,
  });
  return [row(base.name, [base.value]), { ...row(name, values), limit: base.limit }];
}

/** Guests from so many bytes on are more than their runtime. */
const LARGE = 100_000;

// -- Code that does not suspend

const MEAN_LIMIT = 1.12;
const WORKLOAD_LIMIT = 1.25;
/** One takes a few milliseconds, in which a collection of garbage would weigh too much. */
const RUNS_PER_SAMPLE = 5;

async function slowdown(): Promise<GroupResult[]> {
  const quickjs = await quickJS();
  if (!quickjs) return [];
  const plain = await quickjs.start(quickjs.bytes);
  const transformed = await quickjs.start(transformModule(quickjs.bytes).main);
  // All code is compiled by the optimizing compiler before anything is timed.
  for (const body of Object.values(WORKLOADS))
    for (let i = 0; i < 15; i++) assert.equal(transformed(body), plain(body));
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
    ];
    groups.push(await measure({ title: `QuickJS, ${title}`, operations: RUNS_PER_SAMPLE, samples: 21, rows }));
  }
  return [...groups, meanOf(groups)];
}

function meanOf(groups: readonly GroupResult[]): GroupResult {
  const mean = (pick: (row: RowResult) => number, at: number): number =>
    Math.exp(groups.reduce((sum, { rows }) => sum + Math.log(pick(rows[at]!)), 0) / groups.length);
  const row = (at: number): RowResult => ({
    ...groups[0]!.rows[at]!,
    ns: mean(({ ns }) => ns, at),
    quartiles: [mean(({ quartiles }) => quartiles[0], at), mean(({ quartiles }) => quartiles[1], at)],
    ratio: mean(({ ratio }) => ratio, at),
    bestRatio: mean(({ bestRatio }) => bestRatio, at),
  });
  const title = `QuickJS, geometric mean of ${groups.length} workloads; goal 1.05x`;
  return { title, samples: groups[0]!.samples, rows: [row(0), { ...row(1), limit: MEAN_LIMIT }] };
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
      ],
    };
  });
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
  const quickjs = await quickJS();
  if (!quickjs) return [];
  const once = fileURLToPath(new URL("harness/transform-once.ts", import.meta.url));
  const run = (): number =>
    Number(execFileSync(process.execPath, [...process.execArgv, once, quickjs.file], { encoding: "utf8" })) * 1e6;
  const times = Array.from({ length: COLD_PROCESSES }, run);
  const limit = { name: "what is allowed", value: COLD_LIMIT_MS * 1e6, limit: 1 };
  const title = "transform QuickJS in a fresh process; goal 100 ms";
  return [{ title, samples: COLD_PROCESSES, rows: compared("stackful", times, limit) }];
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

// -- Suspensions

const SWITCHES = 100_000;
const SWITCH_LIMIT_NS = 30;
const DEPTH_LIMIT = 1.5;
const DEPTHS = [1, 10, 100, 1000];

/** Calls `loop_at`, which suspends in every call of its import, and resumes it until it returns. */
type Loop = (depth: number) => number;

/** With nothing but the exports of the modules. */
function byAbi(): Loop {
  const transformed = transformModule(bytesOf("loop"));
  let suspend = (): void => {};
  const zero = (): number => {
    suspend();
    return 0;
  };
  const link = (bytes: Uint8Array<ArrayBuffer>, imports: object): GuestFunctions =>
    new WebAssembly.Instance(new WebAssembly.Module(bytes), imports as WebAssembly.Imports).exports as GuestFunctions;
  const first = link(transformed.main, { host: { step: zero, next: zero, tick: zero } });
  suspend = first[ABI.suspend]!;
  const runtime = transformed.runtime ? link(transformed.runtime, { [FIRST_MODULE]: first }) : first;
  link(transformed.resume(), { [FIRST_MODULE]: { ...first, [RAISE]: () => {} } });
  const resume = first[resumeExport([I32])]!;
  const results = first[resultsExport([I32])]!;
  return (depth) => {
    runtime[ABI.begin]!();
    first["loop_at"]!(depth, SWITCHES);
    let area = runtime[ABI.leave]!() as number;
    while (area !== 0) area = resume(area, 1) as number;
    return results() as number;
  };
}

/** With the driver, which checks what it is told to do. */
function byDriver(): Loop {
  const suspend = (value: unknown): unknown => guest.suspend(value);
  const imports = { host: { step: suspend, next: suspend, tick: suspend } } as unknown as WebAssembly.Imports;
  const guest = new SuspendableInstance(transformModule(bytesOf("loop")), imports);
  return (depth) => {
    let outcome = guest.start("loop_at", depth, SWITCHES);
    while (!outcome.done) outcome = outcome.stack.resume(1);
    return outcome.values[0] as number;
  };
}

async function switches(make: () => Loop, title: string): Promise<GroupResult[]> {
  const loop = make();
  const rows: Row[] = DEPTHS.map((depth) => ({
    name: `${depth} ${depth === 1 ? "frame" : "frames"} below`,
    run: () => loop(depth),
    expected: SWITCHES,
    ...(depth > 1 && { limit: DEPTH_LIMIT }),
  }));
  return [await measure({ title: `suspend and resume, ${title}`, operations: SWITCHES, samples: 15, rows })];
}

async function switchesByAbi(): Promise<GroupResult[]> {
  const groups = await switches(byAbi, "exports of the modules alone");
  const limit = { name: "what is allowed", value: SWITCH_LIMIT_NS, limit: 1 };
  const rows = groups[0]!.rows.map(({ name, ns }) => compared(name, [ns], limit));
  const title = "the same, against the time that is asked for";
  return [...groups, { title, samples: 1, rows: [rows[0]![0]!, ...rows.map(([, row]) => row!)] }];
}

await runParts(import.meta.url, {
  slowdown,
  sizes,
  "compile-cold": cold,
  "compile-warm": warm,
  "switch-abi": switchesByAbi,
  "switch-driver": () => switches(byDriver, "driver"),
});
