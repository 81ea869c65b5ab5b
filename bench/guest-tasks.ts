/** What guests pay for messages, locks and tasks through `stackful.h`. */

import { readFileSync } from "node:fs";
import { compile, instantiate } from "stackful";
import type { BackendName, GuestModule } from "stackful";
import { GuestTasks } from "stackful/guest-tasks";
import { Channel } from "stackful/tasks";
import { WASI } from "stackful/wasi";
import { measure } from "./harness/measure.ts";
import type { GroupResult } from "./harness/measure.ts";
import { runParts } from "./harness/parts.ts";

const MESSAGES = 50_000;
const SUM = (MESSAGES * (MESSAGES + 1)) / 2;

/** The exports of test/guests/tasks-bench.c. */
interface Bench {
  send(name: number, count: number): number;
  receive(name: number, count: number): number;
  pass(capacity: number, bytes: number, count: number): number;
  lock(count: number): number;
  spawn(count: number): number;
}

const BACKENDS = ["transform", "jspi"] as const;

async function moduleFor(backend: BackendName): Promise<GuestModule> {
  return compile(readFileSync(new URL("../test/guests/tasks-bench.wasm", import.meta.url)), { backend });
}

/** Two guests with memories of their own, and a channel between them. */
async function between(module: GuestModule, capacity: number): Promise<() => Promise<unknown>> {
  const channels = { numbers: new Channel<Uint8Array>({ capacity }) };
  const guests = [];
  for (let i = 0; i < 2; i++) {
    const tasks = new GuestTasks({ channels });
    const wasi = new WASI();
    const instance = await instantiate<Bench>(module, { ...wasi.imports(), ...tasks.imports() });
    await wasi.initialize(instance);
    guests.push({ tasks, instance });
  }
  const [producer, consumer] = guests;
  return async () => {
    const sent = producer!.tasks.run((options) => producer!.instance.function("send").call([4, MESSAGES], options));
    const sum = await consumer!.tasks.run((options) =>
      consumer!.instance.function("receive").call([4, MESSAGES], options),
    );
    await sent;
    return sum;
  };
}

/** One guest, whose tasks do it with each other. */
async function within(module: GuestModule, name: string, args: number[]): Promise<() => Promise<unknown>> {
  const [tasks, wasi] = [new GuestTasks(), new WASI()];
  const instance = await instantiate(module, { ...wasi.imports(), ...tasks.imports() });
  await wasi.initialize(instance);
  return () => tasks.run((options) => instance.function(name).call(args, options));
}

async function messages(): Promise<GroupResult[]> {
  const groups: GroupResult[] = [];
  for (const backend of BACKENDS) {
    const module = await moduleFor(backend);
    const rows = [];
    for (const [name, capacity] of [
      ["rendezvous", 0],
      ["capacity 1", 1],
      ["capacity 64", 64],
    ] as const) {
      rows.push({ name: `two guests, ${name}, 4 bytes`, run: await between(module, capacity), expected: SUM });
      for (const bytes of [4, 64]) {
        const run = await within(module, "pass", [capacity, bytes, MESSAGES]);
        rows.push({ name: `two tasks of one guest, ${name}, ${bytes} bytes`, run, expected: SUM });
      }
    }
    const title = `stackful.h on backend ${backend}, per message; goal: 1,000 ns`;
    groups.push(await measure({ title, operations: MESSAGES, rows, samples: 15 }));
  }
  return groups;
}

async function tasks(): Promise<GroupResult[]> {
  const count = 2000;
  const groups: GroupResult[] = [];
  for (const backend of BACKENDS) {
    const module = await moduleFor(backend);
    const rows = [
      { name: "spawn and join", run: await within(module, "spawn", [count]), expected: count },
      { name: "lock and unlock, free", run: await within(module, "lock", [count]), expected: count },
    ];
    groups.push(await measure({ title: `stackful.h on backend ${backend}`, operations: count, rows, samples: 15 }));
  }
  return groups;
}

await runParts(import.meta.url, { messages, tasks });
