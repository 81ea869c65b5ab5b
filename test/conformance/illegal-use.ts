/** Steps that a coroutine, a stack or a call does not allow: a clear error, and nothing breaks. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { BackendUnavailableError, ResumeError, SuspendError, suspend } from "stackful";
import type { Coroutine, Instance } from "stackful";
import { defer, errorOf, rejection, turn } from "./harness.ts";
import type { Functions, Suite } from "./harness.ts";
import { generatorHost } from "./values.ts";

export function illegalUse(suite: Suite): void {
  describe("Illegal use of a coroutine", () => coroutines(suite));
  describe("Illegal suspension", () => suspensions(suite));
  describe("Illegal use of a stack", () => stacks(suite));
}

function assertResumeError(error: unknown, state: string, message: RegExp): void {
  assert.ok(error instanceof ResumeError, String(error));
  assert.equal(error.state, state);
  assert.match(error.message, message);
}

function coroutines(suite: Suite): void {
  suite.it("resume after done", async () => {
    const instance = await suite.instantiate("generator", generatorHost());
    const ended: [string, Coroutine][] = [];
    for (const state of ["returned", "threw", "unwound", "reset"])
      ended.push([state, instance.coroutine("at_once", { args: [1] })]);
    await ended[0]![1].resumeAsync(0);
    await rejection(ended[1]![1].throwAsync(new Error("thrown")));
    await ended[2]![1].unwind();
    await ended[3]![1].reset();
    for (const [state, coroutine] of ended) {
      assert.equal(coroutine.state, state);
      for (let round = 0; round < 2; round++) {
        assertResumeError(
          await rejection(coroutine.resumeAsync(0)),
          state,
          new RegExp(`it is ${state}, expected created or suspended`),
        );
        assertResumeError(await rejection(coroutine.throwAsync(0)), state, /Cannot throw into coroutine/);
        await coroutine.unwind();
        await coroutine.reset();
      }
      assert.equal(coroutine.state, state);
    }
  });

  suite.it("already running: resume while it awaits a host promise", async () => {
    const pending = defer();
    const instance = await suite.instantiate("no-memory", { host: { wait: () => pending.promise } });
    const coroutine = instance.coroutine("run");
    const step = coroutine.resumeAsync(1);
    assertResumeError(await rejection(coroutine.resumeAsync(2)), "running", /it is running/);
    assertResumeError(await rejection(coroutine.throwAsync(2)), "running", /it is running/);
    pending.resolve(4);
    assert.deepEqual(await step, { done: true, value: 1008 });
  });

  suite.it("suspend while suspending: resume from inside itself", async () => {
    const errors: unknown[] = [];
    const instance = await suite.instantiate("no-memory", {
      host: {
        wait: async () => {
          errors.push(await rejection(coroutine.resumeAsync(2)));
          return 1;
        },
      },
    });
    const coroutine: Coroutine = instance.coroutine("run");
    assert.deepEqual(await coroutine.resumeAsync(1), { done: true, value: 1002 });
    for (const error of errors) assertResumeError(error, "running", /it is running/);
    assert.equal(errors.length, 2);
  });

  suite.it("resume while it is being unwound", async () => {
    const errors: unknown[] = [];
    const instance = await suite.instantiate("cleanup-legacy", {
      host: {
        wait: (id: number) => suspend(id),
        cleanup: () => {
          errors.push(rejection(coroutine.resumeAsync(2)));
        },
      },
    });
    const coroutine: Coroutine = instance.coroutine("guard");
    await coroutine.resumeAsync(1);
    await coroutine.unwind();
    assertResumeError(await errors[0], "running", /it is being unwound/);
  });

  suite.it("two resumes in one turn: the second is refused", async () => {
    const instance = await suite.instantiate("generator", generatorHost());
    const coroutine = instance.coroutine("count", { args: [0] });
    const [first, second] = await Promise.allSettled([coroutine.resumeAsync(0), coroutine.resumeAsync(0)]);
    assert.deepEqual(first, { status: "fulfilled", value: { done: false, value: 0 } });
    assert.ok(second.status === "rejected" && second.reason instanceof ResumeError);
    await coroutine.unwind();
  });

  if (!suite.backend.syncResume) {
    suite.it("a synchronous resume names the backend that can", async () => {
      const instance = await suite.instantiate("generator", generatorHost());
      const coroutine = instance.coroutine("generate");
      for (const error of [errorOf(() => coroutine.resume(1)), errorOf(() => [...instance.coroutine("generate")])]) {
        assert.ok(error instanceof BackendUnavailableError);
        assert.match(error.message, new RegExp(`${suite.backend.name}: .*transform`));
      }
      await coroutine.resumeAsync(1);
      await coroutine.unwind();
    });
  }

  suite.it("a function that does not exist, and an export that is none", async () => {
    const instance = await suite.instantiate("frames", { host: { wait: () => 0, fill: () => {} } });
    for (const get of [
      (name: string) => instance.function(name),
      (name: string) => instance.coroutine(name),
      (name: string) => instance.getAsync(name),
      (name: string) => instance.wormhole(name),
    ]) {
      assert.match(
        String(errorOf(() => get("fram"))),
        /TypeError: Cannot find function "fram": .*no such export; its functions are frame, nested/,
      );
      assert.match(
        String(errorOf(() => get("memory"))),
        /TypeError: Cannot find function "memory": the guest has a memory/,
      );
      assert.match(String(errorOf(() => get("toString"))), /TypeError/);
    }
  });
}

function suspensions(suite: Suite): void {
  suite.it("illegal yield: outside a coroutine", async () => {
    for (const wait of [() => suspend(1), async () => suspend(1), () => Promise.resolve(suspend(1))]) {
      const instance = await suite.instantiate<Functions<"run">>("no-memory", { host: { wait } });
      for (let round = 0; round < 2; round++) {
        const error = await rejection(instance.exports.run(1));
        assert.ok(error instanceof SuspendError, String(error));
        assert.equal(error.reason, "no-coroutine");
        assert.ok(errorOf(() => instance.sync.run(1)) instanceof SuspendError);
        const timed = await rejection(instance.function("run").call([1], { timeoutMs: 1000 }));
        assert.ok(timed instanceof SuspendError, String(timed));
      }
    }
  });

  suite.it("illegal yield: outside a coroutine, in an import without a result and in one with any", async () => {
    for (const answer of [() => suspend(1), async () => suspend(1), () => Promise.resolve(suspend(1))]) {
      const void_ = await suite.instantiate<Functions<"loop_tick">>("loop", {
        host: { step: () => 0, next: () => 0, tick: answer },
      });
      const any = await suite.instantiate<Functions<"loop_externref">>("loop-types", {
        host: { i64: () => 0n, f64: () => 0, externref: answer },
      });
      for (let round = 0; round < 3; round++) {
        for (const error of [
          await rejection(void_.exports.loop_tick(1)),
          await rejection(any.exports.loop_externref(1, null)),
          await rejection(void_.function("loop_tick").call([1], { timeoutMs: 1000 })),
        ]) {
          assert.ok(error instanceof SuspendError, String(error));
          assert.equal(error.reason, "no-coroutine");
        }
      }
    }
  });

  suite.it("to a coroutine that is not running", async () => {
    const instance: Instance = await suite.instantiate("no-memory", {
      host: { wait: () => suspend(1, { coroutine: idle }) },
    });
    const idle: Coroutine = instance.coroutine("run");
    const coroutine = instance.coroutine("run");
    const error = await rejection(coroutine.resumeAsync(1));
    assert.ok(error instanceof SuspendError);
    assert.match(error.message, /it is created, expected running/);
  });

  suite.it("in a synchronous call is a SuspendError that names the import; a value is fine", async () => {
    let answer: unknown = 5;
    const instance = await suite.instantiate<Functions<"run" | "frame">>("frames", {
      host: { wait: () => answer, fill: () => {} },
    });
    const frame = instance.function<[number], number>("frame");
    assert.equal(instance.sync.frame(1), 1005);
    assert.equal(frame.sync(1), 1005);
    // oxlint-disable-next-line unicorn/no-thenable -- that is the subject
    for (const pending of [Promise.resolve(1), { then: () => {} }, Promise.reject(new Error("late")), suspend(1)]) {
      answer = pending;
      for (const call of [() => instance.sync.frame(1), () => frame.sync(1)]) {
        const error = errorOf(call);
        assert.ok(error instanceof SuspendError);
        assert.match(error.message, /host\.wait/);
        assert.equal(error.reason, "sync-call");
      }
    }
    answer = async (): Promise<number> => 1;
    assert.equal(instance.sync.frame(1), 1000, "a function is a value that converts to NaN");
    answer = Promise.resolve(6);
    assert.equal(await instance.exports.frame(1), 1006);
    assert.ok(errorOf(() => instance.sync.frame(1)) instanceof SuspendError, "also after the shim expects a promise");
    answer = 7;
    assert.equal(instance.sync.frame(1), 1007);
    await turn();
  });

  suite.it("in a raw export that nothing has entered is a SuspendError that names the import", async () => {
    const instance: Instance = await suite.instantiate("frames", { host: { wait: async () => 1, fill: () => {} } });
    const error = errorOf(() => (instance.raw.exports["frame"] as (id: number) => unknown)(1));
    assert.ok(error instanceof SuspendError);
    assert.match(error.message, /host\.wait/);
  });
}

function stacks(suite: Suite): void {
  suite.it("a stack that is in use, freed, or of another instance", async () => {
    const pending = defer();
    const host = { wait: () => pending.promise, fill: () => {} };
    const instance = await suite.instantiate("frames", { host });
    const other = await suite.instantiate("frames", { host });
    const stack = instance.stacks.open(4096);
    const frame = instance.function("frame");
    const first = frame.call([1], { stack });
    assert.equal(stack.inUse, true);
    assertResumeError(await rejection(frame.call([2], { stack })), "running", /an activation is on it/);
    assert.match(String(errorOf(() => stack.free())), /ResumeError: Cannot free stack: an activation is on it/);
    assert.match(
      String(await rejection(other.function("frame").call([2], { stack }))),
      /TypeError: .*belongs to another instance/,
    );
    pending.resolve(1);
    assert.equal(await first, 1001);
    assert.deepEqual([stack.inUse, stack.uses, instance.stacks.opened], [false, 1, 1]);
    stack.free();
    stack.free();
    assert.equal(instance.stacks.opened, 0);
    assertResumeError(await rejection(frame.call([3], { stack })), "freed", /it was freed/);
  });

  suite.it("sizes, counts and limits that are none", async () => {
    const host = { wait: () => 0, fill: () => {} };
    for (const options of [
      { stacks: { bytes: 10 } },
      { stacks: { bytes: 1.5e10 + 0.5 } },
      { stacks: { bytes: Number.NaN } },
      { stacks: { capacity: -1 } },
      { maxLive: 0 },
      { maxLive: 10_000_000 },
      { maxLive: 1.5 },
    ]) {
      const error = await rejection(suite.instantiate("frames", { host }, options));
      assert.match(String(error), /RangeError: Cannot .* received/, JSON.stringify(options));
    }
    const instance = await suite.instantiate("frames", { host });
    for (const bytes of [0, -1, 1023, Number.NaN])
      assert.match(String(errorOf(() => instance.stacks.open(bytes))), /RangeError: .*received/);
    const single = await suite.instantiate("frames-no-grow", { host });
    assert.match(String(errorOf(() => single.stacks.open())), /RangeError: .*cannot have more than one/);
  });

  suite.it("the high-water mark of stacks that are measured", async () => {
    const instance = await suite.instantiate<Functions<"frame" | "nested">>(
      "frames",
      { host: { wait: async () => 0, fill: () => {} } },
      { stacks: { bytes: 8192, measure: true } },
    );
    assert.equal(instance.stacks.highWaterBytes, 0);
    const stack = instance.stacks.open(4096);
    assert.equal(stack.highWaterBytes, 0);
    await instance.function("frame").call([1], { stack });
    const once = stack.highWaterBytes;
    assert.ok(once !== undefined && once >= 64 + 256 && once < 1024, String(once));
    await instance.function("nested").call([1, 10], { stack });
    assert.ok((stack.highWaterBytes ?? 0) > once + 10 * 32);
    await Promise.all([instance.exports.frame(1), instance.exports.frame(2)]);
    assert.ok((instance.stacks.highWaterBytes ?? 0) > 0);
    stack.free();
    const unmeasured = await suite.instantiate("frames", { host: { wait: () => 0, fill: () => {} } });
    assert.equal(unmeasured.stacks.highWaterBytes, undefined);
  });
}
