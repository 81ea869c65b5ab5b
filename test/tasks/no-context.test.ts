/**
 * Where the platform has no asynchronous context, as in browsers: what docs/tasks.md says of that. This file takes it from Node before
 * it loads the library, so it must not import anything that does.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";

Object.assign(process, { getBuiltinModule: undefined });
const { backends, instantiate, suspend } = await import("stackful");
const { Channel, DeadlockError, Mutex, Supervisor, TaskLocal, dump, scope, sleep, spawn, yieldNow } =
  await import("stackful/tasks");

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A test that also fails when it leaves a task behind. */
function check(name: string, body: () => Promise<void>): void {
  it(name, { timeout: 60_000 }, async () => {
    await body();
    await turn();
    assert.deepEqual(dump(), [], "the test leaves tasks behind");
  });
}

const transform = backends().some(({ name, available }) => name === "transform" && available);

async function startLoop(step: (value: number) => unknown): Promise<{ loop: (count: number) => Promise<unknown> }> {
  const bytes = Uint8Array.from(readFileSync(new URL("../guests/loop.wasm", import.meta.url)));
  const host = { step, next: () => 0, tick: () => {} };
  const instance = await instantiate<{ loop(count: number): number }>(bytes, { host }, { backend: "transform" });
  return { loop: (count) => instance.exports.loop(count) };
}

describe("Without an asynchronous context", () => {
  check("a task is cancelled at its first wait", async () => {
    const task = spawn(() => sleep(60_000));
    await turn();
    task.cancel("stop");
    assert.deepEqual(await task.join(), { state: "cancelled", reason: "stop" });
  });

  check("a task is cancelled at a later one that was given its signal", async () => {
    const task = spawn(async ({ signal }) => {
      await yieldNow();
      await sleep(60_000, { signal });
    });
    await turn();
    assert.deepEqual(dump()[0]?.waitingFor, ["a timer"]);
    task.cancel("stop");
    assert.deepEqual(await task.join(), { state: "cancelled", reason: "stop" });
  });

  check("a scope is cancelled with the task around it whose signal it was given", async () => {
    const events: string[] = [];
    const task = spawn(async ({ signal }) => {
      await yieldNow();
      await scope(
        async (scope) => {
          scope.defer(() => events.push("cleanup"));
          scope.spawn(() => sleep(60_000));
          await yieldNow();
          await sleep(60_000, { signal: scope.signal });
        },
        { signal },
      );
    });
    await turn();
    await turn();
    task.cancel();
    assert.equal((await task.join()).state, "cancelled");
    assert.deepEqual(events, ["cleanup"]);
  });

  check("tasks that wait for each other's locks are told, if the locks were taken with their signals", async () => {
    const [a, b] = [new Mutex({ name: "a" }), new Mutex({ name: "b" })];
    const both = (first: typeof a, second: typeof a) => async (task: { signal: AbortSignal }) => {
      const { signal } = task;
      using one = await first.lock({ signal });
      await turn();
      using two = await second.lock({ signal });
      return [one, two];
    };
    const results = await Promise.all([spawn(both(a, b)).join(), spawn(both(b, a)).join()]);
    assert.ok(results.every((result) => result.state === "threw" && result.error instanceof DeadlockError));
    assert.deepEqual([a.locked, b.locked], [false, false]);
  });

  check("a TaskLocal has the values of the tasks that it is told", async () => {
    const local = new TaskLocal(() => "none");
    const tasks = ["a", "b"].map((value) =>
      spawn(async (task) => {
        local.set(value);
        await yieldNow();
        return local.get(task);
      }),
    );
    assert.deepEqual(await Promise.all(tasks), ["a", "b"]);
  });

  check("a supervisor ends with its signal", async () => {
    const controller = new AbortController();
    const run = async ({ signal }: { signal: AbortSignal }): Promise<void> => sleep(60_000, { signal });
    const children = [
      { name: "failing once", run: () => Promise.reject(new Error("no")) },
      { name: "steady", run },
    ];
    const ended = new Supervisor(children, { backoff: { initialMs: 60_000, maxMs: 60_000 } }).run({
      signal: controller.signal,
    });
    await sleep(5);
    controller.abort("enough");
    await assert.rejects(ended, (reason) => reason === "enough");
  });

  check("guests belong to their task wherever they wait", async () => {
    if (!transform) return;
    const channel = new Channel<number>({ name: "numbers" });
    const owners = new TaskLocal(() => "nobody");
    const seen: string[] = [];
    const { loop } = await startLoop(() => {
      seen.push(owners.get());
      return channel.receiveSoon();
    });
    const task = spawn(
      () => {
        owners.set("guest");
        return loop(3);
      },
      { name: "guest" },
    );
    await turn();
    for (const value of [1, 2]) await channel.send(value);
    await turn();
    const [report] = dump();
    assert.deepEqual([report?.name, report?.waitingFor], ["guest", ["a value from channel numbers"]]);
    assert.deepEqual(seen, ["guest", "guest", "guest"]);
    task.cancel("stop");
    assert.deepEqual(await task.join(), { state: "cancelled", reason: "stop" });
  });

  check("a coroutine is unwound at any promise that it yields", async () => {
    if (!transform) return;
    const bytes = Uint8Array.from(readFileSync(new URL("../guests/loop.wasm", import.meta.url)));
    let waits = 0;
    const step = (): unknown => suspend(++waits < 3 ? Promise.resolve(1) : new Promise(() => {}));
    const host = { step, next: () => 0, tick: () => {} };
    const instance = await instantiate(bytes, { host }, { backend: "transform" });
    const coroutine = instance.coroutine("loop", { args: [5] });
    const task = spawn(coroutine);
    const hasYielded = (): boolean => waits === 3;
    for (let tries = 0; tries < 5000 && !hasYielded(); tries++) await sleep(1);
    assert.equal(waits, 3);
    task.cancel("stop");
    assert.deepEqual(await task.join(), { state: "cancelled", reason: "stop" });
    assert.equal(coroutine.state, "unwound");
  });
});
