/** Coroutines that are resumed on the stack of the caller: generators whose bodies are guests. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { BackendUnavailableError, SuspendError, suspend } from "stackful";
import type { Coroutine, Instance } from "stackful";
import { errorOf, liveActivations, randomNumbers, range, rejection, shuffled } from "./harness.ts";
import type { Functions, Suite } from "./harness.ts";
import { generatorHost } from "./values.ts";

const yields = { wait: (id: number) => suspend(id) };
const framesHost = { ...yields, fill: () => {} };

export function synchronous(suite: Suite): void {
  describe("Synchronous resume", () => {
    if (!suite.backend.syncResume) {
      suite.it("is refused, and names a backend that can", async () => {
        const instance = await suite.instantiate("no-memory", { host: yields });
        const coroutine = instance.coroutine("run");
        assert.match(String(errorOf(() => coroutine.resume(1))), /BackendUnavailableError.*transform/s);
        assert.match(String(errorOf(() => coroutine.throw(new Error("thrown")))), /BackendUnavailableError/);
        assert.deepEqual(await coroutine.resumeAsync(1), { done: false, value: 1 });
        await coroutine.unwind();
      });
      return;
    }
    steps(suite);
    endings(suite);
    nesting(suite);
    refusals(suite);
  });
}

function steps(suite: Suite): void {
  suite.it("passes values both ways", async () => {
    const instance = await suite.instantiate("no-memory", { host: yields });
    const coroutine = instance.coroutine("run");
    assert.deepEqual(coroutine.resume(7), { done: false, value: 7 });
    assert.deepEqual(coroutine.resume(30), { done: false, value: 7 });
    assert.deepEqual(coroutine.resume(4), { done: true, value: 7034 });
    assert.equal(coroutine.state, "returned");
  });

  suite.it("is a generator to JavaScript", async () => {
    const instance = await suite.instantiate("generator", generatorHost());
    const values: unknown[] = [];
    for (const value of instance.coroutine("count", { args: [5] })) if (values.push(value) === 4) break;
    assert.deepEqual(values, [5, 6, 7, 8]);
    const generator = instance.coroutine("count", { args: [1] })[Symbol.iterator]();
    assert.deepEqual(
      [generator.next(), generator.next()].map(({ value }) => value),
      [1, 2],
    );
    assert.deepEqual(generator.return(9), { done: true, value: 9 });
    assert.equal(generator.next().done, true);
  });

  suite.it("hands the guest what is thrown into its generator", async () => {
    const instance = await suite.instantiate("catch-legacy", {
      host: { wait: (id: number) => suspend(id), cleanup: () => {} },
    });
    const generator = instance.coroutine("await_in_try", { args: [3] })[Symbol.iterator]();
    assert.deepEqual(generator.next(), { done: false, value: 3 });
    assert.deepEqual(generator.throw(new Error("thrown")), { done: true, value: -1 });
  });

  suite.it("continues any of 200 coroutines of one instance, in any order", async () => {
    const random = randomNumbers(11);
    for (const guest of ["frames", "frames-malloc", "frames-exported-sp"]) {
      const instance = await suite.instantiate(guest, { host: framesHost });
      const coroutines = range(1, 200).map((id) => ({ id, body: instance.coroutine("frame") }));
      for (const { id, body } of shuffled(coroutines, random))
        assert.deepEqual(body.resume(id), { done: false, value: id });
      for (const { id, body } of shuffled(coroutines, random)) {
        assert.deepEqual(body.resume(id % 7), { done: true, value: 1000 * id + (id % 7) });
      }
    }
  });

  suite.it("may be mixed with asynchronous ones", async () => {
    const answers: unknown[] = [suspend(1), Promise.resolve(5), suspend(2)];
    const instance = await suite.instantiate<Functions<"loop">>("loop", {
      host: { step: () => answers.shift() ?? suspend(3), next: () => 0, tick: () => {} },
    });
    const coroutine = instance.coroutine("loop", { args: [4] });
    assert.deepEqual(coroutine.resume(0), { done: false, value: 1 });
    assert.deepEqual(await coroutine.resumeAsync(10), { done: false, value: 2 });
    assert.deepEqual(coroutine.resume(20), { done: false, value: 3 });
    assert.deepEqual(await coroutine.resumeAsync(30), { done: true, value: 65 });
  });

  suite.it("keeps a hundred thousand suspended at once", async () => {
    const instance = await suite.instantiate("no-memory", { host: yields });
    const coroutines = range(1, 100_000).map(() => instance.coroutine("run"));
    for (const [id, coroutine] of coroutines.entries()) coroutine.resume(id);
    for (const coroutine of coroutines) coroutine.resume(1);
    for (const [id, coroutine] of coroutines.entries()) {
      if (coroutine.resume(2).value !== 1000 * id + 3) assert.fail(`coroutine ${id} is wrong`);
    }
  });

  suite.it("refuses an input that does not convert where the guest can catch it", async () => {
    const instance = await suite.instantiate("no-memory", { host: yields });
    const coroutine = instance.coroutine("run");
    coroutine.resume(1);
    assert.match(String(errorOf(() => coroutine.resume(Symbol("input")))), /TypeError: .*host\.wait/);
    assert.equal(coroutine.state, "threw");
  });
}

function endings(suite: Suite): void {
  const cleanups: number[] = [];
  const make = async (name: string): Promise<Coroutine> => {
    cleanups.length = 0;
    const host = { ...yields, cleanup: (id: number) => void cleanups.push(id) };
    const instance = await suite.instantiate("cleanup-legacy", { host });
    return instance.coroutine(name, { args: name === "guard" ? [1] : [1, 3] });
  };

  suite.it("runs the cleanups of a loop that is left before it goes on", async () => {
    const before = liveActivations();
    for (const _ of await make("guard_deep")) break;
    assert.ok(cleanups.length > 1);
    assert.equal(liveActivations(), before);
  });

  suite.it("runs the cleanups of a scope that is left before it goes on", async () => {
    const coroutine = await make("guard");
    {
      using scoped = coroutine;
      scoped.resume(0);
      assert.deepEqual(cleanups, []);
    }
    assert.deepEqual([cleanups, coroutine.state], [[1], "unwound"]);
  });

  suite.it("throws into the guest: caught, cleaned up after, and before the first step", async () => {
    for (const guest of ["catch-legacy", "catch-exnref"]) {
      const instance = await suite.instantiate(guest, { host: { ...yields, cleanup: (id: number) => id } });
      const caught = instance.coroutine("await_in_try", { args: [1] });
      caught.resume(0);
      assert.deepEqual(caught.throw(new Error("thrown")), { done: true, value: -1 });
      const cleaned = instance.coroutine("guard", { args: [1] });
      cleaned.resume(0);
      const thrown = new Error("thrown");
      assert.equal(
        errorOf(() => cleaned.throw(thrown)),
        thrown,
      );
      assert.equal(cleaned.state, "threw");
      const fresh = instance.coroutine("guard", { args: [1] });
      assert.equal(
        errorOf(() => fresh.throw(thrown)),
        thrown,
      );
      assert.equal(fresh.state, "threw");
    }
  });

  suite.it("drops the frames of one that is reset", async () => {
    const coroutine = await make("guard");
    coroutine.resume(0);
    await coroutine.reset();
    assert.deepEqual([cleanups, coroutine.state], [[], "reset"]);
  });
}

function nesting(suite: Suite): void {
  suite.it("of an inner one by a host function of an outer one, a hundred deep", async () => {
    const instance: Instance<object> = await suite.instantiate("frames", {
      host: {
        ...framesHost,
        wait: (id: number) => {
          if (id === 100) return suspend(id);
          const inner = instance.coroutine("frame");
          let step = inner.resume(id + 1);
          while (step.done !== true) step = inner.resume(1);
          return (step.value as number) % 1000;
        },
      },
    });
    assert.deepEqual(instance.coroutine("frame").resume(0), { done: true, value: 1 });
  });

  suite.it("by the host function of a synchronous call, above frames that are suspended", async () => {
    for (const guest of ["frames", "frames-malloc", "frames-exported-sp"]) {
      const instance: Instance<Functions<"frame">> = await suite.instantiate(guest, {
        host: {
          ...framesHost,
          wait: (id: number) => (id === 1 ? suspend(id) : (coroutine.resume(5).value as number) % 1000),
        },
      });
      const coroutine = instance.coroutine("frame");
      coroutine.resume(1);
      assert.equal(instance.sync.frame(2), 2005, guest);
      assert.equal(coroutine.state, "returned");
    }
  });

  suite.it("of another guest's coroutine by a host function", async () => {
    const inner = await suite.instantiate("generator", generatorHost());
    const numbers = inner.coroutine("count", { args: [1] });
    const outer = await suite.instantiate<Functions<"run">>("no-memory", {
      host: { wait: () => numbers.resume(0).value },
    });
    assert.equal(outer.sync.run(1), 1003);
    assert.equal(await outer.exports.run(1), 1007);
    await numbers.unwind();
  });
}

function refusals(suite: Suite): void {
  suite.it("to wait for a promise is an error where the guest would have waited", async () => {
    const instance = await suite.instantiate("no-memory", { host: { wait: async () => 1 } });
    const coroutine = instance.coroutine("run");
    const error = errorOf(() => coroutine.resume(1));
    assert.ok(error instanceof SuspendError);
    assert.equal(error.reason, "sync-call");
    assert.match(error.message, /host\.wait.*resumeAsync/);
    assert.equal(coroutine.state, "threw");
  });

  suite.it("to suspend an outer one through the JavaScript between them", async () => {
    const errors: unknown[] = [];
    const instance: Instance<object> = await suite.instantiate("no-memory", {
      host: {
        wait: (id: number) => {
          if (id === 2) return suspend(0, { coroutine: outer });
          errors.push(errorOf(() => instance.coroutine("run").resume(2)));
          return 0;
        },
      },
    });
    const outer: Coroutine = instance.coroutine("run");
    assert.deepEqual(outer.resume(1), { done: true, value: 1000 });
    for (const error of errors) assert.ok(error instanceof SuspendError, String(error));
    assert.equal(errors.length, 2);
  });

  suite.it("below a running call on the only stack of a guest; it can be continued afterwards", async () => {
    const errors: unknown[] = [];
    const instance: Instance<Functions<"frame">> = await suite.instantiate("frames-no-grow", {
      host: {
        ...framesHost,
        wait: (id: number) => {
          if (id === 1) return suspend(id);
          errors.push(errorOf(() => coroutine.resume(5)));
          return 3;
        },
      },
    });
    const coroutine: Coroutine = instance.coroutine("frame");
    coroutine.resume(1);
    assert.equal(instance.sync.frame(2), 2003);
    assert.ok(errors[0] instanceof BackendUnavailableError, String(errors[0]));
    assert.equal(coroutine.state, "suspended");
    assert.deepEqual(coroutine.resume(5), { done: true, value: 1005 });
  });

  suite.it("while it is running, and after its end", async () => {
    const instance = await suite.instantiate("no-memory", {
      host: { wait: () => (coroutine.resume(1), 0) },
    });
    const coroutine: Coroutine = instance.coroutine("run");
    assert.match(String(errorOf(() => coroutine.resume(1))), /ResumeError: .*it is running/);
    assert.match(String(errorOf(() => coroutine.resume(1))), /ResumeError: .*it is threw/);
    const pending = instance.coroutine("run", { args: [1] });
    await rejection(pending.resumeAsync(0));
  });
}
