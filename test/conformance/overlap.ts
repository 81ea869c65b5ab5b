/** Activations of guests written in C that overlap and end in any order: each keeps its locals, and the stack pointer comes back. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import type { HostImports, Instance, InstantiateOptions } from "stackful";
import {
  Doors,
  eventually,
  liveActivations,
  permutations,
  randomNumbers,
  range,
  rejection,
  shuffled,
  turn,
} from "./harness.ts";
import type { Suite } from "./harness.ts";

/** One build of test/guests/frames.c, and what it needs from its host. */
interface Variant {
  readonly guest: string;
  readonly environment?: () => Record<string, unknown>;
  readonly options?: InstantiateOptions;
  /** Its calls wait for each other. */
  readonly isQueued?: boolean;
}

function sideModule(): Record<string, unknown> {
  const constant = (value: number): WebAssembly.Global =>
    new WebAssembly.Global({ value: "i32", mutable: false }, value);
  return {
    memory: new WebAssembly.Memory({ initial: 2 }),
    __stack_pointer: new WebAssembly.Global({ value: "i32", mutable: true }, 65536),
    __memory_base: constant(65536),
    __table_base: constant(0),
    __indirect_function_table: new WebAssembly.Table({ element: "anyfunc", initial: 0 }),
  };
}

const VARIANTS: readonly Variant[] = [
  { guest: "frames" },
  { guest: "frames-stripped" },
  { guest: "frames-stripped-O0" },
  { guest: "frames-exported-sp" },
  { guest: "frames-imported-sp", environment: sideModule },
  { guest: "frames-malloc" },
  { guest: "frames-no-grow", isQueued: true },
  { guest: "frames-imported-memory", environment: () => ({ memory: new WebAssembly.Memory({ initial: 1 }) }) },
  { guest: "frames-memory64" },
  { guest: "frames", options: { stackChecks: false } },
  { guest: "frames", options: { overlap: "queue" }, isQueued: true },
  { guest: "frames", options: { stacks: { capacity: 1 } } },
  { guest: "frames", options: { maxLive: 2 } },
];

function titleOf({ guest, options }: Variant): string {
  return options === undefined ? guest : `${guest} ${JSON.stringify(options)}`;
}

/** `wait` through doors; `fill` writes 1, 2, 3 … after a turn of the event loop. */
function framesHost(
  doors: Doors,
  memory: () => WebAssembly.Memory,
  environment: Record<string, unknown> = {},
): HostImports {
  const fill = async (address: number | bigint, length: number): Promise<void> => {
    await turn();
    const bytes = new Uint8Array(memory().buffer, Number(address), length);
    for (const at of bytes.keys()) bytes[at] = at + 1;
  };
  return { host: { wait: doors.wait, fill }, env: environment };
}

interface Frames {
  readonly instance: Instance;
  readonly doors: Doors;
  readonly call: (name: string, ...args: unknown[]) => Promise<unknown>;
  /** Fails unless the stack pointer is where it was before the first call. */
  readonly checkStackPointer: () => void;
}

async function makeFrames(suite: Suite, { guest, environment, options }: Variant): Promise<Frames> {
  const doors = new Doors();
  const host = framesHost(doors, () => instance.memory!, environment?.());
  const instance: Instance = await suite.instantiate(guest, host, options);
  if (instance.raw.exports["_initialize"] !== undefined) await instance.getAsync("_initialize")();
  const pointer = stackPointerOf(instance, host);
  const start: unknown = pointer?.value;
  return {
    instance,
    doors,
    call: (name, ...args) => instance.function(name).call(args),
    checkStackPointer: () => assert.equal(pointer?.value, start, "__stack_pointer is not back"),
  };
}

/** The guest's own global: exported, imported, or under the name by which linking exports it. */
export function stackPointerOf(instance: Instance<object>, host: HostImports): WebAssembly.Global | undefined {
  const exports = instance.raw.exports as Record<string, unknown>;
  const found = exports["__stack_pointer"] ?? host["env"]?.["__stack_pointer"] ?? exports["stackful:stack-pointer"];
  return found as WebAssembly.Global | undefined;
}

/** Starts `frame(id)` for ids, answers them in `order`, checks what each read back from its frame. */
async function finishInOrder({ call, doors }: Frames, ids: readonly number[], order: readonly number[]): Promise<void> {
  const results = ids.map((id) => call("frame", id));
  for (const id of order) {
    doors.open(id, id + 10);
    await Promise.resolve();
  }
  assert.deepEqual(
    await Promise.all(results),
    ids.map((id) => 1000 * id + id + 10),
    `order ${order.join(" ")}`,
  );
}

export function overlap(suite: Suite): void {
  for (const variant of VARIANTS)
    describe(`Overlapping calls of ${titleOf(variant)}`, () => everyOrder(suite, variant));
  describe("Overlapping calls", () => {
    manyAtOnce(suite);
    otherGuests(suite);
  });
}

function everyOrder(suite: Suite, variant: Variant): void {
  suite.it("keep their locals in each of the 24 orders of 4", async () => {
    const frames = await makeFrames(suite, variant);
    assert.equal(frames.instance.queueReason !== undefined, variant.isQueued === true);
    for (const order of permutations([1, 2, 3, 4])) {
      await finishInOrder(frames, [1, 2, 3, 4], order);
      frames.checkStackPointer();
    }
    assert.equal(frames.instance.waiting, 0);
  });

  suite.it("keep their locals in each of the 24 orders of 4, on new stacks", async () => {
    for (const order of permutations([1, 2, 3, 4])) {
      const frames = await makeFrames(suite, variant);
      await finishInOrder(frames, [1, 2, 3, 4], order);
      frames.checkStackPointer();
    }
  });

  suite.it("keep their locals in random orders of 50", async () => {
    const frames = await makeFrames(suite, variant);
    const ids = range(1, 50);
    for (let seed = 1; seed <= 10; seed++) await finishInOrder(frames, ids, shuffled(ids, randomNumbers(seed)));
    frames.checkStackPointer();
  });

  suite.it("keep their locals at every level of a recursion that waits on the way down and up", async () => {
    const frames = await makeFrames(suite, variant);
    const depth = 5;
    const results = range(1, 6).map((id) => frames.call("nested", id, depth));
    const waits = range(1, 6).flatMap((id) => Array<number>(2 * (depth + 1)).fill(id));
    for (const id of shuffled(waits, randomNumbers(7))) {
      frames.doors.open(id, id);
      await turn();
    }
    assert.deepEqual(
      await Promise.all(results),
      range(1, 6).map((id) => 1000 * id + depth + 1),
    );
    frames.checkStackPointer();
  });

  suite.it("let the host write into their frames while they wait", async () => {
    const frames = await makeFrames(suite, variant);
    const sum = (100 * 101) / 2;
    const results = range(1, 8).map((id) => frames.call(id % 2 === 0 ? "checksum_two" : "checksum_deep", 100, 3));
    for (const [at, result] of (await Promise.all(results)).entries()) {
      assert.equal(result, at % 2 === 1 ? sum * 65536 + sum : 4 * sum);
    }
    frames.checkStackPointer();
  });

  suite.it("keep their locals after rejections, traps and cancellations in between", async () => {
    const frames = await makeFrames(suite, variant);
    for (const [round, order] of permutations([1, 2, 3, 4]).entries()) await failInBetween(frames, order, 10 * round);
    await finishInOrder(frames, [501, 502, 503, 504], [502, 501, 504, 503]);
    frames.checkStackPointer();
  });

  suite.it("keep their locals after 300 random steps of every kind", async () => {
    await randomSteps(await makeFrames(suite, variant), 42);
  });
}

/** 1 ends well, 2 is rejected, 3 traps, 4 is cancelled, in `order`; meanwhile 5 waits. `base` is added to all ids. */
async function failInBetween(frames: Frames, order: readonly number[], base: number): Promise<void> {
  const { call, doors, instance } = frames;
  const controller = new AbortController();
  const reasons = { rejected: new Error("rejected"), cancelled: new Error("cancelled") };
  const results = [
    call("frame", base + 1),
    rejection(call("frame", base + 2)),
    rejection(call("trapping", base + 3)),
    rejection(instance.function("nested").call([base + 4, 3], { signal: controller.signal })),
    call("frame", base + 5),
  ];
  const steps: Record<number, () => void> = {
    1: () => doors.open(base + 1, 11),
    2: () => doors.fail(base + 2, reasons.rejected),
    3: () => doors.open(base + 3, 0),
    4: () => controller.abort(reasons.cancelled),
  };
  for (const step of order) {
    steps[step]!();
    await turn();
  }
  doors.open(base + 5, 15);
  const [first, second, third, fourth, fifth] = await Promise.all(results);
  assert.deepEqual([first, fifth], [1000 * (base + 1) + 11, 1000 * (base + 5) + 15]);
  assert.equal(second, reasons.rejected);
  assert.match(String(third), /RuntimeError: unreachable/);
  assert.equal(fourth, reasons.cancelled);
  frames.checkStackPointer();
}

type Ending = "value" | "rejection" | "cancellation" | "trap";

/** Starts calls and ends a random one in a random way, many times over. */
async function randomSteps(frames: Frames, seed: number): Promise<void> {
  const { instance, doors } = frames;
  const before = liveActivations();
  const random = randomNumbers(seed);
  const open: { id: number; ending: Ending; controller: AbortController; result: Promise<unknown> }[] = [];
  const start = (id: number): void => {
    const ending = (["value", "value", "rejection", "cancellation", "trap"] as const)[Math.floor(random() * 5)]!;
    const controller = new AbortController();
    const options = ending === "cancellation" || random() < 0.3 ? { signal: controller.signal } : {};
    const call = instance.function(ending === "trap" ? "trapping" : "frame").call([id], options);
    const result = ending === "value" ? call : rejection(call);
    open.push({ id, ending, controller, result });
  };
  const end = async (): Promise<void> => {
    const [{ id, ending, controller, result }] = open.splice(Math.floor(random() * open.length), 1) as [
      (typeof open)[0],
    ];
    if (ending === "cancellation") controller.abort(id);
    else if (ending === "rejection") doors.fail(id, id);
    else doors.open(id, 7);
    // A queued guest only comes to it when the others have ended.
    if (instance.queueReason === undefined && instance.waiting === 0) check(id, ending, await result);
    else void result.then((found) => check(id, ending, found));
  };
  for (let id = 1; id <= 300; id++) {
    start(id);
    if (open.length > 12 || random() < 0.4) await end();
  }
  while (open.length > 0) await end();
  await eventually(() => liveActivations() === before && instance.waiting === 0);
  frames.checkStackPointer();
}

function check(id: number, ending: Ending, found: unknown): void {
  if (ending === "value") assert.equal(found, 1000 * id + 7);
  else if (ending === "trap") assert.match(String(found), /unreachable/);
  else assert.equal(found, id);
}

function manyAtOnce(suite: Suite): void {
  suite.it("three coroutines, 100 suspensions each, keep their totals", async () => {
    const { suspend } = await import("stackful");
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
    const coroutines = [1, 2, 3].map(() => instance.coroutine<number, number, number>("total"));
    const random = randomNumbers(3);
    const sums = [0, 0, 0];
    for (let step = 0; step < 300; step++) {
      const at = Math.floor(random() * 3);
      sums[at]! += step + 1;
      assert.deepEqual(await coroutines[at]!.resumeAsync(step + 1), { done: false, value: sums[at] });
    }
    for (const [at, coroutine] of coroutines.entries()) {
      assert.deepEqual(await coroutine.resumeAsync(0), { done: true, value: sums[at] });
    }
  });

  suite.it("many small stacks", async () => {
    const frames = await makeFrames(suite, { guest: "frames", options: { stacks: { bytes: 1024 } } });
    const ids = range(1, 2000);
    await finishInOrder(frames, ids, shuffled(ids, randomNumbers(5)));
    assert.equal(frames.instance.stacks.size, 1999);
    frames.checkStackPointer();
  });

  suite.it("settled in one microtask checkpoint keep their locals", async () => {
    const frames = await makeFrames(suite, { guest: "frames" });
    const results = range(1, 20).map((id) => frames.call("frame", id));
    for (const id of shuffled(range(1, 20), randomNumbers(9))) frames.doors.open(id, 5);
    assert.deepEqual(
      await Promise.all(results),
      range(1, 20).map((id) => 1000 * id + 5),
    );
  });
}

function otherGuests(suite: Suite): void {
  suite.it("of a guest with a foreign stack wait for each other", async () => {
    const doors = new Doors();
    const instance = await suite.instantiate("foreign-stack", { host: { wait: doors.wait } });
    assert.match(instance.queueReason ?? "", /stack that is not LLVM's/);
    const results = [1, 2, 3, 4].map((id) => instance.getAsync("run")(id));
    assert.equal(instance.waiting, 3);
    for (const id of [4, 2, 3, 1]) doors.open(id, id);
    assert.deepEqual(await Promise.all(results), [1001, 2002, 3003, 4004]);
    assert.deepEqual(doors.arrivals, [1, 2, 3, 4]);
    assert.equal(await instance.getAsync("live")(), 0);
  });

  const others: [string, string, (id: number) => number][] = [
    ["interleave", "frame", (id) => id],
    ["bump", "run", (id) => 1000 * id + 3],
    ["sbrk", "frame", (id) => 1000 * id + 3],
    ["no-memory", "run", (id) => 1000 * id + 6],
  ];
  for (const [guest, name, expected] of others) {
    suite.it(`of ${guest} end in every order`, async () => {
      const doors = new Doors();
      const instance = await suite.instantiate(guest, { host: { wait: doors.wait } });
      for (const order of permutations([1, 2, 3, 4])) {
        const results = [1, 2, 3, 4].map((id) => instance.getAsync(name)(id));
        for (const id of order) {
          doors.open(id, 3);
          if (guest === "no-memory") doors.open(id, 3);
          await Promise.resolve();
        }
        assert.deepEqual(await Promise.all(results), [1, 2, 3, 4].map(expected), order.join(" "));
      }
    });
  }

  for (const guest of ["setjmp-legacy", "setjmp-exnref"]) {
    suite.it(`of ${guest} jump across waits`, async () => {
      const doors = new Doors();
      const instance = await suite.instantiate(guest, { host: { wait: doors.wait } });
      await instance.getAsync("_initialize")();
      const results = [1, 2, 3].map((id) => instance.getAsync("escape")(id, 4));
      const retried = instance.getAsync("retry")(9, 5);
      for (let step = 0; step < 8; step++) {
        for (const id of [3, 9, 1, 2]) doors.open(id, id + step);
        await turn();
      }
      for (const [at, result] of (await Promise.all(results)).entries()) {
        const id = at + 1;
        assert.equal(result, 1000 * id + id + 1);
      }
      assert.equal(await retried, 5);
    });
  }
}
