/**
 * Programs that each sleep one second, all at the same time in one thread: how long that takes, and what memory it needs. An instance each, of
 * one compiled module. A process of its own for each number and backend.
 *
 * `npm run bench -- wasi-sleep --programs=20000`
 */

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { compile, instantiate } from "stackful";
import { WASI } from "stackful/wasi";
import { bytesOf } from "./harness/guests.ts";

type Backend = "jspi" | "transform";

interface Goal {
  readonly programs: number;
  readonly seconds: number;
  readonly gibibytes: number;
}

interface Outcome {
  /** Milliseconds until all were asleep, and until all had ended. */
  readonly asleep: number;
  readonly ended: number;
  readonly peakMegabytes: number;
  readonly cpuMs: number;
}

const MAX_SLEEP_CPU_MS = 5;

const GOALS: readonly Goal[] = [
  { programs: 1000, seconds: 2, gibibytes: 4 },
  { programs: 10_000, seconds: 10, gibibytes: 4 },
];

/** Of this process, in megabytes. Linux. */
function peakMegabytes(): number {
  const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Math.round(Number(kilobytes) / 1024);
}

async function sleep(backend: Backend, programs: number): Promise<Outcome> {
  const guest = await compile(bytesOf("wasi-waits"), { backend });
  const cpu = process.cpuUsage();
  const start = performance.now();
  let outputs = 0;
  const run = async (): Promise<number> => {
    const wasi = new WASI({ args: ["waits", "sleep", "1000"], stdin: "ignore", stdout: () => void outputs++ });
    return wasi.start(await instantiate(guest, wasi.imports(), { backend }));
  };
  const ends = Array.from({ length: programs }, run);
  // All have been started when something new has its turn.
  await new Promise((done) => setTimeout(done));
  const asleep = performance.now() - start;
  for (const exitCode of await Promise.all(ends)) assert.equal(exitCode, 0);
  const ended = performance.now() - start;
  assert.equal(outputs, programs);
  const { user, system } = process.cpuUsage(cpu);
  return { asleep, ended, peakMegabytes: peakMegabytes(), cpuMs: (user + system) / 1000 };
}

function inProcess(backend: Backend, programs: number): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL(import.meta.url), [backend, String(programs)]);
    child.once("message", (outcome) => resolve(outcome as Outcome));
    child.once("close", (code) => reject(new Error(`${programs} programs on ${backend} ended with ${String(code)}`)));
  });
}

/** What `sleep` costs in milliseconds of CPU with a timer beside it, and how many of its ticks are missing. */
async function costOf(sleep: () => Promise<unknown>): Promise<{ readonly cpuMs: number; readonly missing: number }> {
  const start = performance.now();
  const cpu = process.cpuUsage();
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 10);
  await sleep();
  clearInterval(ticking);
  const { user, system } = process.cpuUsage(cpu);
  return { cpuMs: (user + system) / 1000, missing: Math.floor((performance.now() - start) / 10) - ticks };
}

/** What one sleep costs, and whether a timer beside it is held up; the same with no guest in turns, since that timer costs the most. */
async function sleepOnce(backend: Backend): Promise<void> {
  const guest = await compile(bytesOf("wasi-waits"), { backend });
  const costs: number[] = [];
  const plainCosts: number[] = [];
  let late = 0;
  for (let round = 0; round < 10; round++) {
    const wasi = new WASI({ args: ["waits", "nanosleep", "200"], stdin: "ignore", stdout: "ignore" });
    const instance = await instantiate(guest, wasi.imports(), { backend });
    const { cpuMs, missing } = await costOf(async () => assert.equal(await wasi.start(instance), 0));
    costs.push(cpuMs);
    late = Math.max(late, missing);
    plainCosts.push((await costOf(() => new Promise((done) => setTimeout(done, 200)))).cpuMs);
  }
  const [median, plain] = [costs, plainCosts].map((each) => each.toSorted((a, b) => a - b)[5]!) as [number, number];
  if (median >= MAX_SLEEP_CPU_MS) process.exitCode = 1;
  console.log(
    `a sleep of 200 ms, ${backend}: ${median.toFixed(1)} ms of CPU (setTimeout() alone: ${plain.toFixed(1)} ms), with a timer of 10 ms beside ` +
      `it that came at most ${late} times too seldom  ${median < MAX_SLEEP_CPU_MS ? "within" : "MISSED"} ${MAX_SLEEP_CPU_MS} ms`,
  );
}

async function main(): Promise<void> {
  for (const backend of ["jspi", "transform"] as const) await sleepOnce(backend);
  const given = process.argv.find((argument) => argument.startsWith("--programs="))?.slice("--programs=".length);
  const goals = given === undefined ? GOALS : [{ programs: Number(given), seconds: Infinity, gibibytes: Infinity }];
  for (const { programs, seconds, gibibytes } of goals) {
    for (const backend of ["jspi", "transform"] as const) {
      const { asleep, ended, peakMegabytes: peak, cpuMs } = await inProcess(backend, programs);
      const isReached = ended < seconds * 1000 && peak < gibibytes * 1024;
      if (!isReached) process.exitCode = 1;
      console.log(
        `${programs} programs, ${backend.padEnd(9)}: asleep after ${(asleep / 1000).toFixed(2)} s, ended after ${(ended / 1000).toFixed(2)} s; ` +
          `${(cpuMs / programs).toFixed(2)} ms of CPU each, ${peak} MiB  ${isReached ? `within ${seconds} s` : `MISSED ${seconds} s`}`,
      );
    }
  }
}

const [, , backend, programs] = process.argv;
if (!process.connected) await main();
else {
  process.send?.(await sleep(backend as Backend, Number(programs)));
  process.disconnect?.();
}
