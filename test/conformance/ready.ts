/** A host function that has its answer does not suspend its guest; one that sometimes has it may change at any time. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { guestBytes, turn } from "./harness.ts";
import type { Functions, Suite } from "./harness.ts";
import { valuesHost } from "./values.ts";

type Loop = Functions<"loop" | "loop_next" | "loop_tick" | "loop_at" | "one" | "none">;

export function ready(suite: Suite): void {
  describe("A ready answer", () => neverSuspends(suite));
  describe("Mixed answers", () => mixed(suite));
}

function neverSuspends(suite: Suite): void {
  suite.it("does not suspend: everything runs before the call returns its promise", async () => {
    const events: string[] = [];
    const instance = await suite.instantiate<Loop>(
      "loop",
      loopHost((value) => {
        events.push(`step ${value}`);
        return value;
      }),
    );
    void Promise.resolve().then(() => events.push("microtask"));
    const result = instance.exports.loop(3);
    events.push("returned");
    assert.equal(await result, 6);
    assert.deepEqual(events.slice(0, 5), ["step 3", "step 2", "step 1", "returned", "microtask"]);
  });

  suite.it("does not suspend for any type, after the first promise has been seen and gone", async () => {
    for (const [name, value] of [
      ["i32", 5],
      ["i64", 5n],
      ["f32", 0.5],
      ["f64", 0.5],
      ["externref", "text"],
      ["funcref", null],
      ["none", undefined],
    ] as const) {
      let answer: (value: unknown) => unknown = (given) => given;
      let calls = 0;
      const host = valuesHost({
        [name]: (given: unknown) => {
          calls++;
          return answer(given);
        },
      });
      const instance = await suite.instantiate("values", { host });
      const call = instance.getAsync(name);
      answer = (given) => Promise.resolve(given);
      await call(value);
      answer = (given) => given;
      await call(value);
      calls = 0;
      const result = call(value);
      assert.equal(calls, 1, name);
      assert.equal(instance.function(name).sync(value), value);
      assert.equal(await result, value);
    }
  });

  suite.it("suspends for a promise: the rest runs after the call has returned", async () => {
    const events: string[] = [];
    const instance = await suite.instantiate<Loop>(
      "loop",
      loopHost(async (value) => {
        events.push(`step ${value}`);
        return value;
      }),
    );
    const result = instance.exports.loop(2);
    events.push("returned");
    assert.equal(await result, 3);
    assert.deepEqual(events, ["step 2", "returned", "step 1"]);
  });

  suite.it("of a call of 10,000 suspends never, of one that awaits 10,000 times each time", async () => {
    const instance = await suite.instantiate<Loop>(
      "loop",
      loopHost((value) => value),
    );
    assert.equal(instance.sync.loop(10_000), 50_005_000);
    const other = await suite.instantiate<Loop>(
      "loop",
      loopHost(async (value) => value),
    );
    assert.equal(await other.exports.loop(10_000), 50_005_000);
  });
}

function loopHost(step: (value: number) => unknown): Record<string, Record<string, unknown>> {
  return { host: { step, next: () => 1, tick: () => {} } };
}

function mixed(suite: Suite): void {
  const odd: readonly unknown[] = [
    0,
    1,
    -1,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32 + 5,
    -(2 ** 31) - 1,
    2 ** 30,
    -(2 ** 30),
    2 ** 53,
    1.9,
    -1.9,
    Number.NaN,
    Infinity,
    undefined,
    null,
    true,
    false,
    "7",
    "",
    "x",
    [8],
    {},
    new Date(9),
  ];

  suite.it("convert to i32 as the JavaScript API does, at once, from promises and from thenables", async () => {
    const answers = odd.flatMap((value) => [
      value,
      Promise.resolve(value),
      // oxlint-disable-next-line unicorn/no-thenable -- that is the subject
      { then: (done: (value: unknown) => void) => done(value) },
      value,
      value,
      (async () => {
        await turn();
        return value;
      })(),
    ]);
    const expected = odd.reduce<number>((sum, value) => sum + 6 * (Number(value) | 0), 0) | 0;
    let at = 0;
    const instance = await suite.instantiate<Loop>(
      "loop",
      loopHost(() => answers[at++]),
    );
    assert.equal(await instance.exports.loop(answers.length), expected);
    assert.equal(at, answers.length);
  });

  suite.it("are one by one what a plain import would return", async () => {
    let answer: unknown;
    const host = loopHost(() => answer);
    const plain = await WebAssembly.instantiate(guestBytes("loop"), host as WebAssembly.Imports);
    const instance = await suite.instantiate<Loop>("loop", host);
    for (answer of odd) {
      assert.equal(
        await instance.exports.one(1),
        (plain.instance.exports["one"] as (id: number) => number)(1),
        String(answer),
      );
    }
  });

  suite.it("of functions without a result are ignored, awaited or not", async () => {
    const answers: unknown[] = [1, Promise.resolve(2), "3", Symbol("4"), Promise.resolve(Symbol("5")), 6n, {}, null];
    let at = 0;
    const instance = await suite.instantiate<Loop>("loop", {
      host: { step: () => 0, next: () => 0, tick: () => answers[at++] },
    });
    assert.equal(await instance.exports.loop_tick(answers.length), undefined);
    assert.equal(at, answers.length);
  });

  suite.it("of several imports do not mix", async () => {
    const host = {
      to_a: () => 0,
      to_b: (depth: number) => (depth % 2 === 0 ? depth : Promise.resolve(depth)),
      wait: async () => 7,
    };
    const instance = await suite.instantiate<Functions<"a">>("reentrant", { host });
    for (let depth = 0; depth < 20; depth++) assert.equal(await instance.exports.a(depth), depth === 0 ? 7 : depth);
  });

  suite.it("in overlapping calls reach the call they are for", async () => {
    let calls = 0;
    const wait = (id: number): unknown => (calls++ % 3 === 0 ? id : turn().then(() => id));
    const instance = await suite.instantiate<Functions<"nested" | "frame">>("frames", {
      host: { wait, fill: () => {} },
    });
    const results = Array.from({ length: 30 }, (_, id) =>
      id % 2 === 0 ? instance.exports.frame(id) : instance.exports.nested(id, 6),
    );
    for (const [id, result] of (await Promise.all(results)).entries())
      assert.equal(result, id % 2 === 0 ? 1001 * id : 1000 * id + 7);
  });
}
