/**
 * Nothing grows: the full numbers of which test/conformance/capacity.ts runs a part.
 *
 * Each case runs in ten parts, after a warm-up. After the first neither the resident memory (beyond the noise of the collector), nor the number of
 * memory mappings, nor the guest's memory, its stacks or the count of live calls may grow. `npm run bench -- soak`
 */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { compile, instantiate, suspend } from "stackful";
import type { HostImports, Instance } from "stackful";
import { LIVE, words } from "#src/link/switchboard";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const PARTS = 10;
/** What the collector may keep between two measurements. */
const NOISE_BYTES = 24 * 2 ** 20;
const NOISE_MAPPINGS = 100;

interface Sizes {
  readonly resident: number;
  readonly mappings: number;
  readonly memory: number;
  readonly stacks: number;
  readonly live: number;
}

function mappings(): number {
  return existsSync("/proc/self/maps") ? readFileSync("/proc/self/maps", "utf8").split("\n").length : 0;
}

async function sizesOf(instance: Instance): Promise<Sizes> {
  await new Promise((done) => setImmediate(done));
  collect();
  return {
    resident: process.memoryUsage.rss(),
    mappings: mappings(),
    memory: instance.memory?.buffer.byteLength ?? 0,
    stacks: instance.stacks.size,
    live: words[LIVE >> 2]!,
  };
}

async function soak(title: string, times: number, instance: Instance, body: () => Promise<number>): Promise<void> {
  // The engine's own heap and its compilers take a while to settle, which is no leak.
  for (let done = 0; done < times / 2;) done += await body();
  const start = performance.now();
  let first: Sizes | undefined;
  let last: Sizes | undefined;
  for (let part = 0; part < PARTS; part++) {
    for (let done = 0; done < times / PARTS;) done += await body();
    last = await sizesOf(instance);
    first ??= last;
  }
  const seconds = (performance.now() - start) / 1000;
  print(title, times, seconds, first!, last!);
  assert.ok(last!.resident - first!.resident < NOISE_BYTES, `${title}: resident memory grows`);
  assert.ok(last!.mappings - first!.mappings < NOISE_MAPPINGS, `${title}: mappings grow`);
  for (const key of ["memory", "stacks", "live"] as const) assert.equal(last![key], first![key], `${title}: ${key}`);
}

// oxlint-disable-next-line max-params -- one line of figures
function print(title: string, times: number, seconds: number, first: Sizes, last: Sizes): void {
  const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1).padStart(7);
  console.log(
    `${title.padEnd(34)} ${String(times).padStart(9)}  ${seconds.toFixed(1).padStart(5)} s  ` +
      `rss ${megabytes(first.resident)} -> ${megabytes(last.resident)} MB  ` +
      `mappings ${first.mappings} -> ${last.mappings}  memory ${megabytes(last.memory)} MB  stacks ${last.stacks}`,
  );
}

function link(guest: string, host: HostImports[string]): Promise<Instance> {
  return instantiate(new URL(`../test/guests/${guest}.wasm`, import.meta.url), { host });
}

const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

async function suspensions(): Promise<void> {
  const other = (): number => 0;
  const host = { suspend, suspend_i64: other, suspend_f64: other, suspend_mixed: other, log: other, panic: other };
  const instance = await link("generator", host);
  const coroutine = instance.coroutine<number, number, void>("count", { args: [0] });
  let expected = 0;
  await soak("suspend and resume", 1_000_000, instance, async () => {
    const { value } = await coroutine.resumeAsync(0);
    assert.equal(value, expected++);
    return 1;
  });
  await coroutine.unwind();
}

async function awaits(): Promise<void> {
  const instance = await link("loop", { step: async (value: number) => value, next: () => 0, tick: () => {} });
  await soak("await a host promise", 1_000_000, instance, async () => {
    assert.equal(await instance.exports["loop"]!(1000), 500_500);
    return 1000;
  });
}

async function cancelled(guest: string, name: string, end: "unwind" | "reset"): Promise<void> {
  const instance = await link(guest, { wait: () => suspend(1), fill: () => {}, cleanup: () => {} });
  if (instance.raw.exports["_initialize"] !== undefined) await instance.getAsync("_initialize")();
  await soak(`${end} coroutines of ${guest}`, 100_000, instance, async () => {
    const coroutines = range(20).map((id) => instance.coroutine(name, { args: [id] }));
    await Promise.all(coroutines.map((coroutine) => coroutine.resumeAsync(0)));
    await Promise.all(coroutines.map((coroutine) => coroutine[end]()));
    return 20;
  });
}

async function rejected(name: string, title: string): Promise<void> {
  const error = new Error("rejected");
  const wait = async (): Promise<number> => {
    if (name === "trapping") return 0;
    throw error;
  };
  const instance = await link("frames", { wait, fill: () => {} });
  await soak(title, 100_000, instance, async () => {
    const results = await Promise.allSettled(range(20).map((id) => instance.exports[name]!(id)));
    assert.ok(results.every(({ status }) => status === "rejected"));
    return 20;
  });
}

async function aborted(): Promise<void> {
  const instance = await link("frames", { wait: () => new Promise(() => {}), fill: () => {} });
  const frame = instance.function("frame");
  await soak("abort calls by their signals", 100_000, instance, async () => {
    const controller = new AbortController();
    const calls = Promise.allSettled(range(20).map((id) => frame.call([id], { signal: controller.signal })));
    controller.abort();
    assert.ok((await calls).every(({ status }) => status === "rejected"));
    return 20;
  });
}

/** Instances that nobody uses any more, on backend `transform`: their stacks are in memories that they share. */
async function dropped(): Promise<void> {
  const wait = (): Promise<number> => Promise.resolve(1);
  const guest = await compile(new URL("../test/guests/frames.wasm", import.meta.url), { backend: "transform" });
  const make = (): Promise<Instance> =>
    instantiate(guest, { host: { wait, fill: () => {} } }, { backend: "transform" });
  const witness = await make();
  await soak("instances that are dropped", 50_000, witness, async () => {
    for (const id of range(20)) assert.equal(await (await make()).exports["frame"]!(id), 1000 * id + 1);
    // What was dropped is given back by the event loop.
    await new Promise((done) => setImmediate(done));
    return 20;
  });
}

async function atOnce(guest: string, name: string): Promise<void> {
  const wait = (id: number): Promise<number> => new Promise((done) => setImmediate(done, id % 7));
  const instance = await link(guest, { wait, fill: () => {} });
  const factor = name === "run" ? 2 : 1;
  const start = performance.now();
  const results = await Promise.all(range(50_000).map((id) => instance.exports[name]!(id)));
  for (const [at, result] of results.entries()) assert.equal(result, 1000 * (at + 1) + factor * ((at + 1) % 7));
  const sizes = await sizesOf(instance);
  print(`calls of ${guest} at once`, 50_000, (performance.now() - start) / 1000, sizes, sizes);
}

await suspensions();
await awaits();
await cancelled("frames", "frame", "unwind");
await cancelled("frames-malloc", "frame", "unwind");
await cancelled("cleanup-legacy", "guard", "unwind");
await cancelled("frames", "frame", "reset");
await rejected("frame", "rejected calls");
await rejected("trapping", "calls that trap");
await aborted();
await dropped();
await atOnce("no-memory", "run");
await atOnce("frames", "frame");
