/** What crosses between host and guest, in calls and in coroutines. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { newAsync, suspend, wrapAsync, wrapAsyncWithCaller } from "stackful";
import type { Caller, Coroutine, HostImports } from "stackful";
import { Doors, rejection, text } from "./harness.ts";
import type { Functions, Suite } from "./harness.ts";

/** Imports of `generator`, with a transcript. */
export function generatorHost(lines: string[] = []): HostImports {
  const read = (caller: Caller, address: number, length: number): string => text(caller.memory, address, length);
  return {
    host: {
      suspend: (value: number) => suspend(value),
      suspend_i64: (value: bigint) => suspend(value),
      suspend_f64: (value: number) => suspend(value),
      suspend_mixed: (value: number) => suspend(value),
      log: wrapAsyncWithCaller((caller, address: number, length: number) => {
        lines.push(read(caller, address, length));
      }),
      panic: wrapAsyncWithCaller((caller, address: number, length: number) => {
        throw new Error(read(caller, address, length));
      }),
    },
  };
}

async function drain(coroutine: Coroutine, inputs: readonly unknown[]): Promise<unknown[]> {
  const steps: unknown[] = [];
  for (const input of inputs) {
    const { done, value } = await coroutine.resumeAsync(input);
    steps.push(done === true ? { returned: value } : value);
  }
  return steps;
}

export function values(suite: Suite): void {
  describe("Values of coroutines", () => coroutineValues(suite));
  describe("Values of calls", () => callValues(suite));
  describe("Host functions of wasmtime-async", () => hostFunctions(suite));
}

function coroutineValues(suite: Suite): void {
  suite.it("smoke", async () => {
    const instance = await suite.instantiate("generator", generatorHost());
    const coroutine = instance.coroutine("at_once");
    assert.deepEqual([coroutine.state, coroutine.started, coroutine.done], ["created", false, false]);
    assert.deepEqual(await coroutine.resumeAsync(5), { done: true, value: 5 });
    assert.deepEqual([coroutine.state, coroutine.started, coroutine.done], ["returned", true, true]);
  });

  suite.it("suspend and resume", async () => {
    const instance = await suite.instantiate<Functions<"has_finished">>("generator", generatorHost());
    const coroutine = instance.coroutine("twice");
    for (let step = 0; step < 2; step++) {
      assert.deepEqual(await coroutine.resumeAsync(undefined), { done: false, value: 0 });
      assert.deepEqual([coroutine.state, coroutine.started, coroutine.done], ["suspended", true, false]);
      assert.equal(instance.sync.has_finished(), 0);
    }
    assert.deepEqual(await coroutine.resumeAsync(undefined), { done: true, value: undefined });
    assert.equal(coroutine.done, true);
    assert.equal(instance.sync.has_finished(), 1);
  });

  suite.it("suspend and resume values", async () => {
    const instance = await suite.instantiate("generator", generatorHost());
    const coroutine = instance.coroutine<number, number, number>("values");
    assert.deepEqual(await coroutine.resumeAsync(2), { done: false, value: 4 });
    const last = await coroutine.resumeAsync(3);
    assert.equal(last.done, true);
    assert.equal(text(instance.memory, last.value, 6), "hello\0");
  });

  suite.it("stateful", async () => {
    const instance = await suite.instantiate("generator", generatorHost());
    const steps = await drain(instance.coroutine("stateful"), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(steps, [41, 42, 43, 44, 45, { returned: undefined }]);
  });

  suite.it("stateful, two on stacks of their own", async () => {
    const instance = await suite.instantiate("generator", generatorHost());
    const [first, second] = [instance.coroutine("stateful"), instance.coroutine("stateful")];
    for (const expected of [41, 42, 43, 44, 45]) {
      assert.equal((await first.resumeAsync(0)).value, expected);
      assert.equal((await second.resumeAsync(0)).value, expected);
    }
    await first.unwind();
    assert.equal((await second.resumeAsync(0)).done, true);
  });

  suite.it("switch stack", async () => {
    const instance = await suite.instantiate("generator", generatorHost());
    assert.deepEqual(await drain(instance.coroutine("doubles_f64"), [2, 127, -1, 0]), [4, 254, -2, { returned: 3 }]);
    assert.deepEqual(await drain(instance.coroutine("doubles_i64"), [2n, 127n, -1n, 2n ** 62n, 0n]), [
      4n,
      254n,
      -2n,
      -(2n ** 63n),
      { returned: 4 },
    ]);
  });

  suite.it("passes any JavaScript value to the resumer", async () => {
    // oxlint-disable-next-line unicorn/no-thenable -- that is the subject
    const given = [undefined, null, "text", Symbol.iterator, { then: 1 }, Number.NaN, [1, 2]];
    const rest = [...given];
    const instance = await suite.instantiate("no-memory", { host: { wait: () => suspend(rest.shift()) } });
    for (let pair = 0; pair < 3; pair++) {
      const steps = await drain(instance.coroutine("run"), [1, 2, 3]);
      assert.deepEqual(steps, [given[2 * pair], given[2 * pair + 1], { returned: 1005 }]);
    }
  });

  suite.it("yields from deep in the stack", async () => {
    const instance = await suite.instantiate("generator", generatorHost());
    assert.deepEqual(await drain(instance.coroutine("deep"), [0, 10, 11, 12, 13, 14]), [
      0,
      1,
      2,
      3,
      4,
      { returned: 14 },
    ]);
    assert.deepEqual(await drain(instance.coroutine("from", { args: [500, 7] }), [0, 8]), [7, { returned: 8 }]);
    assert.deepEqual(await drain(instance.coroutine("from"), [[3, 7], 9]), [7, { returned: 9 }]);
  });

  suite.it("basic: the transcript of corosensei's example", async () => {
    const lines: string[] = [];
    const instance = await suite.instantiate("generator", generatorHost(lines));
    const coroutine = instance.coroutine<number, number, void>("generate");
    let counter = 100;
    for (;;) {
      lines.push(`[main] resuming coroutine with argument ${counter}`);
      const { done, value } = await coroutine.resumeAsync(counter);
      if (done === true) break;
      lines.push(`[main] got ${value} from coroutine`);
      counter++;
    }
    assert.equal(lines.length, 5 * 4 + 1 + 1 + 1);
    assert.equal(lines[1], "[coroutine] coroutine started with input 100");
    assert.equal(lines[2], "[coroutine] yielding 0");
    assert.equal(lines[3], "[main] got 0 from coroutine");
    assert.equal(lines.at(-2), "[coroutine] got 105 from parent");
    assert.equal(lines.at(-1), "[coroutine] exiting coroutine");
  });

  suite.it("is an async generator to JavaScript", async () => {
    const instance = await suite.instantiate("generator", generatorHost());
    const found: number[] = [];
    for await (const value of instance.coroutine<number, number, void>("generate")) found.push(value);
    assert.deepEqual(found, [0, 1, 2, 3, 4]);
    const iterator = instance.coroutine<number, number, number>("total", { args: [1] })[Symbol.asyncIterator]();
    assert.deepEqual(await iterator.next(), { done: false, value: 1 });
    assert.deepEqual(await iterator.next(10), { done: false, value: 11 });
    assert.deepEqual(await iterator.next(0), { done: true, value: 11 });
    assert.deepEqual(await iterator.next(0), { done: true, value: undefined });
  });

  suite.it("awaits host promises between two suspensions", async () => {
    const doors = new Doors();
    const instance = await suite.instantiate("no-memory", {
      host: { wait: async (id: number) => (id === 1 ? doors.wait(id) : suspend(id)) },
    });
    doors.open(1, suspend("from a promise"));
    doors.open(1, 30);
    const steps = await drain(instance.coroutine("run"), [1, 12]);
    assert.deepEqual(steps, ["from a promise", { returned: 1042 }]);
  });
}

function callValues(suite: Suite): void {
  suite.it("async yield: two awaits inside non-async code", async () => {
    const answers: unknown[] = [41, true];
    const instance = await suite.instantiate<Functions<"run">>("no-memory", {
      host: { wait: async () => answers.shift() },
    });
    assert.equal(await instance.exports.run(0), 42);
  });

  const types: [string, readonly unknown[]][] = [
    ["i32", [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 30, -(2 ** 30) - 1]],
    ["i64", [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]],
    ["f32", [0, -0, 1.5, Number.NaN, Infinity, -Infinity]],
    ["f64", [0, -0, 0.1, Number.NaN, Number.MAX_VALUE, Number.MIN_VALUE]],
    ["externref", [null, undefined, 0, -5, 2 ** 40, 1.5, "text", Symbol.iterator, {}, [], () => 1, 10n, true]],
  ];
  for (const [type, given] of types) {
    for (const mode of ["at once", "from a promise", "now and then"]) {
      suite.it(`passes ${type} both ways, answered ${mode}`, async () => {
        let calls = 0;
        const host = (value: unknown): unknown => {
          const isReady = mode === "at once" || (mode === "now and then" && calls++ % 2 === 0);
          return isReady ? value : Promise.resolve(value);
        };
        const instance = await suite.instantiate(`values`, { host: valuesHost({ [type]: host }) });
        const call = instance.getAsync(type);
        for (const value of [...given, ...given]) assert.ok(Object.is(await call(value), value), String(value));
      });
    }
  }

  suite.it("passes funcref both ways", async () => {
    const instance = await suite.instantiate("values", { host: valuesHost({}) });
    const call = instance.getAsync("funcref");
    const callee = instance.raw.exports["none"];
    assert.equal(await call(callee), callee);
    assert.equal(await call(null), null);
    assert.match(String(await rejection(call(() => 1))), /TypeError/);
  });

  suite.it("passes several results as an array", async () => {
    for (const answer of [<T>(value: T): T => value, <T>(value: T): Promise<T> => Promise.resolve(value)]) {
      const unresolved = Promise.resolve(1);
      const instance = await suite.instantiate("values", {
        host: valuesHost({
          pair: (a: number, b: bigint) => answer([a + 1, b + 1n]),
          triple: (a: number, b: unknown, c: bigint) => answer(new Set([a, b, c])),
          make: () => answer([1, 0.5, null]),
        }),
      });
      for (let round = 0; round < 3; round++) {
        assert.deepEqual(await instance.getAsync("pair")(1, 2n), [2, 3n]);
        assert.deepEqual(await instance.getAsync("triple")(0.5, unresolved, -1n), [0.5, unresolved, -1n]);
        assert.deepEqual(await instance.getAsync("make")(), [1, 0.5, null]);
      }
    }
  });

  suite.it("returns undefined for no result", async () => {
    for (const answer of [undefined, 5, Promise.resolve(5), null, {}]) {
      const instance = await suite.instantiate("values", { host: valuesHost({ none: () => answer }) });
      assert.equal(await instance.getAsync("none")(), undefined);
    }
  });

  suite.it("awaits an externref that is a promise or a thenable, and passes on other objects", async () => {
    const instance = await suite.instantiate("values", { host: valuesHost({}) });
    const call = instance.getAsync("externref");
    const object = { value: 1 };
    assert.equal(await call(Promise.resolve(object)), object);
    // oxlint-disable-next-line unicorn/no-thenable -- that is the subject
    assert.equal(await call({ then: (done: (value: unknown) => void) => done(object) }), object);
    // oxlint-disable-next-line unicorn/no-thenable -- that is the subject
    const data = { then: 5 };
    assert.equal(await call(data), data);
  });

  for (const count of [...Array(17).keys()]) {
    suite.it(`calls with ${count} parameters`, async () => {
      const received: unknown[][] = [];
      const host: Record<string, unknown> = {};
      for (let width = 0; width <= 16; width++) {
        host[`f${width}`] = (...args: unknown[]) => {
          received.push(args);
          return received.length % 2 === 0 ? Promise.resolve(args.length) : args.length;
        };
      }
      const instance = await suite.instantiate("wide", { host });
      const kinds = ["i32", "i64", "f32", "f64"];
      const args = Array.from({ length: count }, (_, at) => (kinds[at % 4] === "i64" ? BigInt(at) : at + 0.5));
      const seen = args.map((value, at) => (at % 4 === 0 ? Math.trunc(Number(value)) : value));
      const call = instance.getAsync(`f${count}`);
      for (let round = 0; round < 4; round++) assert.equal(await call(...args), count);
      assert.deepEqual(received, [seen, seen, seen, seen]);
    });
  }

  suite.it("passes 16 parameters made by the guest", async () => {
    const host: Record<string, unknown> = {};
    for (let width = 0; width <= 16; width++) {
      host[`f${width}`] = async (...args: unknown[]) => args.reduce<number>((sum, value) => sum + Number(value), 0);
    }
    const instance = await suite.instantiate<Functions<"sum16">>("wide", { host });
    assert.equal(await instance.exports.sum16(), 136);
  });

  suite.it("keeps a live v128 across a wait and refuses to pass one", async () => {
    const doors = new Doors();
    const instance = await suite.instantiate("values-v128", { host: { v128: () => 0, wait: doors.wait } });
    const both = [instance.getAsync("across")(3), instance.getAsync("across")(5)];
    doors.open(5, 7);
    doors.open(3, 11);
    assert.deepEqual(await Promise.all(both), [4 * 3 * 11, 4 * 5 * 7]);
    assert.ok((await rejection(instance.getAsync("v128")(0))) instanceof TypeError);
    assert.ok((await rejection(instance.getAsync("pass_v128")(0))) instanceof TypeError);
  });
}

/** Imports of `values`: the given ones, and functions that return what they get. */
export function valuesHost(given: Record<string, unknown>): Record<string, unknown> {
  const same = (value: unknown): unknown => value;
  const all = (...args: unknown[]): unknown => args;
  const [i32, i64, f32, f64, externref, funcref] = Array<typeof same>(6).fill(same);
  return {
    none: () => {},
    i32,
    i64,
    f32,
    f64,
    externref,
    funcref,
    pair: all,
    triple: all,
    make: () => [0, 0, null],
    ...given,
  };
}

function hostFunctions(suite: Suite): void {
  const double = { params: ["i32"], results: ["i32"] };

  suite.it("new_async, then call_async", async () => {
    const doors = new Doors();
    const wait = newAsync(double, async (_caller, [value]) => {
      await doors.wait(1);
      return [(value as number) * 2];
    });
    const instance = await suite.instantiate<Functions<"one">>("loop", {
      host: { step: wait, next: wait0, tick: () => {} },
    });
    const result = instance.exports.one(5);
    doors.open(1);
    assert.equal(await result, 10);
  });

  suite.it("wrap_async, then get", async () => {
    const doors = new Doors();
    const step = wrapAsync(async (value: number) => {
      await doors.wait(value);
      return 2 * value;
    });
    const instance = await suite.instantiate("loop", { host: { step, next: wait0, tick: () => {} } });
    const get1 = instance.getAsync<(value: number) => number>("one", double);
    doors.open(21);
    const result: number = await get1(21);
    assert.equal(result, 42);
  });

  suite.it("wrap_async with caller, then get", async () => {
    const host: Record<string, unknown> = {};
    for (let width = 0; width <= 16; width++) host[`f${width}`] = () => 0;
    let foo: unknown = "not called";
    let names: string[] = [];
    host["f2"] = wrapAsyncWithCaller(async (caller, a: number, b: bigint) => {
      await Promise.resolve();
      foo = caller.exports["foo"];
      names = Object.keys(caller.exports).toSorted();
      return a + Number(b);
    });
    const instance = await suite.instantiate("wide", { host });
    const get2 = instance.getAsync<(a: number, b: bigint) => number>("f2", {
      params: ["i32", "i64"],
      results: ["i32"],
    });
    assert.equal(await get2(1, 2n), 3);
    assert.equal(foo, undefined);
    assert.deepEqual(names, Object.keys(instance.sync).toSorted());
    assert.throws(
      () => instance.getAsync("f2", double),
      /Cannot get function "f2" as \(i32\) -> \(i32\).*\(i32, i64\)/,
    );
  });

  suite.it("hello: the same stack twice", async () => {
    const lines: string[] = [];
    const instance = await suite.instantiate("hello", {
      "": {
        hello: async () => {
          await Promise.resolve();
          lines.push("Hello, World!");
        },
      },
    });
    const stack = instance.stacks.open(16 * 1024);
    const run = instance.function<[], void>("run");
    await run.call([], { stack });
    await run.call([], { stack });
    assert.deepEqual(lines, ["Hello, World!", "Hello, World!"]);
    assert.equal(stack.uses, 2);
    stack.free();
  });

  suite.it("new_async answers with the number of results of its type", async () => {
    const wait = newAsync(double, () => []);
    const instance = await suite.instantiate<Functions<"one">>("loop", {
      host: { step: wait, next: wait0, tick: () => {} },
    });
    assert.match(String(await rejection(instance.exports.one(1))), /answered 0 results, its type has 1/);
  });
}

const wait0 = (): number => 0;
