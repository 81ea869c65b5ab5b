/** Guests that call guests: re-entrance, coroutines inside coroutines, other instances, JavaScript in between. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { ForcedUnwind, SuspendError, Trap, compile, instantiate, suspend, wrapAsyncWithCaller } from "stackful";
import type { Coroutine, Instance } from "stackful";
import { Doors, defer, errorOf, eventually, guestBytes, permutations, rejection, turn } from "./harness.ts";
import type { Functions, Suite } from "./harness.ts";

type Reentrant = Functions<"a" | "b">;

export function nesting(suite: Suite): void {
  describe("Re-entrance", () => reentrance(suite));
  describe("Coroutines inside coroutines", () => nested(suite));
  describe("Other instances", () => instances(suite));
  describe("A JavaScript frame between guest frames", () => frames(suite));
}

function reentrance(suite: Suite): void {
  for (const overlap of ["allow", "queue"] as const) {
    suite.it(`recursive call: through the host in both directions, overlap ${overlap}`, async () => {
      const host = {
        to_a: async (depth: number) => {
          await turn();
          return instance.exports.a(depth);
        },
        to_b: (depth: number) => instance.exports.b(depth),
        wait: async () => 100,
      };
      const instance: Instance<Reentrant> = await suite.instantiate("reentrant", { host }, { overlap });
      assert.equal(await instance.exports.a(10), 110);
      assert.deepEqual(
        await Promise.all([instance.exports.a(5), instance.exports.b(6), instance.exports.a(0)]),
        [105, 106, 100],
      );
    });
  }

  for (const guest of ["frames", "frames-no-grow", "frames-malloc"]) {
    suite.it(`${guest}: a host function that calls the guest back and waits for it`, async () => {
      const doors = new Doors();
      const host = {
        wait: async (id: number) => {
          if (id >= 10) return doors.wait(id);
          const inner = (await instance.exports.frame(10 * id)) as number;
          return inner / 10_000;
        },
        fill: () => {},
      };
      const instance: Instance<Functions<"frame" | "_initialize">> = await suite.instantiate(guest, { host });
      if (guest === "frames-malloc") await instance.exports._initialize();
      const outer = instance.exports.frame(3);
      await turn();
      doors.open(30, 0);
      assert.equal(await outer, 3003);
      const two = [instance.exports.frame(4), instance.exports.frame(5)];
      doors.open(50, 0);
      await turn();
      doors.open(40, 0);
      assert.deepEqual(await Promise.all(two), [4004, 5005]);
    });
  }

  suite.it("callbacks through function pointers wait on stacks of their own", async () => {
    const host = {
      wait: async (item: number) => {
        await turn();
        return 10 * item;
      },
      compare: (a: number, b: number) => b - a,
      for_each: async (callback: number, userData: number, items: number) => {
        for (let item = 1; item <= items; item++) {
          if ((await instance.exports.invoke(callback, item, userData)) !== 0) return item;
        }
        return items;
      },
    };
    const instance: Instance<
      Functions<"invoke" | "sum_items" | "sum_answers" | "sum_three" | "sorted" | "_initialize">
    > = await suite.instantiate("callback", { host });
    await instance.exports._initialize();
    const calls = [
      instance.exports.sum_items(10),
      instance.exports.sum_answers(10),
      instance.exports.sum_three(),
      instance.exports.sum_answers(4),
    ];
    assert.deepEqual(await Promise.all(calls), [55, 550, 6, 100]);
    assert.equal(await instance.exports.sorted(10, 0), 9);
  });

  suite.it("a comparison of libc's qsort waits, in sorts that overlap", async () => {
    const host = {
      wait: () => 0,
      for_each: () => 0,
      compare: async (a: number, b: number) => {
        await turn();
        return a - b;
      },
    };
    const instance = await suite.instantiate<Functions<"sorted" | "_initialize">>("callback", { host });
    await instance.exports._initialize();
    const counts = [10, 20, 30, 17];
    assert.deepEqual(await Promise.all(counts.map((count) => instance.exports.sorted(count, 5))), [5, 5, 5, 5]);
  });

  suite.it("a synchronous call while others are suspended", async () => {
    const doors = new Doors();
    let isReady = false;
    const host = { wait: (id: number): unknown => (isReady ? 5 : doors.wait(id)), fill: () => {} };
    const instance = await suite.instantiate<Functions<"frame">>("frames", { host });
    const calls = [1, 2].map((id) => instance.exports.frame(id));
    isReady = true;
    assert.equal(instance.sync.frame(9), 9005);
    assert.equal(await instance.exports.frame(8), 8005);
    doors.open(1, 1);
    doors.open(2, 2);
    assert.deepEqual(await Promise.all(calls), [1001, 2002]);
  });

  suite.it("a call that a synchronous call starts outlives it", async () => {
    const doors = new Doors();
    const started: Promise<unknown>[] = [];
    const host = {
      wait: (id: number): unknown => {
        if (id >= 10) return doors.wait(id);
        started.push(instance.exports.frame(10 * id));
        return id;
      },
      fill: () => {},
    };
    const instance: Instance<Functions<"frame">> = await suite.instantiate("frames", { host });
    assert.equal(instance.sync.frame(1), 1001);
    assert.equal(instance.sync.frame(2), 2002);
    doors.open(10, 3);
    assert.equal(instance.sync.frame(3), 3003);
    doors.open(30, 3);
    doors.open(20, 3);
    assert.deepEqual(await Promise.all(started), [10_003, 20_003, 30_003]);
  });
}

/** A coroutine in a guest of its own whose waits are answered by `answer`. */
async function coroutineOf(
  suite: Suite,
  answer: (id: number) => unknown,
  name = "run",
): Promise<Coroutine<number, unknown, number>> {
  const instance = await suite.instantiate("no-memory", { host: { wait: answer } });
  return instance.coroutine<number, unknown, number>(name);
}

function nested(suite: Suite): void {
  suite.it("an inner one is resumed by an outer one", async () => {
    const inner = await coroutineOf(suite, (id) => suspend(`inner ${id}`));
    const outer = await coroutineOf(suite, async () => {
      const step = await inner.resumeAsync(1);
      return step.done === true ? step.value : suspend(step.value);
    });
    assert.deepEqual(await outer.resumeAsync(7), { done: false, value: "inner 1" });
    assert.deepEqual(await outer.resumeAsync(5), { done: false, value: "inner 1" });
    assert.deepEqual(await outer.resumeAsync(6), { done: true, value: 7011 });
    assert.equal(inner.state, "suspended");
    assert.deepEqual(await inner.resumeAsync(2), { done: true, value: 1003 });
  });

  suite.it("an inner one suspends to the resumer of the outer one", async () => {
    let isFirst = true;
    const inner = await coroutineOf(suite, () => suspend("to the outer's resumer", { coroutine: outer }));
    const outer: Coroutine<number, unknown, number> = await coroutineOf(suite, async () => {
      if (!isFirst) return 1;
      isFirst = false;
      const step = await inner.resumeAsync(3);
      assert.deepEqual(step, { done: true, value: 3030 });
      return 100;
    });
    assert.deepEqual(await outer.resumeAsync(1), { done: false, value: "to the outer's resumer" });
    assert.deepEqual([inner.state, outer.state], ["running", "suspended"]);
    assert.deepEqual(await outer.resumeAsync(10), { done: false, value: "to the outer's resumer" });
    assert.deepEqual(await outer.resumeAsync(20), { done: true, value: 1101 });
    assert.deepEqual([inner.state, outer.state], ["returned", "returned"]);
  });

  suite.it("an outer one that is unwound takes the inner one on top of it along", async () => {
    const inner = await coroutineOf(suite, () => suspend("out", { coroutine: outer }));
    const outer: Coroutine<number, unknown, number> = await coroutineOf(suite, async () => {
      await inner.resumeAsync(3);
      return 100;
    });
    await outer.resumeAsync(1);
    await outer.unwind();
    await turn();
    assert.deepEqual([inner.done, outer.state], [true, "unwound"]);
  });

  suite.it("one that is not around the caller cannot be suspended by it", async () => {
    const errors: unknown[] = [];
    const pending = defer<number>();
    const bystander = await coroutineOf(suite, () => pending.promise);
    const inner = await coroutineOf(suite, (id) => suspend(id, { coroutine: bystander }));
    const outer = await coroutineOf(suite, async () => {
      await turn();
      errors.push(await rejection(inner.resumeAsync(2)));
      return 1;
    });
    const step = bystander.resumeAsync(1);
    assert.deepEqual(await outer.resumeAsync(3), { done: true, value: 3002 });
    const direct = await coroutineOf(suite, (id) => suspend(id, { coroutine: bystander }));
    errors.push(await rejection(direct.resumeAsync(4)));
    assert.equal(errors.length, 3);
    assert.ok(errors[0] instanceof SuspendError && errors[2] instanceof SuspendError);
    assert.match(errors[0].message, /it is not around the guest that called/);
    assert.match(errors[2].message, /it is not around the guest that called/);
    assert.deepEqual([inner.state, direct.state, bystander.state], ["threw", "threw", "running"]);
    pending.resolve(5);
    assert.deepEqual(await step, { done: true, value: 1010 });
  });

  suite.it("one that was around the caller before, but is not now, cannot be suspended by it", async () => {
    const pending = defer<number>();
    const inner = await coroutineOf(suite, (id) => (id === 1 ? suspend(id, { coroutine: outer }) : 0));
    let isFirst = true;
    const outer: Coroutine<number, unknown, number> = await coroutineOf(suite, async () => {
      if (!isFirst) return pending.promise;
      isFirst = false;
      await inner.resumeAsync(1);
      return 3;
    });
    assert.deepEqual(await outer.resumeAsync(1), { done: false, value: 1 });
    await inner.unwind();
    const step = outer.resumeAsync(0);
    assert.ok((await rejection(step)) instanceof ForcedUnwind);
    const later = await coroutineOf(suite, (id) => suspend(id, { coroutine: outer }));
    assert.match(String(await rejection(later.resumeAsync(1))), /it is threw, expected running/);
  });

  suite.it("two inner ones cannot both suspend the outer one", async () => {
    const make = (): Promise<Coroutine<number, unknown, number>> =>
      coroutineOf(suite, (id) => suspend(id, { coroutine: outer }));
    const [first, second] = [await make(), await make()];
    let steps: PromiseSettledResult<unknown>[] = [];
    const outer: Coroutine<number, unknown, number> = await coroutineOf(suite, async () => {
      if (steps.length === 0) steps = await Promise.allSettled([first.resumeAsync(1), second.resumeAsync(2)]);
      return 1;
    });
    assert.deepEqual(await outer.resumeAsync(9), { done: false, value: 1 });
    await turn();
    assert.equal(second.state, "threw");
    assert.deepEqual(await outer.resumeAsync(10), { done: false, value: 1 });
    assert.deepEqual(await outer.resumeAsync(10), { done: true, value: 9002 });
    assert.deepEqual(steps[0], { status: "fulfilled", value: { done: true, value: 1020 } });
    assert.ok(steps[1]?.status === "rejected" && steps[1].reason instanceof SuspendError);
    assert.match(steps[1].reason.message, /it is suspended already, expected running/);
  });

  for (const end of ["unwind", "reset", "signal"] as const) {
    suite.it(
      `an inner one that holds the suspension of its outer and is ended by ${end} leaves that resumable`,
      async () => {
        const errors: unknown[] = [];
        const instance = await suite.instantiate("no-memory", {
          host: { wait: () => suspend(5, { coroutine: outer }) },
        });
        const controller = new AbortController();
        const inner = instance.coroutine("run", { signal: controller.signal });
        const outer: Coroutine<number, unknown, number> = await coroutineOf(suite, async () => {
          if (errors.length === 0) errors.push(await rejection(inner.resumeAsync(2)));
          return 4;
        });
        assert.deepEqual(await outer.resumeAsync(1), { done: false, value: 5 });
        if (end === "signal") controller.abort(new Error("enough"));
        else await inner[end]();
        await turn();
        // It does not go on before it is resumed.
        assert.deepEqual([inner.state, outer.state], [end === "reset" ? "reset" : "unwound", "suspended"]);
        assert.deepEqual(await outer.resumeAsync(0), { done: true, value: 1008 });
        if (end === "signal") assert.equal((errors[0] as Error).message, "enough");
        else assert.ok(errors[0] instanceof ForcedUnwind);
      },
    );
  }

  suite.it(
    "an outer one whose inner has ended meanwhile fails when it is resumed, and takes what is thrown into it",
    async () => {
      for (const way of ["resumeAsync", "throwAsync", "unwind"] as const) {
        const inner = await coroutineOf(suite, () => suspend(5, { coroutine: outer }));
        const outer: Coroutine<number, unknown, number> = await coroutineOf(suite, async () => {
          await inner.resumeAsync(2);
          return 4;
        });
        assert.deepEqual(await outer.resumeAsync(1), { done: false, value: 5 });
        await inner.unwind();
        const thrown = new Error("thrown");
        if (way === "resumeAsync") assert.ok((await rejection(outer.resumeAsync(0))) instanceof ForcedUnwind);
        else if (way === "throwAsync") assert.equal(await rejection(outer.throwAsync(thrown)), thrown);
        else await outer.unwind();
        assert.equal(outer.state, way === "unwind" ? "unwound" : "threw");
      }
    },
  );

  suite.it("an outer one that goes on without its inner keeps its outcome until it is resumed", async () => {
    const make = async (fails: boolean): Promise<Coroutine<number, unknown, number>> => {
      const thrown = new Error("thrown");
      const inner = await coroutineOf(suite, () => suspend(5, { coroutine: outer }));
      const outer: Coroutine<number, unknown, number> = await coroutineOf(suite, (id) => {
        if (inner.state === "created") void inner.resumeAsync(2).catch(() => {});
        else if (fails) throw thrown;
        return id;
      });
      assert.deepEqual(await outer.resumeAsync(1), { done: false, value: 5 });
      await turn();
      assert.equal(outer.state, "suspended");
      await inner.unwind();
      return outer;
    };
    assert.deepEqual(await (await make(false)).resumeAsync(0), { done: true, value: 1002 });
    assert.match(String(await rejection((await make(true)).resumeAsync(0))), /thrown/);
  });

  suite.it("an error of an inner one crosses the outer one with its identity", async () => {
    const thrown = new Error("inner");
    const inner = await coroutineOf(suite, () => Promise.reject(thrown));
    const outer = await coroutineOf(suite, async () => {
      await inner.resumeAsync(1);
      return 0;
    });
    assert.equal(await rejection(outer.resumeAsync(1)), thrown);
    assert.deepEqual([inner.state, outer.state], ["threw", "threw"]);
  });

  for (const end of ["reset", "unwind"] as const) {
    suite.it(
      `one that a host function has started can be ended by ${end} when that host function is long gone`,
      async () => {
        const coroutines: Coroutine[] = [];
        const host = {
          wait: (id: number): unknown => {
            if (id !== 1) return suspend(id);
            const coroutine = instance.coroutine("frame");
            coroutines.push(coroutine);
            void coroutine.resumeAsync(2);
            return 5;
          },
          fill: () => {},
        };
        const instance: Instance<Functions<"frame"> & { __stack_pointer: WebAssembly.Global }> =
          await suite.instantiate("frames-exported-sp", { host });
        const before: unknown = instance.exports.__stack_pointer.value;
        for (let round = 0; round < 3; round++) {
          assert.equal(await instance.exports.frame(1), 1005);
          await coroutines[round]![end]();
          assert.equal(instance.exports.__stack_pointer.value, before);
          assert.equal(await instance.exports.frame(1).then(() => coroutines.pop()!.unwind()), undefined);
        }
        assert.equal(instance.sync.frame(1), 1005);
        await coroutines.pop()!.unwind();
        assert.equal(instance.exports.__stack_pointer.value, before);
      },
    );
  }

  suite.it("recursive async: each of 20 levels is a coroutine of its own", async () => {
    const doors = new Doors();
    const make = async (level: number): Promise<number> => {
      const coroutine = await coroutineOf(suite, (id) => (id === 0 ? doors.wait(0) : make(id - 1)));
      const { value } = await coroutine.resumeAsync(level);
      return (value as number) % 1000;
    };
    const result = make(4);
    for (let count = 0; count < 64; count++) doors.open(0, 1);
    assert.equal(await result, 32);
  });

  suite.it("many interleave in every order", async () => {
    for (const order of permutations([0, 1, 2])) {
      const instance = await suite.instantiate("frames", {
        host: { wait: (id: number) => suspend(id), fill: () => {} },
      });
      const coroutines = [1, 2, 3].map((id) => instance.coroutine("nested", { args: [id, 2] }));
      for (let step = 0; step < 6; step++) {
        for (const at of order) assert.deepEqual(await coroutines[at]!.resumeAsync(0), { done: false, value: at + 1 });
      }
      for (const at of order)
        assert.deepEqual(await coroutines[at]!.resumeAsync(0), { done: true, value: 1000 * (at + 1) + 3 });
    }
  });
}

function instances(suite: Suite): void {
  suite.it("an asynchronous export of another instance is an import", async () => {
    const doors = new Doors();
    const inner = await suite.instantiate<Functions<"frame">>("frames", { host: { wait: doors.wait, fill: () => {} } });
    const outer = await suite.instantiate<Functions<"frame">>("frames", {
      host: { wait: inner.exports.frame, fill: () => {} },
    });
    for (const order of permutations([1, 2, 3, 4])) {
      const results = [1, 2, 3, 4].map((id) => outer.exports.frame(id));
      for (const id of order) {
        doors.open(id, 7);
        await turn();
      }
      assert.deepEqual(
        await Promise.all(results),
        [1, 2, 3, 4].map((id) => 1000 * id + 1000 * id + 7),
      );
    }
  });

  suite.it("a raw export of another instance is an import: right or refused, in each of the 24 orders", async () => {
    for (const order of permutations([1, 2, 3, 4])) {
      const doors = new Doors();
      const inner = await suite.instantiate("frames", { host: { wait: doors.wait, fill: () => {} } });
      const outer = await suite.instantiate<Functions<"frame">>("frames", {
        host: { wait: inner.raw.exports["frame"], fill: () => {} },
      });
      const results = Promise.allSettled([1, 2, 3, 4].map((id) => outer.exports.frame(id)));
      for (const id of order) {
        doors.open(id, 7);
        await turn();
      }
      for (const [at, result] of (await results).entries()) {
        const id = at + 1;
        if (result.status === "fulfilled") assert.equal(result.value, 2000 * id + 7, `order ${order.join(" ")}`);
        else assert.ok(result.reason instanceof SuspendError, String(result.reason));
      }
    }
  });

  suite.it("a synchronous export of another instance is an import that cannot wait", async () => {
    let answer: unknown = 3;
    const inner = await suite.instantiate<Functions<"frame">>("frames", {
      host: { wait: () => answer, fill: () => {} },
    });
    const outer = await suite.instantiate<Functions<"frame">>("frames", {
      host: { wait: inner.sync.frame, fill: () => {} },
    });
    assert.equal(await outer.exports.frame(1), 2003);
    answer = Promise.resolve(3);
    const error = await rejection(outer.exports.frame(1));
    assert.ok(error instanceof SuspendError);
    assert.equal(error.reason, "sync-call");
    assert.match(error.message, /host\.wait/);
  });

  suite.it("many instances of one module do not see each other", async () => {
    const module = await compile(guestBytes("frames"));
    const doors = new Doors();
    const all = await Promise.all(
      [1, 2, 3, 4].map(() =>
        instantiate<Functions<"frame">>(
          module,
          { host: { wait: doors.wait, fill: () => {} } },
          { backend: suite.backend.name },
        ),
      ),
    );
    const results = all.map((instance, at) => instance.exports.frame(at));
    for (const at of [2, 0, 3, 1]) doors.open(at, 1);
    assert.deepEqual(await Promise.all(results), [1, 1001, 2001, 3001]);
    assert.deepEqual(
      all.map(({ stacks }) => stacks.size),
      [0, 0, 0, 0],
    );
  });

  suite.it("an import that is reached through a table, a reference and its own export suspends", async () => {
    const doors = new Doors();
    const instance = await suite.instantiate<Functions<"call" | "set" | "wait" | "reference">>("indirect", {
      host: { wait: doors.wait },
    });
    await instance.exports.set();
    const calls = [
      instance.exports.call(0, 1),
      instance.exports.call(2, 2),
      instance.exports.wait(3),
      instance.exports.call(1, 4),
    ];
    for (const [id, answer] of [
      [3, 13],
      [2, 12],
      [4, 4],
      [1, 11],
    ] as const)
      doors.open(id, answer);
    assert.deepEqual(await Promise.all(calls), [11, 12, 13, 8]);
    assert.ok((await rejection(instance.exports.call(9, 1))) instanceof Trap);
    assert.equal(typeof (await instance.exports.reference()), "function");
  });

  suite.it("a start function waits, and fails with its host function", async () => {
    const doors = new Doors();
    const pending = suite.instantiate<Functions<"run"> & { ready: WebAssembly.Global }>("start", {
      host: { wait: doors.wait },
    });
    await eventually(() => doors.arrivals.length > 0);
    assert.deepEqual(doors.arrivals, [7]);
    doors.open(7, 30);
    const instance = await pending;
    assert.equal(instance.exports.ready.value, 30);
    doors.open(1, 5);
    assert.equal(await instance.exports.run(1), 35);
    const thrown = new Error("start");
    assert.equal(
      await rejection(suite.instantiate("start", { host: { wait: async () => Promise.reject(thrown) } })),
      thrown,
    );
  });
}

function frames(suite: Suite): void {
  type JsFrame = Functions<"outer" | "inner">;

  suite.it("is fine as long as nothing waits", async () => {
    const host = { callback: (id: number) => instance.sync.inner(id), wait: () => 4 };
    const instance: Instance<JsFrame> = await suite.instantiate("jsframe", { host });
    assert.equal(await instance.exports.outer(1), 5);
    assert.equal(instance.sync.outer(1), 5);
  });

  const inBetween: [string, (instance: Instance<JsFrame>) => (id: number) => unknown, RegExp][] = [
    ["through instance.sync", (instance) => (id) => instance.sync.inner(id), /sync-call|javascript-frame/],
    [
      "through the raw export",
      (instance) => instance.raw.exports["inner"] as (id: number) => unknown,
      /javascript-frame|sync-call/,
    ],
    [
      "through Array.map",
      (instance) => (id) => [id].map(instance.raw.exports["inner"] as (id: number) => unknown)[0],
      /javascript-frame/,
    ],
  ];
  for (const [title, callback, reason] of inBetween) {
    suite.it(`is a SuspendError that names the import when the guest waits ${title}`, async () => {
      const answers: unknown[] = [];
      const instance: Instance<JsFrame> = await suite.instantiate("jsframe", {
        host: {
          callback: (id: number) => callback(instance)(id),
          wait: () => {
            answers.push(defer().promise);
            return answers.at(-1);
          },
        },
      });
      for (let round = 0; round < 3; round++) {
        const error = await rejection(instance.exports.outer(1));
        assert.ok(error instanceof SuspendError, String(error));
        assert.match(error.reason, reason);
        assert.match(error.message, /host\.wait/);
      }
      assert.equal(answers.length, 3);
    });
  }

  suite.it("does not report the promise that was not awaited as unhandled", async () => {
    const unhandled: unknown[] = [];
    const onUnhandled = (error: unknown): void => void unhandled.push(error);
    process.on("unhandledRejection", onUnhandled);
    try {
      const instance: Instance<JsFrame> = await suite.instantiate("jsframe", {
        host: {
          callback: (id: number) => (instance.raw.exports["inner"] as (id: number) => unknown)(id),
          wait: async () => Promise.reject(new Error("late")),
        },
      });
      for (let round = 0; round < 3; round++) {
        assert.ok((await rejection(instance.exports.outer(1))) instanceof SuspendError);
        assert.ok(errorOf(() => instance.sync.inner(1)) instanceof SuspendError);
      }
      await turn();
      await turn();
      assert.deepEqual(unhandled, []);
    } finally {
      process.off("unhandledRejection", onUnhandled);
    }
  });

  suite.it("leaves nothing behind when guest and host call each other until the native stack is full", async () => {
    for (const way of ["call", "coroutine"] as const) {
      const calls: Promise<unknown>[] = [];
      const host = {
        callback: (id: number): number => {
          const call = way === "call" ? instance.exports.outer(id) : instance.coroutine("outer").resumeAsync(id);
          call.catch(() => {});
          calls.push(call);
          return 0;
        },
        wait: () => 0,
      };
      const instance: Instance<JsFrame> = await suite.instantiate("jsframe", { host });
      assert.equal(await instance.exports.outer(1), 1);
      const failed = (await Promise.allSettled(calls)).filter(({ status }) => status === "rejected");
      assert.ok(calls.length > 20 && failed.length > 0);
      // What failed has ended, too; so the live activations that the harness counts are none.
      assert.ok(instance.stacks.size <= calls.length);
    }
  });

  suite.it("can be left and the guest called back asynchronously instead", async () => {
    const instance: Instance<JsFrame> = await suite.instantiate("jsframe", {
      host: { callback: wrapAsyncWithCaller((_caller, id: number) => instance.exports.inner(id)), wait: async () => 9 },
    });
    assert.equal(await instance.exports.outer(1), 10);
  });
}
