/** Guests of which only a `WebAssembly.Module` is at hand: right, but one call at a time. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { SuspendError, backends, instantiate, suspend, wrapAsync, wrapAsyncWithCaller } from "stackful";
import type { HostImports, Instance } from "stackful";
import { LIVE, words } from "#src/link/switchboard";

const reason = backends().find(({ name }) => name === "jspi")?.reason;

interface Frames {
  frame(id: number): number;
}

async function link<Exports extends object>(guest: string, imports: HostImports): Promise<Instance<Exports>> {
  const module = new WebAssembly.Module(readFileSync(new URL(`../guests/${guest}.wasm`, import.meta.url)));
  return instantiate<Exports>(module, imports);
}

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

describe("A WebAssembly.Module without its bytes", { skip: reason ?? false }, () => {
  it("runs overlapping calls one after the other, each with its own locals", async () => {
    const waits = new Map<number, (id: number) => void>();
    const wait = wrapAsync((id: number) => new Promise<number>((done) => waits.set(id, done)));
    const instance = await link<Frames>("frames", { host: { wait, fill: () => {} } });
    assert.match(instance.queueReason ?? "", /bytes/);
    const calls = [1, 2, 3].map((id) => instance.exports.frame(id));
    assert.deepEqual([[...waits.keys()], instance.waiting], [[1], 2]);
    for (const id of [1, 2, 3]) {
      waits.get(id)!(id + 10);
      await turn();
    }
    assert.deepEqual(await Promise.all(calls), [1011, 2012, 3013]);
    assert.equal(words[LIVE >> 2], 0);
  });

  it("runs a call that a host function makes on top of the one that called it", async () => {
    const instance: Instance<Frames> = await link<Frames>("frames", {
      host: {
        wait: async (id: number) => {
          await turn();
          if (id < 3) assert.equal(await instance.exports.frame(id + 1), 1000 * (id + 1) + id + 11);
          return id + 10;
        },
        fill: () => {},
      },
    });
    assert.equal(await instance.exports.frame(1), 1011);
  });

  it("takes plain functions, and names an import whose function should have been declared to be asynchronous", async () => {
    const instance = await link<Frames>("frames", { host: { wait: (id: number) => id + 10, fill: () => {} } });
    assert.equal(await instance.exports.frame(1), 1011);
    assert.equal(instance.sync.frame(2), 2012);
    const careless = await link<Frames>("frames", { host: { wait: () => Promise.resolve(1), fill: () => {} } });
    await assert.rejects(
      careless.exports.frame(1),
      (error) => error instanceof SuspendError && /host\.wait/.test(error.message),
    );
    assert.equal(words[LIVE >> 2], 0);
  });

  it("goes on after rejections, traps and cancellations", async () => {
    const failure = new Error("no");
    const answers = [Promise.reject(failure), new Promise<number>(() => {}), Promise.resolve(13)];
    answers[0]!.catch(() => {});
    const wait = wrapAsync(() => answers.shift()!);
    const instance = await link<Frames>("frames", { host: { wait, fill: () => {} } });
    await assert.rejects(instance.exports.frame(1), (error) => error === failure);
    const cancelled = instance.function<[number], number>("frame").call([2], { timeoutMs: 1 });
    const next = instance.exports.frame(3);
    await assert.rejects(cancelled, { name: "TimeoutError" });
    assert.equal(await next, 3013);
  });

  it("runs coroutines, whose host functions know their caller", async () => {
    const seen: unknown[] = [];
    const wait = wrapAsyncWithCaller((caller, id: number) => {
      seen.push(caller.coroutine?.state, caller.memory instanceof WebAssembly.Memory);
      return suspend(id);
    });
    const instance = await link<Frames>("frames", { host: { wait, fill: () => {} } });
    const coroutine = instance.coroutine<number, number, number>("frame");
    assert.deepEqual(await coroutine.resumeAsync(5), { done: false, value: 5 });
    assert.deepEqual(await coroutine.resumeAsync(15), { done: true, value: 5015 });
    assert.deepEqual(seen, ["running", true]);
    const unwound = instance.coroutine("frame", { args: [1] });
    await unwound.resumeAsync(0);
    await unwound.unwind();
    assert.equal(words[LIVE >> 2], 0);
  });
});
