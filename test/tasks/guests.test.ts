/** Tasks whose bodies are coroutines and calls of guests. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { backends, instantiate, suspend } from "stackful";
import type { HostImports, Instance } from "stackful";
import { Channel, dump, shield, sleep, spawn } from "stackful/tasks";
import { guestBytes } from "../conformance/harness.ts";
import { check, stateOf, turn } from "./harness.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const skip = backends().some(({ available }) => available) ? false : "this runtime has no backend";

/** A guest that calls `step` for each number from that given down to 1, and adds up what it answers. */
async function loopWith(step: (value: number) => unknown): Promise<Instance> {
  const host: HostImports = { host: { step, next: () => 0, tick: () => {} } };
  return instantiate(guestBytes("loop"), host);
}

describe("A task", { skip }, () => {
  check("runs a coroutine, and awaits the promises that it yields", async () => {
    const { instance } = { instance: await loopWith((value) => suspend(Promise.resolve(value * 2))) };
    assert.equal(await spawn(instance.coroutine("loop", { args: [4] })), 20);
  });

  check("gives way where its coroutine yields something else", async () => {
    const instance = await loopWith((value) => suspend(value));
    assert.equal(await spawn(instance.coroutine("loop", { args: [4] })), 10);
  });

  check("throws a rejection into its coroutine", async () => {
    const error = new Error("refused");
    const instance = await loopWith(() => suspend(Promise.reject(error)));
    assert.deepEqual(await spawn(instance.coroutine("loop", { args: [4] })).join(), { state: "threw", error });
  });

  check("unwinds its coroutine when it is cancelled, wherever it waits", async () => {
    const waits = [(): unknown => sleep(100_000), (): unknown => suspend(sleep(100_000)), (): unknown => suspend(1)];
    for (const wait of waits) {
      const instance = await loopWith(wait);
      const coroutine = instance.coroutine("loop", { args: [1_000_000] });
      const task = spawn(coroutine);
      await turn();
      task.cancel("stop");
      assert.deepEqual(await task.join(), { state: "cancelled", reason: "stop" });
      assert.equal(coroutine.state, "unwound");
    }
  });

  check("never starts a coroutine when it is cancelled before", async () => {
    const instance = await loopWith(() => assert.fail("has run"));
    const coroutine = instance.coroutine("loop", { args: [1] });
    const task = spawn(coroutine);
    task.cancel();
    assert.equal(await stateOf(task), "cancelled");
    assert.equal(coroutine.done, true);
  });

  check("is known to the host functions of the guest that it calls", async () => {
    const channel = new Channel<number>({ name: "numbers" });
    const instance = await loopWith(() => channel.receive());
    const task = spawn(() => instance.getAsync("loop")(3), { name: "consumer" });
    const cancelled = spawn(() => instance.getAsync("loop")(3));
    await turn();
    assert.deepEqual(dump()[0]?.waitingFor, ["a value from channel numbers"]);
    cancelled.cancel();
    for (const value of [1, 2, 3]) await channel.send(value);
    assert.equal(await task, 6);
    assert.equal(await stateOf(cancelled), "cancelled");
  });

  check("unwinds the guests that it has called when it is cancelled, whatever they wait for", async () => {
    for (const { name: backend, available } of backends()) {
      if (!available) continue;
      const wait = (): unknown => new Promise(() => {});
      const instance = await instantiate(
        guestBytes("loop"),
        { host: { step: wait, next: wait, tick: wait } },
        { backend },
      );
      const plain = spawn(() => instance.getAsync("loop")(3));
      const named = spawn(() => instance.function("loop").call([3], { timeoutMs: 60_000 }));
      const own = new AbortController();
      const ownSignal = spawn(() => instance.function("loop").call([3], { signal: own.signal }));
      const shielded = spawn(() => shield(() => instance.function("loop").call([3], { signal: own.signal })));
      await turn();
      for (const task of [plain, named, ownSignal, shielded]) task.cancel("stop");
      for (const task of [plain, named]) assert.deepEqual(await task.join(), { state: "cancelled", reason: "stop" });
      assert.deepEqual([ownSignal.state, shielded.state], ["running", "running"]);
      own.abort("enough");
      for (const task of [ownSignal, shielded]) {
        const result = await task.join();
        assert.ok(result.state === "threw" && result.error === "enough");
      }
    }
  });

  check("says in dump() in which functions of which guests it waits", async () => {
    for (const { name: backend, available } of backends()) {
      if (!available) continue;
      const channel = new Channel<number>({ name: "numbers" });
      const host = { wait: () => channel.receiveSoon(), fill: () => {} };
      const instance = await instantiate(guestBytes("frames"), { host }, { backend });
      const tasks = [
        spawn(() => instance.getAsync("nested")(1, 2), { name: "call" }),
        spawn(instance.coroutine("nested", { args: [2, 1] }), { name: "coroutine" }),
      ];
      await turn();
      // The first wait of each is over: the next one is a level deeper.
      for (const value of [0, 0]) channel.trySend(value);
      await turn();
      const guests = Object.fromEntries(dump().map(({ name, guests: [guest] }) => [name, guest]));
      const see = (...frames: string[]): string[] => (backend === "transform" ? frames : []);
      assert.deepEqual(guests, {
        call: { awaitedImport: "host.wait", frames: see("level", "level", "nested") },
        coroutine: { awaitedImport: "host.wait", frames: see("level", "level", "nested") },
      });
      for (const task of tasks) task.cancel();
      for (const task of tasks) assert.equal(await stateOf(task), "cancelled");
    }
  });

  check("passes messages between two guests that both wait", async () => {
    const channel = new Channel<number>({ capacity: 16 });
    const producer = await loopWith((value) => channel.send(value).then(() => 0));
    const consumer = await loopWith(() => channel.receive());
    const tasks = [spawn(() => producer.getAsync("loop")(1000)), spawn(() => consumer.getAsync("loop")(1000))];
    assert.deepEqual(await Promise.all(tasks), [0, 500_500]);
  });
});

describe("An error of a task", () => {
  check("at which nobody looks is reported when the task is garbage", async () => {
    const reported: unknown[] = [];
    const before = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection");
    process.on("unhandledRejection", (error) => reported.push(error));
    try {
      const [lost, seen] = [new Error("lost"), new Error("seen")];
      await spawnThrowing(lost);
      await spawnThrowing(seen).then((task) => task.result);
      for (let round = 0; round < 50 && reported.length === 0; round++) {
        collect();
        await sleep(1);
      }
      assert.deepEqual(reported, [lost]);
    } finally {
      process.removeAllListeners("unhandledRejection");
      for (const listener of before) process.on("unhandledRejection", listener);
    }
  });
});

/** A task that has thrown, and at which nobody has looked. */
async function spawnThrowing(error: Error): Promise<{ result: unknown }> {
  const task = spawn(() => {
    throw error;
  });
  await turn();
  // Not the task itself, which would be awaited.
  return {
    get result() {
      return task.result;
    },
  };
}
