/** Many calls: the cap and its queue, and nothing that grows. The full numbers are in bench/soak.ts. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { CoroutineLocal, suspend } from "stackful";
import type { Instance } from "stackful";
import { Doors, defer, liveActivations, range, rejection, turn } from "./harness.ts";
import type { Functions, Suite } from "./harness.ts";

export function capacity(suite: Suite): void {
  describe("The queue", () => queue(suite));
  describe("Many", () => many(suite));
}

function queue(suite: Suite): void {
  suite.it("starts calls in the order in which they were made, never more than maxLive", async () => {
    const doors = new Doors();
    const before = liveActivations();
    const instance = await suite.instantiate<Functions<"run">>(
      "no-memory",
      { host: { wait: doors.wait } },
      { maxLive: before + 3 },
    );
    const calls = range(1, 10).map((id) => instance.exports.run(id));
    assert.deepEqual(doors.arrivals, [1, 2, 3]);
    assert.equal(instance.waiting, 7);
    for (const id of range(1, 10)) {
      doors.open(id);
      doors.open(id);
      await turn();
      assert.ok(liveActivations() <= before + 3);
    }
    await Promise.all(calls);
    assert.deepEqual(
      doors.arrivals.filter((id, at) => doors.arrivals.indexOf(id) === at),
      range(1, 10),
    );
    assert.equal(instance.waiting, 0);
  });

  suite.it("lets the next one start when a call was rejected, trapped or cancelled", async () => {
    const doors = new Doors();
    const controller = new AbortController();
    const instance = await suite.instantiate<Functions<"frame" | "trapping">>(
      "frames",
      { host: { wait: doors.wait, fill: () => {} } },
      { maxLive: liveActivations() + 1 },
    );
    const calls = [
      rejection(instance.exports.frame(1)),
      rejection(instance.exports.trapping(2)),
      rejection(instance.function("frame").call([3], { signal: controller.signal })),
      rejection(instance.exports.frame(Symbol("wrong"))),
      instance.exports.frame(4),
    ];
    assert.equal(instance.waiting, 4);
    doors.fail(1, new Error("no"));
    await turn();
    doors.open(2);
    await turn();
    controller.abort();
    await turn();
    doors.open(4, 4);
    assert.equal((await Promise.all(calls)).at(-1), 4004);
    assert.deepEqual(doors.arrivals, [1, 2, 3, 4]);
  });

  suite.it("lets a call go first that a running one waits for", async () => {
    const host = {
      to_b: async (depth: number) => instance.exports.b(depth),
      to_a: async (depth: number) => instance.exports.a(depth),
      wait: async () => 10,
    };
    const instance: Instance<Functions<"a" | "b">> = await suite.instantiate(
      "reentrant",
      { host },
      { maxLive: liveActivations() + 2 },
    );
    assert.deepEqual(
      await Promise.all([instance.exports.a(1), instance.exports.a(1), instance.exports.a(1)]),
      [11, 11, 11],
    );
  });

  for (const maxLive of [1, 2, 3, 5]) {
    suite.it(`lets calls go first that host functions make after an await, maxLive ${maxLive}`, async () => {
      const host = {
        to_b: async (depth: number) => {
          await turn();
          return instance.exports.b(depth);
        },
        to_a: async (depth: number) => {
          await Promise.resolve();
          return instance.exports.a(depth);
        },
        wait: async () => 10,
      };
      const instance: Instance<Functions<"a" | "b">> = await suite.instantiate("reentrant", { host }, { maxLive });
      const calls = range(1, 12).map(() => instance.exports.a(1));
      assert.deepEqual(
        await Promise.all(calls),
        calls.map(() => 11),
      );
    });
  }

  suite.it("does not let a recursion through the host wait for itself: too deep is a RangeError", async () => {
    const host = {
      to_b: async (depth: number) => {
        await turn();
        return instance.exports.b(depth);
      },
      to_a: (depth: number) => instance.exports.a(depth),
      wait: async () => 10,
    };
    const instance: Instance<Functions<"a" | "b">> = await suite.instantiate("reentrant", { host }, { maxLive: 5 });
    assert.equal(await instance.exports.a(9), 19);
    const error = await rejection(instance.exports.a(10));
    assert.ok(error instanceof RangeError, String(error));
    assert.match(error.message, /Cannot start call: 10 of this guest .* twice as many as maxLive allows/);
  });

  suite.it("counts the calls of its own guest only", async () => {
    const doors = new Doors();
    const make = (): Promise<Instance<Functions<"run">>> =>
      suite.instantiate<Functions<"run">>("no-memory", { host: { wait: doors.wait } }, { maxLive: 2 });
    const [first, second] = [await make(), await make()];
    const calls = [1, 2, 3].flatMap((id) => [first.exports.run(id), second.exports.run(10 * id)]);
    assert.deepEqual(doors.arrivals, [1, 10, 2, 20]);
    assert.deepEqual([first.waiting, second.waiting], [1, 1]);
    for (const id of [1, 10, 2, 20, 3, 30]) {
      doors.open(id, 1);
      doors.open(id, 1);
    }
    assert.deepEqual(await Promise.all(calls), [1002, 10_002, 2002, 20_002, 3002, 30_002]);
  });

  suite.it("starts the call that waits longest first, whichever guest it is for", async () => {
    const door = defer();
    const started: number[] = [];
    const wait = (id: number): Promise<unknown> => {
      if (id > 0) started.push(id);
      return door.promise;
    };
    const make = (): Promise<Instance<Functions<"run">>> =>
      suite.instantiate<Functions<"run">>("no-memory", { host: { wait } });
    const [first, second] = [await make(), await make()];
    const crowd = Array.from({ length: 10_000 }, () => first.exports.run(0));
    const calls = [second.exports.run(1), first.exports.run(2), second.exports.run(3), first.exports.run(4)];
    assert.deepEqual([started.length, first.waiting, second.waiting], [0, 2, 2]);
    door.resolve(0);
    await Promise.all([...crowd, ...calls]);
    assert.deepEqual(
      started.filter((id, at) => started.indexOf(id) === at),
      [1, 2, 3, 4],
    );
  });

  suite.it("lets a call of a guest with one stack go on that comes back through another guest", async () => {
    const queued: Instance<Functions<"frame">> = await suite.instantiate("frames-no-grow", {
      host: { wait: async (id: number) => (id === 1 ? other.exports.run(2) : 5), fill: () => {} },
    });
    const other = await suite.instantiate<Functions<"run">>("no-memory", {
      host: {
        wait: async () => {
          await turn();
          return queued.exports.frame(3);
        },
      },
    });
    assert.equal(await queued.exports.frame(1), 1000 + 2000 + 2 * 3005);
  });

  suite.it("of one guest does not stop the others", async () => {
    const doors = new Doors();
    const host = { wait: doors.wait, fill: () => {} };
    const crowded = await suite.instantiate<Functions<"frame">>("frames-no-grow", { host });
    const free = await suite.instantiate<Functions<"frame">>("frames", { host });
    const calls = [crowded.exports.frame(1), crowded.exports.frame(2), free.exports.frame(3)];
    doors.open(3, 1);
    assert.equal(await calls[2], 3001);
    assert.equal(crowded.waiting, 1);
    doors.open(2, 1);
    doors.open(1, 1);
    assert.deepEqual(await Promise.all(calls), [1001, 2001, 3001]);
  });

  suite.it("takes 50,000 calls at once: all complete", async () => {
    let live = 0;
    let most = 0;
    const wait = async (id: number): Promise<number> => {
      most = Math.max(most, ++live);
      await turn();
      live--;
      return id % 7;
    };
    const instance = await suite.instantiate<Functions<"run">>("no-memory", { host: { wait } }, { maxLive: 10_000 });
    const calls = range(1, 50_000).map((id) => instance.exports.run(id));
    assert.ok(instance.waiting >= 40_000);
    for (const [at, result] of (await Promise.all(calls)).entries()) {
      const id = at + 1;
      if (result !== 1000 * id + 2 * (id % 7)) assert.fail(`call ${id} gave ${String(result)}`);
    }
    assert.ok(most <= 10_000, String(most));
    assert.equal(instance.waiting, 0);
  });

  suite.it("takes 5,000 calls at once of a guest in C, with 500 stacks", async () => {
    const wait = async (id: number): Promise<number> => {
      await turn();
      return id % 7;
    };
    const instance = await suite.instantiate<Functions<"frame">>(
      "frames",
      { host: { wait, fill: () => {} } },
      { stacks: { capacity: 500 } },
    );
    const results = await Promise.all(range(1, 5000).map((id) => instance.exports.frame(id)));
    for (const [at, result] of results.entries()) assert.equal(result, 1000 * (at + 1) + ((at + 1) % 7));
    assert.equal(instance.stacks.size, 500);
  });
}

/** What must not grow. */
function sizes(instance: Instance<object>): Record<string, number> {
  return {
    memory: instance.memory?.buffer.byteLength ?? 0,
    stacks: instance.stacks.size,
    live: liveActivations(),
    waiting: instance.waiting,
  };
}

/** Runs `body` in ten parts; after the first nothing may grow. */
async function staysFlat(instance: Instance<object>, times: number, body: () => Promise<unknown>): Promise<void> {
  let first: Record<string, number> | undefined;
  for (let part = 0; part < 10; part++) {
    for (let count = 0; count < times / 10; count++) await body();
    await turn();
    first ??= sizes(instance);
    assert.deepEqual(sizes(instance), first, `part ${part + 1} of 10`);
  }
}

function many(suite: Suite): void {
  suite.it("suspensions grow nothing: 20,000 in one coroutine", async () => {
    const instance = await suite.instantiate("generator", {
      host: {
        suspend: (value: number) => suspend(value),
        suspend_i64: () => 0n,
        suspend_f64: () => 0,
        suspend_mixed: () => 0,
        log: () => {},
        panic: () => {},
      },
    });
    const coroutine = instance.coroutine<number, number, void>("count", { args: [0] });
    let expected = 0;
    await staysFlat(instance, 20_000, async () => {
      const { value } = await coroutine.resumeAsync(0);
      if (value !== expected++) assert.fail(`${String(value)} instead of ${expected - 1}`);
    });
    await coroutine.unwind();
  });

  const host = { wait: (): unknown => suspend(1), cleanup: () => {}, fill: () => {} };
  for (const [guest, name] of [
    ["frames", "frame"],
    ["frames-malloc", "frame"],
    ["cleanup-legacy", "guard"],
  ] as const) {
    suite.it(`coroutines that are unwound grow nothing: 5,000 of ${guest}, five at a time`, async () => {
      const instance = await suite.instantiate(guest, { host });
      if (guest === "frames-malloc") await instance.getAsync("_initialize")();
      await staysFlat(instance, 1000, async () => {
        const coroutines = range(1, 5).map((id) => instance.coroutine(name, { args: [id] }));
        await Promise.all(coroutines.map((coroutine) => coroutine.resumeAsync(0)));
        await Promise.all(coroutines.map((coroutine) => coroutine.unwind()));
      });
    });
  }

  suite.it("coroutines that are reset grow nothing: 5,000, five at a time", async () => {
    const instance = await suite.instantiate("frames", { host });
    await staysFlat(instance, 1000, async () => {
      const coroutines = range(1, 5).map((id) => instance.coroutine("frame", { args: [id] }));
      await Promise.all(coroutines.map((coroutine) => coroutine.resumeAsync(0)));
      await Promise.all(coroutines.map((coroutine) => coroutine.reset()));
    });
  });

  suite.it("calls that are rejected, trap or are cancelled grow nothing: 5,000", async () => {
    let pending = defer();
    const instance = await suite.instantiate<Functions<"frame" | "trapping">>("frames", {
      host: { wait: () => pending.promise, fill: () => {} },
    });
    await staysFlat(instance, 1000, async () => {
      const controller = new AbortController();
      const calls = [
        rejection(instance.exports.frame(1)),
        rejection(instance.exports.frame(2)),
        rejection(instance.function("frame").call([3], { signal: controller.signal })),
        rejection(instance.exports.frame(Symbol("wrong"))),
        rejection(instance.exports.trapping(1)),
      ];
      controller.abort();
      pending.reject(new Error("no"));
      await Promise.all(calls);
      pending = defer();
    });
  });

  suite.it("sequential calls grow nothing: 80,000", async () => {
    const instance = await suite.instantiate<Functions<"run">>("no-memory", { host: { wait: (id: number) => id } });
    await staysFlat(instance, 80_000, () => instance.exports.run(1));
  });

  suite.it("calls with coroutine-local values grow nothing: 5,000", async () => {
    const local = new CoroutineLocal<number>(() => 0);
    const instance = await suite.instantiate<Functions<"frame">>("frames", {
      host: {
        wait: async (id: number) => {
          local.set(id);
          return 0;
        },
        fill: () => {},
      },
    });
    await staysFlat(instance, 5000, () => instance.exports.frame(1));
  });
}
