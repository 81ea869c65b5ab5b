/**
 * What a call between threads costs that blocks the caller, compared with `synckit` (`npm run bench:guests` installs it).
 *
 * `--part=soak` makes a million calls in a row, and then calls from eight threads at once for `--seconds=60`, and looks for lost answers and growth.
 */

import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { isMainThread } from "node:worker_threads";
import { startThread, toSync } from "stackful/blocking";
import { measure } from "./harness/measure.ts";
import type { GroupResult, Row } from "./harness/measure.ts";
import { findInstalled } from "./harness/packages.ts";
import { runParts } from "./harness/parts.ts";

type ThreadModule = typeof import("./blocking-thread.ts");
const module = new URL("./blocking-thread.ts", import.meta.url);

export const parent = { increment: async (value: number): Promise<number> => value + 1 };

const CALLS = 1000;
const SAMPLES = 21;
/** Few at a time, and often: how long one takes depends on where the allocator and the collectors of garbage are. */
const LARGE_CALLS = 20;
const LARGE_SAMPLES = 101;
const MEBIBYTE = 2 ** 20;
const MAX_GROWTH_MEBIBYTES = 32;
const WARM_UP_ROUNDS = 5;

type Echo = (value: unknown) => unknown;

async function synckitEcho(): Promise<Echo | undefined> {
  const file = findInstalled("synckit/lib/index.js");
  if (file === null) return undefined;
  const { createSyncFn } = (await import(pathToFileURL(file).href)) as { createSyncFn: (worker: URL) => Echo };
  return createSyncFn(new URL("./guests/synckit-worker.mjs", import.meta.url));
}

async function small(): Promise<GroupResult[]> {
  const values = { "a number": 1, "a short string": "hello", "a small object": { name: "x", list: [1, 2, 3] } };
  return echoes(values, { operations: CALLS, samples: SAMPLES, limit: 0.5 });
}

async function large(): Promise<GroupResult[]> {
  const values = { "1 MiB of bytes": new Uint8Array(MEBIBYTE), "a string of 1 MiB": "x".repeat(MEBIBYTE) };
  return echoes(values, { operations: LARGE_CALLS, samples: LARGE_SAMPLES, limit: 1 });
}

interface EchoPlan {
  readonly operations: number;
  readonly samples: number;
  readonly limit: number;
}

async function echoes(values: Readonly<Record<string, unknown>>, plan: EchoPlan): Promise<GroupResult[]> {
  const groups: GroupResult[] = [];
  for (const [name, value] of Object.entries(values)) groups.push(await echoOf(name, value, plan));
  return groups;
}

async function echoOf(what: string, value: unknown, { operations, samples, limit }: EchoPlan): Promise<GroupResult> {
  using own = toSync<ThreadModule, "echo">(module, "echo");
  const peer = await synckitEcho();
  const row = (name: string, call: Echo): Row => ({
    name,
    expected: true,
    run: () => {
      let last: unknown;
      for (let index = 0; index < operations; index++) last = call(value);
      return typeof last === typeof value;
    },
  });
  const ours = row("stackful", own);
  const rows = peer === undefined ? [ours] : [row("synckit", peer), { ...ours, limit }];
  return await measure({ title: `toSync(), ${what}`, operations, samples, rows });
}

/** The other direction: a thread that blocks in functions of this one. */
async function fromThread(): Promise<GroupResult[]> {
  const thread = await startThread<ThreadModule>(module, { host: parent });
  const run = (): Promise<number> => thread.exports.callParent(CALLS);
  const expected = (CALLS * (CALLS + 1)) / 2;
  const rows = [{ name: "stackful", expected, run }];
  const result = await measure({
    title: "a thread calls a host function, and blocks",
    operations: CALLS,
    samples: SAMPLES,
    rows,
  });
  await thread.close();
  return [result];
}

async function soak(): Promise<GroupResult[]> {
  using echo = toSync<ThreadModule, "echo">(module, "echo");
  grows("1,000,000 calls in a row", 10, (round) => {
    for (let index = 0; index < 100_000; index++) assert.equal(echo(index), index, `call ${index} of round ${round}`);
  });
  const seconds = Number(
    process.argv.find((argument) => argument.startsWith("--seconds="))?.slice("--seconds=".length) ?? 60,
  );
  await manyThreads(seconds);
  return [];
}

/** Memory after the first rounds, in which code is compiled, must be that at the end, without what nobody has any more. */
function grows(title: string, rounds: number, run: (round: number) => void): void {
  for (let round = 0; round < WARM_UP_ROUNDS; round++) run(round);
  const before = memoryBytes();
  const start = performance.now();
  for (let round = 0; round < rounds; round++) run(round);
  report(title, performance.now() - start, before);
}

/** What the process has, after its garbage was collected twice: the second time finds what finalizers have let go. */
function memoryBytes(): number {
  for (let round = 0; round < 2; round++) (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage.rss();
}

function report(title: string, ms: number, before: number): void {
  const growth = (memoryBytes() - before) / MEBIBYTE;
  const isFlat = growth < MAX_GROWTH_MEBIBYTES;
  if (!isFlat) process.exitCode = 1;
  console.log(
    `${title}: ${(ms / 1000).toFixed(1)} s, memory ${growth >= 0 ? "+" : ""}${growth.toFixed(1)} MiB${isFlat ? "" : "  GREW"}`,
  );
}

async function manyThreads(seconds: number): Promise<void> {
  const threads = await Promise.all(
    Array.from({ length: 8 }, () => startThread<ThreadModule>(module, { host: parent })),
  );
  const end = performance.now() + seconds * 1000;
  let calls = 0;
  let before = 0;
  const work = async (thread: (typeof threads)[number]): Promise<void> => {
    while (performance.now() < end) {
      assert.equal(await thread.exports.callParent(CALLS), (CALLS * (CALLS + 1)) / 2);
      calls += CALLS;
      if (before === 0 && performance.now() > end - seconds * 900) before = memoryBytes();
    }
  };
  await Promise.all(threads.map(work));
  report(`${calls} calls from 8 threads at once, none lost`, seconds * 1000, before);
  await Promise.all(threads.map((thread) => thread.close()));
}

if (isMainThread) await runParts(import.meta.url, { small, large, fromThread, soak }, ["--expose-gc"]);
