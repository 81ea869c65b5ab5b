/** Backend `worker`: what the conformance suite asks of coroutines, for bodies that are plain JavaScript in a thread. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ResumeError } from "stackful";
import type { Coroutine } from "stackful";
import { prepareCoroutineThreads, workerCoroutine } from "stackful/blocking";
import type { ThreadError } from "stackful/blocking";
import { later, moduleUrl } from "./harness.ts";

type Bodies = typeof import("./modules/bodies.ts");

const make = (name: keyof Bodies, graceMs?: number): Coroutine =>
  workerCoroutine<Bodies, "echo">(moduleUrl("bodies"), name as "echo", { graceMs });

/** Runs it to its end, each step with the same input. */
function* steps(coroutine: Coroutine, input: unknown): Generator {
  for (;;) {
    const { done, value } = coroutine.resume(input);
    if (done === true) return value;
    yield value;
  }
}

describe("A coroutine in a thread", () => {
  it("passes values both ways, on the stack of the caller: corosensei's basic", () => {
    const coroutine = make("count");
    assert.equal(coroutine.state, "created");
    assert.deepEqual(coroutine.resume(100), { done: false, value: "yield 0" });
    assert.equal(coroutine.state, "suspended");
    assert.deepEqual(coroutine.resume(0), { done: false, value: "yield 1" });
    assert.deepEqual(coroutine.resume(1), { done: false, value: "yield 2" });
    assert.deepEqual(coroutine.resume(2), { done: true, value: "started with 100, 0, 1, 2" });
    assert.equal(coroutine.state, "returned");
  });

  it("does so with promises, and with both in turn", async () => {
    const coroutine = make("count");
    assert.deepEqual(await coroutine.resumeAsync(5), { done: false, value: "yield 0" });
    assert.deepEqual(coroutine.resume(6), { done: false, value: "yield 1" });
    assert.deepEqual(await coroutine.resumeAsync(7), { done: false, value: "yield 2" });
    assert.deepEqual(await coroutine.resumeAsync(8), { done: true, value: "started with 5, 6, 7, 8" });
  });

  it("suspends inside functions of the language: map, sort, getters, JSON, replace", () => {
    const yields = [...steps(make("everywhere"), 1)];
    assert.deepEqual(
      yields.filter((value) => value !== "compare"),
      ["map 1", "map 2", "toJSON", "replace", "getter"],
    );
    assert.ok(yields.includes("compare"));
    const coroutine = make("everywhere");
    let step = coroutine.resume(1);
    while (step.done !== true) step = coroutine.resume(1);
    assert.deepEqual(step.value, {
      input: 1,
      mapped: [1, 2],
      sorted: [1, 2, 3],
      property: 1,
      json: "1",
      replaced: "a1b",
    });
  });

  it("is lazy, and returns at once if its body does", () => {
    assert.deepEqual(make("atOnce").resume({ a: 1 }), { done: true, value: { a: 1 } });
  });

  it("passes all kinds of values", () => {
    const coroutine = make("echo");
    for (const value of [undefined, null, -0, 2n ** 70n, "ж", [[]], new Map([[1, /x/]]), new Uint8Array(1_000_000)]) {
      assert.deepEqual(coroutine.resume(value), { done: false, value });
    }
    return coroutine.reset();
  });

  it("is a generator, and an async one", async () => {
    assert.deepEqual([...make("count")], ["yield 0", "yield 1", "yield 2"]);
    const values: unknown[] = [];
    for await (const value of make("count")) values.push(value);
    assert.deepEqual(values, ["yield 0", "yield 1", "yield 2"]);
  });

  it("lets many run at once, in any order of their steps", async () => {
    const coroutines = Array.from({ length: 12 }, () => make("count"));
    await Promise.all(coroutines.map((coroutine, index) => coroutine.resumeAsync(index)));
    for (const round of [1, 2]) for (const coroutine of coroutines.toReversed()) coroutine.resume(round);
    const ends = await Promise.all(coroutines.map((coroutine) => coroutine.resumeAsync(3)));
    assert.deepEqual(
      ends.map(({ value }) => value),
      coroutines.map((_, index) => `started with ${index}, 1, 2, 3`),
    );
  });

  it("throws what its body throws, and is done: corosensei's panic", () => {
    const coroutine = make("fails");
    coroutine.resume(0);
    assert.throws(() => coroutine.resume(0), {
      name: "RangeError",
      message: "from the body",
      code: 5,
      stack: /bodies\.[tj]s/,
    });
    assert.equal(coroutine.state, "threw");
    assert.throws(() => coroutine.resume(0), ResumeError);
  });

  it("has an error thrown into it, which it may catch", async () => {
    const coroutine = make("catches");
    coroutine.resume(0);
    assert.deepEqual(coroutine.throw(new TypeError("why")), { done: false, value: "in catch" });
    assert.deepEqual(coroutine.resume("x"), { done: true, value: "caught TypeError: why, x" });
    const other = make("catches");
    await other.resumeAsync(0);
    assert.deepEqual(await other.throwAsync(new TypeError("why")), { done: false, value: "in catch" });
    await other.unwind();
  });

  it("cannot be resumed when it is done, or runs", async () => {
    const coroutine = make("count");
    const step = coroutine.resumeAsync(0);
    assert.throws(() => coroutine.resume(0), { name: "ResumeError", state: "running" });
    await step;
    await coroutine.unwind();
    assert.throws(() => coroutine.resume(0), { name: "ResumeError", state: "unwound" });
  });

  it("cleans up when it is unwound, even if it suspends meanwhile", async () => {
    const memory = new SharedArrayBuffer(4);
    const coroutine = make("cleansUp");
    coroutine.resume(memory);
    await coroutine.unwind();
    assert.equal(coroutine.state, "unwound");
    assert.equal(new Int32Array(memory)[0], 2);
  });

  it("is unwound while it runs: whoever waits for it is told so", async () => {
    const memory = new SharedArrayBuffer(4);
    const coroutine = make("cleansUp");
    const step = coroutine.resumeAsync(memory);
    const unwound = coroutine.unwind();
    await assert.rejects(step, { name: "ForcedUnwind" });
    await unwound;
    assert.equal(new Int32Array(memory)[0], 2);
  });

  it("tells of an error in a cleanup", async () => {
    const coroutine = make("failsWhileUnwound");
    coroutine.resume(0);
    await assert.rejects(coroutine.unwind(), { name: "TypeError", message: "in a cleanup" });
    assert.equal(coroutine.state, "unwound");
  });

  it("is ended by force when it does not end: one that catches all, one that spins", async () => {
    for (const name of ["stubborn", "spins"] as const) {
      const coroutine = make(name, 100);
      coroutine.resume(0);
      if (name === "spins") void assert.rejects(coroutine.resumeAsync(0), { name: "ForcedUnwind" });
      await coroutine.unwind();
      assert.equal(coroutine.state, "unwound");
    }
  });

  it("is reset without cleaning up", async () => {
    const memory = new SharedArrayBuffer(4);
    const coroutine = make("cleansUp");
    coroutine.resume(memory);
    await coroutine.reset();
    assert.equal(coroutine.state, "reset");
    assert.equal(new Int32Array(memory)[0], 0);
  });

  it("says when its thread has gone", () => {
    const coroutine = make("exits");
    coroutine.resume(0);
    assert.throws(
      () => coroutine.resume(0),
      (error: ThreadError) => error.reason === "exited" && error.exitCode === 3,
    );
    assert.equal(coroutine.state, "threw");
  });

  it("says which value cannot be cloned, and is where it was", () => {
    assert.deepEqual(make("notCloneable").resume(0), { done: true, value: "DataCloneError" });
    const coroutine = make("echo");
    coroutine.resume(1);
    assert.throws(() => coroutine.resume(() => {}), { name: "DataCloneError" });
    return coroutine.reset();
  });

  it("says which body there is not", () => {
    assert.throws(() => make("missing" as "count").resume(0), /exports no such function; it exports .*count/);
  });

  it("may be an async function, which awaits in its thread", async () => {
    const coroutine = make("later");
    assert.deepEqual(coroutine.resume(1), { done: false, value: "after a promise" });
    assert.deepEqual(await coroutine.resumeAsync(2), { done: true, value: 3 });
  });

  it("finds threads that were prepared", async () => {
    await prepareCoroutineThreads(2);
    assert.deepEqual(make("atOnce").resume(1), { done: true, value: 1 });
  });

  it("gives its thread back for the next one", async () => {
    const counts = [make("countRuns").resume(0).value, make("countRuns").resume(0).value];
    assert.equal(counts[1], (counts[0] as number) + 1);
    await later(0);
  });
});
