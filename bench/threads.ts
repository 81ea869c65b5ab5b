/**
 * What a thread of a program costs: starting one and joining it, handing a mutex from one to another, many alive. Beside the same with
 * threads of the engine: a `Worker` each, `Atomics.wait` and `Atomics.notify` between two of them.
 *
 * `npm run bench -- threads`
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { compile, instantiate } from "stackful";
import type { GuestModule } from "stackful";
import { TextOutput, WASI } from "stackful/wasi";
import { bytesOf } from "./harness/guests.ts";
import { quantile } from "./harness/measure.ts";

const BACKENDS = ["jspi", "transform"] as const;
const ROUNDS = 9;
const TURNS = 20_000;
const SPAWNS = 500;
const WORKERS = 20;

async function run(guest: GuestModule, ...args: readonly (string | number)[]): Promise<string> {
  const stdout = new TextOutput();
  const wasi = new WASI({ args: ["pthreads", ...args.map(String)], stdin: "ignore", stdout });
  assert.equal(await wasi.start(await instantiate(guest, wasi.imports())), 0);
  return stdout.text;
}

/** Nanoseconds that a program has measured itself. */
async function measured(guest: GuestModule, what: string, count: number): Promise<number> {
  const [, ns] = /^(\d+) ns\n$/.exec(await run(guest, "bench", what, count)) ?? [];
  return Number(ns);
}

async function spawnWorkers(): Promise<number> {
  const start = performance.now();
  for (let count = 0; count < WORKERS; count++) await once(new Worker("", { eval: true }), "exit");
  return ((performance.now() - start) * 1e6) / WORKERS;
}

const TAKE_TURNS = `
  const { workerData: { words, me, turns } } = require("node:worker_threads");
  for (let count = 0; count < turns; count++) {
    while (Atomics.load(words, 0) !== me) Atomics.wait(words, 0, 1 - me);
    Atomics.store(words, 0, 1 - me);
    Atomics.notify(words, 0);
  }
`;

async function turnsOfWorkers(): Promise<number> {
  const words = new Int32Array(new SharedArrayBuffer(4));
  const workers = [0, 1].map((me) => {
    return new Worker(TAKE_TURNS, { eval: true, workerData: { words, me, turns: TURNS / 2 } });
  });
  await Promise.all(workers.map((worker) => once(worker, "online")));
  const start = performance.now();
  await Promise.all(workers.map((worker) => once(worker, "exit")));
  return ((performance.now() - start) * 1e6) / TURNS;
}

function text(ns: number): string {
  return ns < 10_000 ? `${Math.round(ns)} ns` : `${(ns / 1000).toFixed(1)} µs`;
}

async function compare(title: string, rows: Readonly<Record<string, () => Promise<number>>>): Promise<void> {
  const times = new Map(Object.keys(rows).map((name) => [name, [] as number[]]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, body] of Object.entries(rows)) times.get(name)!.push(await body());
  }
  console.log(`\n${title} (medians of ${ROUNDS}, and the best)`);
  for (const [name, all] of times) {
    console.log(`  ${name.padEnd(28)}${text(quantile(all, 0.5)).padStart(10)}${text(Math.min(...all)).padStart(12)}`);
  }
}

const guests = Object.fromEntries(
  await Promise.all(
    BACKENDS.map(async (backend) => [backend, await compile(bytesOf("threads/pthreads"), { backend })] as const),
  ),
);
const onBackends = (body: (guest: GuestModule) => Promise<number>): Record<string, () => Promise<number>> =>
  Object.fromEntries(BACKENDS.map((backend) => [backend, () => body(guests[backend]!)]));

await compare("a thread: pthread_create and pthread_join", {
  ...onBackends((guest) => measured(guest, "spawn", SPAWNS)),
  "a Worker, and its end": spawnWorkers,
});
await compare("a turn: mutex and condition variable, from one thread to another", {
  ...onBackends((guest) => measured(guest, "turns", TURNS)),
  "Atomics between two Workers": turnsOfWorkers,
});
for (const [backend, guest] of Object.entries(guests)) {
  const start = performance.now();
  const cpu = process.cpuUsage();
  assert.equal(await run(guest, "alive", 5000), "5000 alive\n");
  const { user, system } = process.cpuUsage(cpu);
  const seconds = ((performance.now() - start) / 1000).toFixed(2);
  console.log(`\n5,000 threads alive, ${backend}: ${seconds} s, ${((user + system) / 5e6).toFixed(2)} ms of CPU each`);
}
