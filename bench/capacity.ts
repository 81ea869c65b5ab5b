/** What a suspended call takes: 10,000 of them at once, and what happens to those beyond the limit. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { link, linkRaw, suspending } from "./harness/guests.ts";
import type { GuestFunction } from "./harness/guests.ts";
import type { GroupResult } from "./harness/measure.ts";
import { runParts } from "./harness/parts.ts";

const LIVE = 10_000;

interface Usage {
  readonly rss: number;
  readonly heap: number;
  readonly mappings: number;
}

function usage(): Usage {
  (globalThis as { gc?: () => void }).gc?.();
  const maps = "/proc/self/maps";
  const mappings = existsSync(maps) ? readFileSync(maps, "utf8").split("\n").length - 1 : 0;
  const { rss, heapUsed } = process.memoryUsage();
  return { rss, heap: heapUsed, mappings };
}

interface Subject {
  readonly title: string;
  readonly callee: GuestFunction;
  readonly release: () => void;
  readonly waiting: () => number;
}

async function fill({ title, callee, release, waiting }: Subject, calls: number): Promise<GroupResult[]> {
  // Once with a few, so that what is compiled and allocated once does not count.
  const few = Array.from({ length: 10 }, () => callee(1) as Promise<unknown>);
  release();
  await Promise.all(few);

  const before = usage();
  const start = performance.now();
  const pending = Array.from({ length: calls }, () => callee(1) as Promise<number>);
  const suspended = performance.now();
  const during = usage();
  const queued = waiting();
  const end = performance.now();
  const results = Promise.all(pending);
  const releaser = setInterval(release);
  await results;
  clearInterval(releaser);
  const finished = performance.now();
  assert.equal(new Set(await results).size, 1);
  const after = usage();

  const live = calls - queued;
  const per = (bytes: number): string => `${Math.round(bytes / live)} bytes`;
  console.log(`\n${title}: ${calls} calls at once, ${live} live, ${queued} waiting for their turn`);
  console.log(
    `  memory of the process  ${per(during.rss - before.rss)} each, of that JavaScript heap ${per(during.heap - before.heap)}`,
  );
  console.log(`  mappings               ${((during.mappings - before.mappings) / live).toFixed(2)} each`);
  console.log(`  time to start          ${(((suspended - start) / live) * 1e3).toFixed(1)} µs each`);
  console.log(`  time to finish         ${(((finished - end) / calls) * 1e3).toFixed(1)} µs each`);
  console.log(
    `  left when all have ended: ${((after.rss - before.rss) / 2 ** 20).toFixed(1)} MiB, ${after.mappings - before.mappings} mappings`,
  );
  return [];
}

/** Host functions that wait for `release`. */
function gated(): { wait: () => Promise<number>; release: () => void } {
  const gates: (() => void)[] = [];
  return {
    wait: () => new Promise((resolve) => gates.push(() => resolve(1))),
    release: () => {
      for (const open of gates.splice(0)) open();
    },
  };
}

/** Not with C code: 10,000 frames do not fit into the guest's one stack. */
async function raw(guest: string, name: string, title: string): Promise<GroupResult[]> {
  const { wait, release } = gated();
  const host = suspending({ wait, fill: () => {}, step: wait, next: wait, tick: wait });
  const functions = await linkRaw(guest, host);
  return fill({ title, callee: functions[name]!, release, waiting: () => 0 }, LIVE);
}

async function stackful(
  guest: string,
  name: string,
  { title, calls }: { title: string; calls: number },
): Promise<GroupResult[]> {
  const { wait, release } = gated();
  const instance = await link(guest, { wait, fill: () => {}, step: wait, next: wait, tick: wait });
  return fill({ title, callee: instance.exports[name]!, release, waiting: () => instance.waiting }, calls);
}

await runParts(
  import.meta.url,
  {
    "raw-memoryless": () => raw("loop", "one", "raw JSPI, guest without memory"),
    memoryless: () => stackful("loop", "one", { title: "stackful, guest without memory", calls: LIVE }),
    frames: () => stackful("frames", "frame", { title: "stackful, C code, regions of 64 KiB", calls: LIVE }),
    queue: () => stackful("loop", "one", { title: "stackful, five times the limit", calls: 5 * LIVE }),
  },
  ["--expose-gc"],
);
