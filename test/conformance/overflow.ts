/** Guests that need more stack than they have: the error says so, nothing beside the stack is touched, the stack is used again. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { StackExhaustedError, Trap, suspend } from "stackful";
import type { HostImports, Instance, InstantiateOptions } from "stackful";
import { Doors, errorOf, liveActivations, permutations, rejection, turn } from "./harness.ts";
import type { Functions, Suite } from "./harness.ts";
import { stackPointerOf } from "./overlap.ts";

type Overflow = Functions<
  "small" | "jump_4k" | "jump_64k" | "take" | "canary_paint" | "canary_add" | "canary_damage" | "_initialize"
>;

interface Prepared {
  readonly instance: Instance<Overflow>;
  readonly doors: Doors;
  readonly check: () => void;
}

/** A guest with canaries on its heap, between the regions of its stacks. */
async function prepare(suite: Suite, guest: string, options: InstantiateOptions = {}): Promise<Prepared> {
  const doors = new Doors();
  const instance = await suite.instantiate<Overflow>(guest, { host: { wait: doors.wait } }, options);
  if (guest === "overflow-malloc") await instance.exports._initialize();
  const pointer = stackPointerOf(instance, {});
  const start: unknown = pointer?.value;
  const check = (): void => {
    assert.equal(instance.sync.canary_damage(), 0, "a canary was overwritten");
    assert.equal(pointer?.value, start, "__stack_pointer is not back");
  };
  instance.sync.canary_add(4096);
  instance.sync.canary_paint();
  return { instance, doors, check };
}

const GUESTS = ["overflow", "overflow-data-first", "overflow-malloc", "overflow-large-stack"];
const OVERFLOWS: readonly (readonly ["small" | "jump_4k" | "jump_64k" | "take", number, number])[] = [
  ["small", -1, 0],
  ["small", 8000, 9],
  ["jump_4k", -1, 0],
  ["jump_4k", 100, 9],
  ["jump_64k", -1, 0],
  ["jump_64k", 3, 9],
  ["take", 200_000, 9],
  ["take", 65_536 * 3 - 16, 9],
];

function assertExhausted(error: unknown, bytes: number): void {
  assert.ok(error instanceof StackExhaustedError, String(error));
  assert.ok(error instanceof RangeError);
  assert.ok(error.limit <= bytes && error.limit > bytes - 256, `limit ${error.limit}`);
  assert.ok(error.needed > error.limit, `needed ${error.needed}`);
  assert.match(error.message, /stacks: \{ bytes \}/);
}

export function overflow(suite: Suite): void {
  for (const guest of GUESTS) {
    describe(`Stack overflow of ${guest} on a region`, () => {
      for (const [name, levels, id] of OVERFLOWS) onRegion(suite, guest, [name, levels, id]);
    });
  }
  describe("Stack overflow", () => {
    reuse(suite);
    enough(suite);
    blame(suite);
  });
  for (const guest of ["fiber", "fiber-O0"])
    describe(`A guest with stacks of its own, ${guest}`, () => fibers(suite, guest));
  // Not of overflow-data-first: where its data ends and its own stack begins, only its linker knew.
  for (const guest of ["overflow", "overflow-malloc"])
    describe(`Stack overflow of ${guest} on its own stack`, () => onMainStack(suite, guest));
}

function onRegion(suite: Suite, guest: string, [name, levels, id]: (typeof OVERFLOWS)[number]): void {
  suite.it(`${name}(${levels}) is exhausted, twice on the same stack, and touches nothing else`, async () => {
    const { instance, doors, check } = await prepare(suite, guest);
    const main = instance.exports.small(50, 1);
    const before = instance.exports.small(50, 2);
    const between = rejection(instance.exports[name](levels, id));
    instance.sync.canary_add(4096);
    const after = instance.exports.small(50, 3);
    assertExhausted(await between, 65536);
    assertExhausted(await rejection(instance.exports[name](levels, id)), 65536);
    assert.equal(instance.sync.canary_damage(), 0);
    for (const other of [3, 1, 2]) doors.open(other);
    assert.deepEqual(await Promise.all([main, before, after]), [51, 51, 51]);
    check();
    assert.equal(await instance.exports.small(1000, 0), 1001);
    assert.equal(instance.stacks.size, 3);
    check();
  });
}

function reuse(suite: Suite): void {
  suite.it("twice on the same opened stack, which then works", async () => {
    const { instance, check } = await prepare(suite, "overflow");
    const stack = instance.stacks.open(8192);
    const small = instance.function<[number, number], number>("small");
    for (let round = 0; round < 2; round++) {
      const caught = await small
        .call([-1, 0], { stack })
        .catch((error: unknown) => (error instanceof StackExhaustedError ? 42 : error));
      assert.equal(caught, 42);
    }
    assert.equal(await small.call([100, 0], { stack }), 101);
    assert.equal(stack.uses, 3);
    stack.free();
    check();
  });

  suite.it("recursive async: in a coroutine after a wait it is an error of that coroutine only", async () => {
    const instance = await suite.instantiate<Overflow>("overflow", { host: { wait: (id: number) => suspend(id) } });
    instance.sync.canary_paint();
    const coroutines = [1, 2, 3].map((id) => instance.coroutine("small", { args: [id * 100, id] }));
    for (const coroutine of coroutines) await coroutine.resumeAsync(0);
    const deep = instance.coroutine("small", { args: [-1, 9] });
    assertExhausted(await rejection(deep.resumeAsync(0)), 65536);
    assert.equal(deep.state, "threw");
    for (const [at, coroutine] of coroutines.entries()) {
      assert.deepEqual(await coroutine.resumeAsync(0), { done: true, value: (at + 1) * 100 + 1 });
    }
    assert.equal(instance.sync.canary_damage(), 0);
  });

  suite.it("many times over leaves the same number of stacks", async () => {
    const { instance, doors, check } = await prepare(suite, "overflow");
    const main = instance.exports.small(10, 1);
    for (let round = 0; round < 200; round++) assertExhausted(await rejection(instance.exports.jump_4k(-1, 0)), 65536);
    assert.equal(instance.stacks.size, 1);
    doors.open(1);
    assert.equal(await main, 11);
    check();
  });
}

function enough(suite: Suite): void {
  suite.it("does not come to a guest with enough stack: 500 KB of recursion on 1 MiB", async () => {
    const { instance, doors, check } = await prepare(suite, "overflow", { stacks: { bytes: 1 << 20 } });
    const main = instance.exports.small(10, 1);
    const deep = [instance.exports.jump_4k(120, 2), instance.exports.jump_64k(7, 3), instance.exports.take(500_000, 4)];
    for (const id of [3, 2, 4, 1]) doors.open(id);
    assert.deepEqual(await Promise.all(deep), [121, 8, 500_000]);
    assert.equal(await main, 11);
    check();
  });

  suite.it("to the last bytes of a stack: what fits works, what does not is exhausted", async () => {
    const { instance, check } = await prepare(suite, "overflow");
    const stack = instance.stacks.open(16_384);
    const take = instance.function<[number, number], number>("take");
    const results = new Set<string>();
    for (let bytes = 15_000; bytes <= 17_000; bytes += 16) {
      const result = await take.call([bytes, 0], { stack }).catch((error: unknown) => error);
      results.add(result instanceof StackExhaustedError ? "exhausted" : `fits: ${String(result === bytes)}`);
      check();
    }
    assert.deepEqual([...results], ["fits: true", "exhausted"]);
    stack.free();
  });
}

function onMainStack(suite: Suite, guest: string): void {
  for (const [name, levels, id] of OVERFLOWS) {
    suite.it(`${name}(${levels}) is an error, touches nothing else, and the stack works again`, async () => {
      const { instance, check } = await prepare(suite, guest);
      for (let round = 0; round < 2; round++) {
        const error = await rejection(instance.exports[name](levels, id));
        assert.ok(error instanceof StackExhaustedError || error instanceof Trap, String(error));
        const direct = errorOf(() => instance.sync[name](levels, 0));
        assert.ok(direct instanceof StackExhaustedError || direct instanceof Trap, String(direct));
        check();
        assert.equal(await instance.exports.small(1000, 0), 1001);
        assert.equal(instance.sync.small(1000, 0), 1001);
      }
    });
  }
}

function blame(suite: Suite): void {
  suite.it("is not blamed on a synchronous call that traps in the microtasks after it", () =>
    checkBlame((imports, options) => suite.instantiate("frames", imports, options)),
  );
}

/** A trap is only known when the rejection that it leads to is handled: others may call the guest before. */
export async function checkBlame(
  instantiateFrames: (
    imports: HostImports,
    options: InstantiateOptions,
  ) => Promise<Instance<Functions<"frame" | "nested" | "trapping">>>,
): Promise<void> {
  const doors = new Doors();
  const host = { wait: (id: number): unknown => (id === 9 ? 0 : doors.wait(id)), fill: () => {} };
  const instance = await instantiateFrames({ host }, { stacks: { bytes: 1024 } });
  const main = instance.exports.frame(1);
  const before = liveActivations();
  const deep = rejection(instance.exports.nested(2, 50));
  for (let waits = 0; waits === 0 || liveActivations() > before; waits++) {
    doors.open(2);
    for (let microtasks = 0; microtasks < 12; microtasks++) {
      await Promise.resolve();
      const error = errorOf(() => instance.sync.trapping(9));
      assert.ok(
        error instanceof Trap && error.kind === "unreachable",
        `after ${microtasks} of ${waits}: ${String(error)}`,
      );
    }
    await turn();
  }
  assertExhausted(await deep, 1024);
  doors.open(1, 1);
  assert.equal(await main, 1001);
}

/** What runs on the guest's own stacks is compared with no limit; what runs on a region is. */
function fibers(suite: Suite, guest: string): void {
  type Fibers = Functions<"frames" | "trapping" | "overflow">;
  const make = async (): Promise<{ instance: Instance<Fibers>; doors: Doors }> => {
    const doors = new Doors();
    return { instance: await suite.instantiate<Fibers>(guest, { host: { wait: doors.wait } }), doors };
  };
  /** Opens the doors of calls that wait `times` times each, in this order. */
  const answer = async (doors: Doors, order: readonly number[], times: number): Promise<void> => {
    for (let time = 0; time < times; time++) {
      for (const id of order) doors.open(id, id);
      await turn();
    }
  };

  suite.it("has calls that overlap in each of the 24 orders of 4", async () => {
    const { instance, doors } = await make();
    for (const order of permutations([1, 2, 3, 4])) {
      const calls = [1, 2, 3, 4].map((id) => instance.exports.frames(id));
      await answer(doors, order, 3);
      assert.deepEqual(await Promise.all(calls), [3003, 6006, 9009, 12_012]);
    }
    assert.equal(instance.stacks.size, 3);
  });

  suite.it("traps on one of them without being told that another is exhausted", async () => {
    const { instance, doors } = await make();
    for (let round = 0; round < 2; round++) {
      const calls = [1, 2, 3].map((id) => rejection(instance.exports.trapping(id)));
      await answer(doors, [3, 1, 2], 1);
      for (const error of await Promise.all(calls)) {
        assert.ok(error instanceof Trap && error.kind === "unreachable", String(error));
      }
    }
    const ready = await suite.instantiate<Fibers>(guest, { host: { wait: () => 1 } });
    const error = errorOf(() => ready.sync.trapping(1));
    assert.ok(error instanceof Trap && error.kind === "unreachable", String(error));
  });

  suite.it("exhausts a region after it was on one of them, and touches nothing beside it", async () => {
    const { instance, doors } = await make();
    const first = instance.exports.overflow(1);
    const second = rejection(instance.exports.overflow(2));
    const third = instance.exports.frames(3);
    await answer(doors, [2, 1, 3], 3);
    assertExhausted(await second, 65536);
    assert.deepEqual([await first, await third], [1003, 9009]);
  });
}
