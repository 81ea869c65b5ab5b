/** Calls that are ended by a signal or a time limit: before they start, while they wait for their turn, wait or run. */

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe } from "node:test";
import { ForcedUnwind, wrapAsyncWithCaller } from "stackful";
import { Doors, defer, liveActivations, rejection, turn } from "./harness.ts";
import type { Functions, Suite } from "./harness.ts";

export function cancellation(suite: Suite): void {
  describe("Cancellation", () => {
    bySignal(suite);
    byTime(suite);
    leftovers(suite);
  });
}

function bySignal(suite: Suite): void {
  suite.it("by a signal that has aborted already: the guest does not start", async () => {
    const doors = new Doors();
    const instance = await suite.instantiate("frames", { host: { wait: doors.wait, fill: () => {} } });
    const reason = new Error("aborted before");
    const call = instance.function("frame").call([1], { signal: AbortSignal.abort(reason) });
    assert.equal(await rejection(call), reason);
    assert.deepEqual(doors.arrivals, []);
  });

  suite.it("while it waits for its turn: the others keep their order", async () => {
    const doors = new Doors();
    const instance = await suite.instantiate("frames-no-grow", { host: { wait: doors.wait, fill: () => {} } });
    const controller = new AbortController();
    const frame = instance.function("frame");
    const calls = [frame.call([1]), frame.call([2], { signal: controller.signal }), frame.call([3]), frame.call([4])];
    const rejected = rejection(calls[1]!);
    assert.equal(instance.waiting, 3);
    controller.abort("no longer");
    assert.equal(await rejected, "no longer");
    assert.equal(instance.waiting, 2);
    for (const id of [4, 3, 1]) doors.open(id, 5);
    assert.deepEqual(await Promise.all([calls[0], calls[2], calls[3]]), [1005, 3005, 4005]);
    assert.deepEqual(doors.arrivals, [1, 3, 4]);
  });

  suite.it("while it waits: cleanups run, the call rejects with the reason", async () => {
    for (const guest of ["cleanup-legacy", "cleanup-exnref"]) {
      const cleanups: number[] = [];
      const instance = await suite.instantiate(guest, {
        host: { wait: () => defer().promise, cleanup: (id: number) => void cleanups.push(id) },
      });
      const controller = new AbortController();
      const call = rejection(instance.function("guard_deep").call([1, 2], { signal: controller.signal }));
      await turn();
      controller.abort(null);
      assert.equal(await call, null);
      assert.deepEqual(cleanups, [100, 101, 102]);
    }
  });

  suite.it("cancel during run: what a guest returns after it is dropped", async () => {
    const controller = new AbortController();
    const instance = await suite.instantiate("no-memory", {
      host: {
        wait: () => {
          controller.abort("while running");
          return 1;
        },
      },
    });
    assert.equal(await rejection(instance.function("run").call([1], { signal: controller.signal })), "while running");
  });

  suite.it("while it runs: the next wait is refused", async () => {
    const controller = new AbortController();
    const waits: number[] = [];
    const instance = await suite.instantiate<Functions<"swallow">>("catch-legacy", {
      host: {
        wait: (id: number) => {
          waits.push(id);
          if (id === 1) controller.abort("while running");
          return Promise.reject(new Error("refused"));
        },
        cleanup: () => {},
      },
    });
    const call = instance.function("swallow").call([4], { signal: controller.signal });
    assert.equal(await rejection(call), "while running");
    assert.deepEqual(waits, [0, 1, 2, 3]);
  });

  suite.it("of a body that swallows it for ever ends with a trap, and the call with the reason", async () => {
    const controller = new AbortController();
    const instance = await suite.instantiate("catch-legacy", {
      host: { wait: () => defer().promise, cleanup: () => {} },
    });
    const call = rejection(instance.function("swallow_forever").call([0], { signal: controller.signal }));
    await turn();
    controller.abort("stop");
    assert.equal(await call, "stop");
  });

  suite.it("is seen by host functions as the signal of their caller", async () => {
    const signals: AbortSignal[] = [];
    const instance = await suite.instantiate("no-memory", {
      host: {
        wait: wrapAsyncWithCaller((caller) => {
          signals.push(caller.signal);
          return defer().promise;
        }),
      },
    });
    const controller = new AbortController();
    const cancelled = rejection(instance.function("run").call([1], { signal: controller.signal }));
    const coroutine = instance.coroutine("run");
    const unwound = rejection(coroutine.resumeAsync(2));
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [false, false],
    );
    controller.abort("stop");
    assert.equal(await cancelled, "stop");
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [true, false],
    );
    await coroutine.unwind();
    assert.ok((await unwound) instanceof ForcedUnwind);
    assert.ok(signals[1]!.aborted);
  });

  suite.it("of a coroutine by its signal unwinds it", async () => {
    const cleanups: number[] = [];
    const instance = await suite.instantiate("cleanup-legacy", {
      host: { wait: () => defer().promise, cleanup: (id: number) => void cleanups.push(id) },
    });
    const controller = new AbortController();
    const coroutine = instance.coroutine("guard", { signal: controller.signal });
    const step = rejection(coroutine.resumeAsync(5));
    controller.abort("stop");
    assert.equal(await step, "stop");
    await turn();
    assert.deepEqual([coroutine.state, cleanups], ["unwound", [5]]);
  });

  suite.it("of a coroutine by its signal, when a cleanup fails, is reported once, to the pending resume", async () => {
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", onUnhandled);
    try {
      const instance = await suite.instantiate("catch-legacy", {
        host: { wait: () => defer().promise, cleanup: () => {} },
      });
      const controller = new AbortController();
      const coroutine = instance.coroutine("guard_throws", { signal: controller.signal });
      const step = rejection(coroutine.resumeAsync(5));
      controller.abort("stop");
      assert.notEqual(await step, undefined);
      await turn();
      await turn();
      assert.deepEqual(unhandled, []);
    } finally {
      process.off("unhandledRejection", onUnhandled);
    }
  });
}

function byTime(suite: Suite): void {
  suite.it("of a thenable that never settles, by timeoutMs; the others go on", async () => {
    const doors = new Doors();
    // oxlint-disable-next-line unicorn/no-thenable -- that is the subject
    const never = { then: () => {} };
    const wait = (id: number): unknown => (id === 1 ? never : doors.wait(id));
    const instance = await suite.instantiate<Functions<"frame">>("frames", { host: { wait, fill: () => {} } });
    const other = instance.exports.frame(2);
    const error = await rejection(instance.function("frame").call([1], { timeoutMs: 2 }));
    assert.ok(error instanceof DOMException);
    assert.equal(error.name, "TimeoutError");
    doors.open(2, 3);
    doors.open(3, 4);
    assert.equal(await other, 2003);
    assert.equal(await instance.exports.frame(3), 3004);
    assert.match(error.message, /2 ms/);
    assert.match(error.message, /host\.wait/, "it says what the guest was waiting for");
  });

  suite.it("of a call that waits for its turn, by timeoutMs", async () => {
    const doors = new Doors();
    const instance = await suite.instantiate("frames-no-grow", { host: { wait: doors.wait, fill: () => {} } });
    const frame = instance.function("frame");
    const first = frame.call([1]);
    const error = await rejection(frame.call([2], { timeoutMs: 1 }));
    assert.equal((error as DOMException).name, "TimeoutError");
    doors.open(1);
    assert.equal(await first, 1000);
    assert.equal(instance.waiting, 0);
  });

  suite.it("of a coroutine by timeoutMs", async () => {
    const instance = await suite.instantiate("no-memory", { host: { wait: () => defer().promise } });
    const coroutine = instance.coroutine("run", { timeoutMs: 1 });
    const error = await rejection(coroutine.resumeAsync(1));
    assert.equal((error as DOMException).name, "TimeoutError");
    await turn();
    assert.equal(coroutine.state, "unwound");
  });

  suite.it("refuses limits that are no time and takes those that are longer than a timer", async () => {
    const instance = await suite.instantiate("no-memory", { host: { wait: async () => 1 } });
    const run = instance.function("run");
    for (const timeoutMs of [-1, Number.NaN]) {
      assert.match(String(await rejection(run.call([1], { timeoutMs }))), /RangeError: .*timeoutMs must be 0 or more/);
    }
    for (const timeoutMs of [2 ** 31, 2 ** 40, Infinity]) assert.equal(await run.call([1], { timeoutMs }), 1002);
  });
}

function leftovers(suite: Suite): void {
  suite.it("leaves no listener on the signal", async () => {
    const instance = await suite.instantiate("no-memory", { host: { wait: async () => 1 } });
    const { signal } = new AbortController();
    for (let round = 0; round < 20; round++) {
      await instance.function("run").call([1], { signal });
      await instance.coroutine("run", { signal }).resumeAsync(1);
      await instance.coroutine("run", { signal }).unwind();
      await instance.wormhole("run", [1], { signal });
      await rejection(instance.function("run").call([Symbol("wrong")], { signal }));
    }
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });

  suite.it("while a queued call holds its place leaves no listener either", async () => {
    const doors = new Doors();
    const instance = await suite.instantiate("foreign-stack", { host: { wait: doors.wait } });
    const { signal } = new AbortController();
    const calls = [1, 2, 3].map((id) => instance.function("run").call([id], { signal }));
    for (const id of [1, 2, 3]) doors.open(id);
    await Promise.all(calls);
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });

  suite.it("in any order with answers keeps the count of live calls", async () => {
    const doors = new Doors();
    const instance = await suite.instantiate("frames", { host: { wait: doors.wait, fill: () => {} } });
    const before = liveActivations();
    const controllers = Array.from({ length: 100 }, () => new AbortController());
    const calls = controllers.map(({ signal }, id) => instance.function("frame").call([id], { signal }));
    const settled = Promise.allSettled(calls);
    assert.equal(liveActivations(), before + 100);
    for (const [id, controller] of controllers.entries()) {
      // The answer and the cancellation in the same turn: whichever came first counts.
      if (id % 2 === 0) doors.open(id, 1);
      if (id % 3 === 0) controller.abort(id);
      if (id % 2 === 1) doors.open(id, 1);
    }
    for (const [id, result] of (await settled).entries()) {
      if (id % 3 === 0) assert.deepEqual(result, { status: "rejected", reason: id });
      else assert.deepEqual(result, { status: "fulfilled", value: 1000 * id + 1 });
    }
    assert.equal(liveActivations(), before);
  });
}
