/** Guests that wait in a shared memory: on every backend, in lines of this library and in those of the engine. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { SuspendError, Trap, compile, instantiate } from "stackful";
import type { Instance } from "stackful";
import { keepWaitsTogether } from "#src/atomics/guest-atomics";
import { EngineWaits } from "#src/atomics/engine-waits";
import { processorMs } from "../processor-time.ts";
import { onBackends } from "../wasi/programs.ts";
import type { Backend } from "../wasi/programs.ts";

const WOKEN = 0;
const NOT_EQUAL = 1;
const TIMED_OUT = 2;
const FOREVER = -1n;
const MS = 1_000_000n;

const guestBytes = (name: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(readFileSync(new URL(`../guests/${name}.wasm`, import.meta.url)));
const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

interface Atomics {
  readonly instance: Instance;
  readonly memory: WebAssembly.Memory;
  readonly log: number[];
  call(name: string, ...args: unknown[]): Promise<unknown>;
}

/** `isOwn`: whether nobody else has the memory. */
async function atomics(
  backend: Backend,
  isOwn: boolean,
  answer: (id: number) => unknown = () => undefined,
): Promise<Atomics> {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 16, shared: true });
  if (isOwn) keepWaitsTogether(memory);
  const log: number[] = [];
  const host = { memory, log: (id: number) => (log.push(id), answer(id)) };
  const instance = await instantiate(guestBytes("atomics"), { env: host }, { backend });
  return { instance, memory, log, call: (name, ...args) => instance.function(name).call(args) };
}

/** In both kinds of lines. */
function inBothLines(title: string, test: (backend: Backend, isOwn: boolean) => Promise<void>): void {
  onBackends(`${title}, own lines`, (backend) => test(backend, true));
  onBackends(`${title}, lines of the engine`, (backend) => test(backend, false));
}

describe("memory.atomic.wait", () => {
  inBothLines("does not wait for what is there already, or for no time", async (backend, isOwn) => {
    const { call } = await atomics(backend, isOwn);
    assert.equal(await call("wait32", 0, 1, FOREVER), NOT_EQUAL);
    assert.equal(await call("wait64", 0, 1n << 40n, FOREVER), NOT_EQUAL);
    assert.equal(await call("wait32", 0, 0, 0n), TIMED_OUT);
    assert.equal(await call("wait64", 0, 0n, 0n), TIMED_OUT);
  });

  inBothLines("waits no longer than it is told, and not less", async (backend, isOwn) => {
    const { call } = await atomics(backend, isOwn);
    const begin = performance.now();
    assert.equal(await call("wait32", 0, 0, 30n * MS), TIMED_OUT);
    // Timers of engines may be early by less than a millisecond.
    assert.ok(performance.now() - begin >= (isOwn ? 30 : 29));
    assert.equal(await call("wait64", 8, 0n, 1n), TIMED_OUT);
    // It has left the line.
    assert.equal(await call("notify", 0, -1), 0);
  });

  inBothLines("wakes as many as it is told, those first that have come first", async (backend, isOwn) => {
    const { call } = await atomics(backend, isOwn);
    const order: number[] = [];
    const ends = [1, 2, 3, 4].map(async (id) => {
      assert.equal(await call("wait32", 0, 0, FOREVER), WOKEN);
      order.push(id);
    });
    const wide = call("wait64", 0, 0n, FOREVER);
    assert.equal(await call("notify", 4, -1), 0);
    assert.equal(await call("notify", 0, 0), 0);
    assert.equal(await call("notify", 0, 1), 1);
    await ends[0];
    assert.deepEqual(order, [1]);
    assert.equal(await call("notify", 0, -1), 4);
    await Promise.all(ends);
    assert.deepEqual(order, [1, 2, 3, 4]);
    assert.equal(await wide, WOKEN);
    assert.equal(await call("notify", 0, -1), 0);
  });

  inBothLines("counts the offset", async (backend, isOwn) => {
    const { call } = await atomics(backend, isOwn);
    const ends = [call("wait32_at_8", 16, 0, FOREVER), call("wait32", 24, 0, FOREVER)];
    assert.equal(await call("notify", 16, -1), 0);
    assert.equal(await call("notify_at_8", 16, 1), 1);
    assert.equal(await call("notify", 24, -1), 1);
    assert.deepEqual(await Promise.all(ends), [WOKEN, WOKEN]);
  });

  inBothLines("traps where the instruction does", async (backend, isOwn) => {
    const { call } = await atomics(backend, isOwn);
    const cases: readonly (readonly [string, readonly unknown[], string])[] = [
      ["wait32", [65536, 0, 0n], "memory-out-of-bounds"],
      ["wait64", [65536, 0n, 0n], "memory-out-of-bounds"],
      ["notify", [65536, 0], "memory-out-of-bounds"],
      ["wait32_far", [4], "memory-out-of-bounds"],
      ["wait32_far", [-4], "memory-out-of-bounds"],
      ["wait32", [65531, 0, 0n], "unaligned-atomic"],
      ["wait64", [65524, 0n, 0n], "unaligned-atomic"],
      ["notify", [65531, 0], "unaligned-atomic"],
    ];
    for (const [name, args, kind] of cases) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await assert.rejects(call(name, ...args), (error) => error instanceof Trap && error.kind === kind, name);
    }
  });

  inBothLines("leaves all other code as it was", async (backend, isOwn) => {
    const { call } = await atomics(backend, isOwn);
    assert.equal(await call("indirect", 0, 5), 20);
    assert.equal(await call("indirect", 1, 5), 11);
    assert.equal(await call("plus_one", 5), 6);
  });

  inBothLines("is what locks are made of", async (backend, isOwn) => {
    const { call, memory, log } = await atomics(backend, isOwn, (id) => (id % 2 === 0 ? turn() : undefined));
    await Promise.all(Array.from({ length: 20 }, (_, id) => call("add", 10, id)));
    assert.equal(new Int32Array(memory.buffer)[16], 200);
    assert.equal(log.length, 200);
  });

  inBothLines("is given up by a call that is aborted: whoever comes next is woken", async (backend, isOwn) => {
    const { instance, call } = await atomics(backend, isOwn);
    const controller = new AbortController();
    const first = instance.function("wait32").call([0, 0, FOREVER], { signal: controller.signal });
    const timed = instance.function("wait32").call([0, 0, 60_000n * MS], { timeoutMs: 20 });
    const last = call("wait32", 0, 0, FOREVER);
    controller.abort(new Error("enough"));
    await assert.rejects(first, /enough/);
    await assert.rejects(timed, { name: "TimeoutError" });
    await call("notify", 0, 3);
    assert.equal(await last, WOKEN);
  });

  inBothLines("leaves no timer when it is aborted", async (backend, isOwn) => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const { instance, call } = await atomics(backend, isOwn);
    // What was transformed is kept a moment later, with a timer.
    while (timers() > 0) await sleep(5);
    const controller = new AbortController();
    const end = instance.function("wait32").call([0, 0, 60_000n * MS], { signal: controller.signal });
    await turn();
    assert.equal(timers(), 1);
    controller.abort(new Error("enough"));
    await assert.rejects(end, /enough/);
    assert.equal(timers(), 0);
    await call("notify", 0, 1);
  });

  inBothLines("is an error in a synchronous call, which leaves nobody in the line", async (backend, isOwn) => {
    const { instance, call } = await atomics(backend, isOwn);
    const wait32 = (...args: unknown[]): unknown => instance.function("wait32").sync(...args);
    assert.equal(wait32(0, 1, FOREVER), NOT_EQUAL);
    assert.throws(() => wait32(0, 0, FOREVER), SuspendError);
    const end = call("wait32", 0, 0, FOREVER);
    await call("notify", 0, 2);
    assert.equal(await end, WOKEN);
  });

  onBackends("does not keep timers from firing when two only wake each other", async (backend) => {
    const { call, memory } = await atomics(backend, true);
    const ends = [call("ping", 0), call("ping", 1)];
    // As much as they have computed meanwhile, however little a busy machine lets them.
    for (const start = processorMs(); processorMs() - start < 20;) await sleep(1);
    Atomics.store(new Int32Array(memory.buffer), 64, 1);
    await turn();
    await call("notify", 192, 2);
    const [one, other] = (await Promise.all(ends)) as [number, number];
    assert.ok(one > 100 && other > 100, `${one} and ${other} turns`);
  });

  onBackends("meets real threads in the line of the engine", async (backend) => {
    if (!EngineWaits.isAvailable) return;
    const { call, memory } = await atomics(backend, false);
    const source = `
      const { workerData: memory } = require("node:worker_threads");
      const words = new Int32Array(memory.buffer);
      Atomics.store(words, 100, 1);
      Atomics.notify(words, 100);
      Atomics.wait(words, 101, 0);
      for (let woken = 0; woken < 2; ) woken += Atomics.notify(words, 0, 1);
    `;
    const ends = [call("wait32", 0, 0, FOREVER), call("wait32", 0, 0, FOREVER)];
    const worker = new Worker(source, { eval: true, workerData: memory });
    if (Atomics.load(new Int32Array(memory.buffer), 100) === 0) await call("wait32", 400, 0, FOREVER);
    Atomics.store(new Int32Array(memory.buffer), 101, 1);
    while ((await call("notify", 404, 1)) === 0 && (await Promise.race([...ends, sleep(1, "not yet")])) === "not yet") {
      // It may not wait yet.
    }
    assert.deepEqual(await Promise.all(ends), [WOKEN, WOKEN]);
    await worker.terminate();
  });

  onBackends("waits in the memory that it names, and traps in one that is not shared", async (backend) => {
    const bytes = guestBytes("atomics-memories");
    if (!WebAssembly.validate(bytes)) return;
    const instance = await instantiate(bytes, {}, { backend });
    const call = (name: string): Promise<unknown> => instance.function(name).call([]);
    await assert.rejects(call("wait_plain"), Trap);
    assert.equal(await call("notify_plain"), 0);
    const ends = [call("wait_first"), call("wait_second")];
    assert.equal(await call("notify_second"), 1);
    assert.equal(await ends[1], WOKEN);
    assert.equal(await call("notify_first"), 1);
    assert.equal(await ends[0], WOKEN);
  });

  onBackends("takes 64-bit addresses", async (backend) => {
    const bytes = guestBytes("atomics-memory64");
    if (!WebAssembly.validate(bytes)) return;
    const instance = await instantiate(bytes, {}, { backend });
    const call = (name: string, ...args: unknown[]): Promise<unknown> => instance.function(name).call(args);
    const end = call("wait32", 8n, 0, FOREVER);
    assert.equal(await call("notify", 8n, 5), 1);
    assert.equal(await end, WOKEN);
    assert.equal(await call("wait64", 8n, 1n, 0n), NOT_EQUAL);
    await assert.rejects(call("wait32", 2n ** 40n, 0, 0n), Trap);
    await assert.rejects(call("notify", 2n ** 63n, 0), Trap);
  });
});

describe("The option atomicWaits", () => {
  it("leaves waits to the engine, if that is asked for", async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 16, shared: true });
    const module = await compile(guestBytes("atomics"), { atomicWaits: "block" });
    assert.equal(
      module.imports.some((entry) => entry.module.startsWith("stackful:")),
      false,
    );
    const instance = await instantiate(module, { env: { memory, log: () => {} } });
    const wait32 = (...args: unknown[]): unknown => instance.function("wait32").sync(...args);
    const begin = performance.now();
    assert.equal(wait32(0, 0, 20n * MS), TIMED_OUT);
    assert.ok(performance.now() - begin >= 19);
  });

  it("cannot be changed afterwards, and has two values", async () => {
    const module = await compile(guestBytes("atomics"));
    await assert.rejects(instantiate(module, {}, { atomicWaits: "block" }), /option atomicWaits of a compiled guest/);
    await assert.rejects(compile(guestBytes("atomics"), { atomicWaits: "never" as never }), TypeError);
  });
});
