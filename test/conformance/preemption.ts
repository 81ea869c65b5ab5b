/** Guests that do not wait are interrupted: they give way to the event loop, can be aborted, and run out of fuel at one place. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { FuelExhaustedError, SuspendError, compile } from "stackful";
import type { Instance, InstantiateOptions } from "stackful";
import { Doors, errorOf, eventually, guestBytes, liveActivations, range, rejection, turn } from "./harness.ts";
import type { Functions, Suite } from "./harness.ts";

type Exports = Functions<"spin" | "spin_at" | "count" | "tree" | "fill" | "count_wait_count" | "call_back"> & {
  readonly memory: WebAssembly.Memory;
};
type Host = Readonly<Record<string, (...args: never[]) => unknown>>;

const QUIET: Host = { wait: () => 0, back: () => {} };
/** More than any test here needs. */
const PLENTY = 1e12;

export function preemption(suite: Suite): void {
  const link = (
    interruptible: InstantiateOptions["interruptible"],
    host: Host = {},
    options: InstantiateOptions = {},
  ): Promise<Instance<Exports>> =>
    suite.instantiate<Exports>("spin", { host: { ...QUIET, ...host } }, { interruptible, ...options });
  describe("Preemption", () => {
    givesWay(suite, link);
    ends(suite, link);
    cleanups(suite);
    synchronous(suite, link);
  });
  describe("Fuel", () => {
    isExact(suite, link);
    runsOut(suite, link);
    options(suite, link);
  });
}

type Link = (
  interruptible: InstantiateOptions["interruptible"],
  host?: Host,
  options?: InstantiateOptions,
) => Promise<Instance<Exports>>;

/** Calls `name`, which never ends, until it is aborted by what is returned. */
function spin(
  instance: Pick<Instance, "function">,
  name: string,
  args: unknown[] = [],
): { stop: () => Promise<unknown> } {
  const controller = new AbortController();
  const call = rejection(instance.function(name).call(args, { signal: controller.signal }));
  return {
    stop: () => {
      controller.abort("stop");
      return call;
    },
  };
}

type CatchExports = Functions<"spin" | "count" | "swallow" | "guard">;

/** The guest that catches what stops it. */
function linkCatch(
  suite: Suite,
  interruptible: InstantiateOptions["interruptible"],
  cleanup: (n: number) => void,
): Promise<Instance<CatchExports>> {
  return suite.instantiate<CatchExports>("spin-catch", { host: { cleanup } }, { interruptible });
}

function givesWay(suite: Suite, link: Link): void {
  suite.it("lets timers fire while a guest loops for ever", async () => {
    const instance = await link({ sliceMs: 2 });
    const loop = spin(instance, "spin");
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await eventually(() => ticks >= 20, 1e6);
    clearInterval(timer);
    assert.equal(await loop.stop(), "stop");
  });

  suite.it("of a guest that recurses without a loop", async () => {
    const instance = await link({ sliceMs: 1 });
    let turns = 0;
    const count = (): void => {
      turns++;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    assert.equal(await instance.exports.tree(24), 2 ** 24);
    clearImmediate(timer);
    assert.ok(turns > 2, `the event loop turned ${turns} times while it ran`);
  });

  suite.it("lets endless loops of one instance and of others take turns", async () => {
    const instances = [await link({ sliceMs: 1 }), await link({ sliceMs: 1 })];
    const loops = instances.flatMap((instance) => range(0, 2).map((index) => spin(instance, "spin_at", [index])));
    const words = instances.map(({ memory }) => new Uint32Array(memory!.buffer, 0, 3));
    const all = (): number[] => words.flatMap((ofInstance) => [...ofInstance]);
    await eventually(() => all().every((count) => count > 0), 1e6);
    const before = all();
    await eventually(() => all().every((count, index) => count > before[index]!), 1e6);
    for (const loop of loops) assert.equal(await loop.stop(), "stop");
  });

  suite.it("does not change what a guest computes", async () => {
    for (const interruptible of [undefined, true, { sliceMs: 0.01 }, { sliceMs: 0.01, fuel: PLENTY }]) {
      const instance = await link(interruptible, { wait: async (n: number) => n + 1 });
      const calls = [instance.exports.count(100_000), instance.exports.tree(12), instance.exports.count_wait_count(9)];
      assert.deepEqual(await Promise.all(calls), [100_000, 4096, 10]);
    }
  });

  suite.it("keeps the stacks of guests in C apart", async () => {
    const doors = new Doors();
    const imports = { host: { wait: doors.wait, fill: () => {} } };
    const interruptible = { sliceMs: 0.001 };
    const instance = await suite.instantiate<Functions<"nested">>("frames", imports, { interruptible });
    const calls = range(1, 10).map((id) => instance.exports.nested(id, 5));
    for (let answers = 0; answers < 12; answers++) {
      for (const id of range(1, 10)) doors.open(id);
      await turn();
    }
    assert.deepEqual(
      await Promise.all(calls),
      range(1, 10).map((id) => 1000 * id + 6),
    );
  });
}

function ends(suite: Suite, link: Link): void {
  suite.it("ends an endless loop by its signal, with the reason", async () => {
    const instance = await link(true);
    const controller = new AbortController();
    const call = rejection(instance.function("spin").call([], { signal: controller.signal }));
    const reason = new Error("enough");
    setTimeout(() => controller.abort(reason), 5);
    assert.equal(await call, reason);
    assert.equal(await instance.exports.count(10), 10);
  });

  suite.it("ends an endless loop by timeoutMs", async () => {
    const instance = await link({ sliceMs: 1 });
    const error = await rejection(instance.function("spin").call([], { timeoutMs: 10 }));
    assert.equal((error as DOMException).name, "TimeoutError");
    assert.doesNotMatch((error as DOMException).message, /refuel/, "it waits in no import of the user's");
  });

  suite.it("unwinds and resets coroutines that loop for ever", async () => {
    const cleaned: number[] = [];
    const instance = await linkCatch(suite, { sliceMs: 1 }, (n) => void cleaned.push(n));
    for (const end of ["unwind", "reset"] as const) {
      const coroutine = instance.coroutine("guard");
      const step = rejection(coroutine.resumeAsync(7));
      await turn();
      await coroutine[end]();
      await step;
      assert.equal(coroutine.state, end === "unwind" ? "unwound" : "reset");
    }
    assert.deepEqual(cleaned, [7], "only unwinding runs cleanups");
  });

  suite.it("ends a guest that catches everything and goes on", async () => {
    let caught = 0;
    const instance = await linkCatch(suite, { sliceMs: 0.05 }, () => void caught++);
    const loop = spin(instance, "swallow");
    await turn();
    assert.equal(await loop.stop(), "stop");
    assert.equal(caught, 1, "it is told once, and then has some time for its cleanups");
  });
}

function cleanups(suite: Suite): void {
  suite.it("lets cleanups take longer than a slice, and gives way meanwhile", async () => {
    const cleaned: number[] = [];
    const instance = await linkCatch(suite, { sliceMs: 0.5 }, (n) => void cleaned.push(n));
    const loop = spin(instance, "guard", [3_000_000]);
    await turn();
    assert.equal(await loop.stop(), "stop");
    assert.deepEqual(cleaned, [3_000_000]);
  });

  suite.it("runs cleanups at once when time is over in the middle of a slice", async () => {
    const cleaned: number[] = [];
    const instance = await linkCatch(suite, { sliceMs: 20 }, (n) => void cleaned.push(n));
    // It has given way by then, so that it has waited before.
    const error = await rejection(instance.function("guard").call([7], { timeoutMs: 30 }));
    assert.equal((error as DOMException).name, "TimeoutError");
    assert.deepEqual(cleaned, [7]);
  });
}

function synchronous(suite: Suite, link: Link): void {
  suite.it("does not suspend a synchronous call", async () => {
    const instance = await link({ sliceMs: 0.01 });
    assert.equal(instance.sync.count(300_000), 300_000);
  });

  suite.it("goes on below a JavaScript function, where it cannot give way", async () => {
    const results: unknown[] = [];
    const instance: Instance<Exports> = await link(
      { sliceMs: 0.01 },
      { back: () => results.push((instance.raw.exports["count"] as Exports["count"])(300_000)) },
    );
    await instance.exports.call_back();
    const { signal } = new AbortController();
    await instance.function("call_back").call([], { signal });
    assert.deepEqual(results, [300_000, 300_000]);
  });

  suite.it("ends a synchronous call on behalf of a call whose time is over", async () => {
    const errors: unknown[] = [];
    const instance: Instance<Exports> = await link(true, {
      back: () => {
        try {
          instance.sync.spin();
        } catch (error) {
          errors.push(error);
          throw error;
        }
      },
    });
    const error = await rejection(instance.function("call_back").call([], { timeoutMs: 20 }));
    assert.equal((error as DOMException).name, "TimeoutError");
    assert.equal(errors.length, 1);
  });

  if (!suite.backend.syncResume) return;
  suite.it("ends a coroutine that is resumed synchronously when its time is over", async () => {
    const instance = await link(true);
    const coroutine = instance.coroutine("spin", { timeoutMs: 20 });
    const error = errorOf(() => coroutine.resume(undefined));
    assert.ok(error instanceof DOMException && error.name === "TimeoutError", String(error));
    await turn();
    assert.equal(coroutine.state, "unwound");
    assert.equal(instance.sync.count(10), (await link(true)).sync.count(10));
  });

  suite.it("does not suspend a coroutine that is resumed synchronously", async () => {
    const instance = await link({ sliceMs: 0.01 });
    assert.deepEqual(instance.coroutine("count").resume(300_000), { done: true, value: 300_000 });
  });
}

/** What a call costs. */
async function costOf(
  link: Link,
  interruption: { sliceMs?: number },
  call: (of: Instance<Exports>) => unknown,
): Promise<number> {
  const instance = await link({ ...interruption, fuel: PLENTY }, { wait: async () => 1 });
  await call(instance);
  return PLENTY - instance.fuel!;
}

function isExact(suite: Suite, link: Link): void {
  const calls: Readonly<Record<string, (instance: Instance<Exports>) => unknown>> = {
    "an asynchronous call": ({ exports }) => exports.count(50_000),
    "a synchronous call": ({ sync }) => sync.count(50_000),
    "a coroutine": (instance) => instance.coroutine("count").resumeAsync(50_000),
    "a call with a signal": (instance) =>
      instance.function("count").call([50_000], { signal: new AbortController().signal }),
  };

  suite.it("is the same however the guest is called and interrupted", async () => {
    const costs: number[] = [];
    for (const call of Object.values(calls)) {
      for (const sliceMs of [0.001, 1, 1000]) costs.push(await costOf(link, { sliceMs }, call));
    }
    assert.deepEqual(new Set(costs), new Set([costs[0]]));
    // Each turn runs 9 instructions that cost something; the function around them some more.
    assert.ok(costs[0]! >= 50_000 * 9 && costs[0]! <= 50_000 * 10, `50,000 turns cost ${costs[0]}`);
  });

  suite.it("is enough when it is what a call costs, and not when it is 1 less", async () => {
    for (const [name, call] of Object.entries(calls)) {
      const fuel = await costOf(link, {}, call);
      const enough = await link({ sliceMs: 0.001, fuel });
      await call(enough);
      assert.equal(enough.fuel, 0, name);
      const less = await link({ sliceMs: 0.001, fuel: fuel - 1 });
      const error = await rejection(Promise.resolve().then(() => call(less)));
      assert.ok(error instanceof FuelExhaustedError, name);
      assert.equal(error.limit, fuel - 1);
      assert.equal(less.fuel, 0);
    }
  });

  suite.it("is that of all calls together, across waits", async () => {
    const one = await costOf(link, {}, ({ exports }) => exports.count_wait_count(1000));
    const three = await costOf(link, { sliceMs: 0.001 }, ({ exports }) =>
      Promise.all([1, 2, 3].map(() => exports.count_wait_count(1000))),
    );
    assert.equal(three, 3 * one);
  });

  suite.it("is the same on every backend", async () => {
    assert.equal(await costOf(link, {}, ({ exports }) => exports.count(1000)), COUNT_1000);
    assert.equal(await costOf(link, {}, ({ exports }) => exports.tree(10)), TREE_10);
  });

  suite.it("pays for instructions that do more the larger their operand is", async () => {
    const none = await costOf(link, {}, ({ exports }) => exports.fill(0));
    assert.equal(await costOf(link, {}, ({ exports }) => exports.fill(65_536)), none + 1024);
  });
}

/** 1 behind the loop; the loop begins 1001 times with 9: what decides whether to go on, and, since it is short, what follows. */
const COUNT_1000 = 1 + 1001 * 9;
/** 2047 calls of 13: 3 up to the decision, and both arms, since they are short. */
const TREE_10 = 2047 * 13;

function runsOut(suite: Suite, link: Link): void {
  suite.it("ends an endless loop, whatever it catches", async () => {
    let caught = 0;
    for (const name of ["spin", "swallow"] as const) {
      const instance = await linkCatch(suite, { fuel: 1_000_000 }, () => void caught++);
      const error = await rejection(instance.exports[name]());
      assert.ok(error instanceof FuelExhaustedError);
      assert.equal(error.limit, 1_000_000);
      assert.throws(() => instance.sync.spin(), FuelExhaustedError);
    }
    assert.equal(caught, 0, "no code of the guest runs any more");
  });

  suite.it("ends an endless start function", async () => {
    const error = await rejection(suite.instantiate("spin-start", {}, { interruptible: { fuel: 100_000 } }));
    assert.ok(error instanceof FuelExhaustedError);
  });

  suite.it("ends all calls of the instance, and lets it run again when there is more", async () => {
    const before = liveActivations();
    const instance = await link({ sliceMs: 1, fuel: 50_000_000 });
    const calls = await Promise.allSettled([
      instance.exports.spin(),
      instance.exports.spin(),
      instance.exports.tree(25),
    ]);
    for (const call of calls) assert.ok(call.status === "rejected" && call.reason instanceof FuelExhaustedError);
    assert.equal(liveActivations(), before);
    instance.fuel = 1_000_000n;
    assert.equal(await instance.exports.count(10), 10);
    assert.ok(instance.fuel! < 1_000_000);
  });

  suite.it("may be added while the guest waits", async () => {
    const doors = new Doors();
    const instance = await link({ fuel: 10_000 }, { wait: doors.wait });
    const call = instance.exports.count_wait_count(1000);
    await turn();
    instance.fuel = 100;
    doors.open(1000);
    assert.ok((await rejection(call)) instanceof FuelExhaustedError);
    instance.fuel = 20_000;
    const again = instance.exports.count_wait_count(1000);
    await turn();
    instance.fuel = 10_000;
    doors.open(1000, 3);
    assert.equal(await again, 3);
  });
}

function options(suite: Suite, link: Link): void {
  suite.it("is undefined, and cannot be set, when it is not counted", async () => {
    for (const interruptible of [false, true, { sliceMs: 5 }]) {
      const instance = await link(interruptible);
      assert.equal(instance.fuel, undefined);
      assert.throws(() => (instance.fuel = 5), /TypeError: Cannot set fuel: it is not counted/);
    }
  });

  suite.it("and slices are refused when they make no sense", async () => {
    for (const sliceMs of [0, -1, Number.NaN]) await assert.rejects(link({ sliceMs }), RangeError);
    for (const fuel of [-1, -1n, 0.5, Number.NaN]) await assert.rejects(link({ fuel }), RangeError);
    assert.equal((await link({ fuel: 0 })).fuel, 0);
    assert.equal((await link({ fuel: Infinity })).fuel, Infinity);
  });

  suite.it("is an option of compile(), which instantiate() may set, but not add", async () => {
    const bytes = guestBytes("spin");
    const imports = { host: QUIET };
    const { name: backend } = suite.backend;
    const counted = await compile(bytes, { backend, interruptible: { fuel: 5000 } });
    assert.equal((await suite.instantiate(counted, imports)).fuel, 5000);
    assert.equal((await suite.instantiate(counted, imports, { interruptible: { fuel: 7 } })).fuel, 7);
    const plain = await compile(bytes, { backend });
    await assert.rejects(suite.instantiate(plain, imports, { interruptible: true }), /option interruptible/);
    await assert.rejects(suite.instantiate(counted, imports, { interruptible: true }), /option interruptible/);
  });

  suite.it("cannot be counted without the bytes of the guest", async () => {
    const module = await WebAssembly.compile(guestBytes("spin"));
    await assert.rejects(compile(module, { interruptible: true }), /its bytes are needed/);
  });

  suite.it("does not hide that a guest has to wait in a synchronous call", async () => {
    const instance = await link({ fuel: PLENTY }, { wait: async () => 1 });
    assert.throws(() => instance.sync.count_wait_count(1), SuspendError);
  });
}
