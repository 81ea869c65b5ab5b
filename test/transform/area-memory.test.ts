import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ABI } from "#src/transform/abi";
import { AreaMemory, NOT_RESERVED, SHARE, SMALLEST_EXTENT_LOG2, TAKEN, UNUSED } from "#src/transform/area-memory";
import { AreaExhaustedError } from "#src/transform/run-errors";
import { SuspendableInstance } from "#src/transform/suspendable-instance";
import type { SuspendedStack } from "#src/transform/suspended-stack";
import { transformModule } from "#src/transform/transform-module";
import { assemble } from "./assemble.ts";
import { takenBytes } from "./taken-bytes.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** `down(n)` has n + 1 frames when it suspends, and returns the sum of 0 to n and the answer. */
const transformed = transformModule(
  await assemble(`(module
    (import "env" "ask" (func $ask (result i32)))
    (func $down (export "down") (param $n i32) (result i32)
      (i32.add (local.get $n) (if (result i32) (local.get $n)
        (then (call $down (i32.sub (local.get $n) (i32.const 1))))
        (else (call $ask))))))`),
);

/** Its frames take 80 KB. */
const DEEP = 5000;

function makeGuest(): SuspendableInstance {
  const guest: SuspendableInstance = new SuspendableInstance(transformed, { env: { ask: () => guest.suspend() } });
  return guest;
}

function suspend(guest: SuspendableInstance, depth = 1): SuspendedStack {
  const outcome = guest.start("down", depth);
  assert.ok(!outcome.done);
  return outcome.stack;
}

const memoryOf = ({ exports }: SuspendableInstance): WebAssembly.Memory => exports[ABI.memory] as WebAssembly.Memory;
const word = (memory: WebAssembly.Memory, address: number): number => new Uint32Array(memory.buffer)[address >> 2]!;

/** Collects what can be, and has those who wait for it told. */
async function settle(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await new Promise((done) => setTimeout(done, 5));
    collect();
  }
  await new Promise((done) => setTimeout(done, 5));
}

describe("Instances that share the memory of their areas", () => {
  it("keep their stacks apart, whatever the order in which they go on", () => {
    const guests = Array.from({ length: 20 }, () => makeGuest());
    assert.ok(new Set(guests.map(memoryOf)).size <= 2, "each has a memory of its own");
    const stacks = guests.flatMap((guest, at) =>
      [1, 50, 3].map((depth) => ({ stack: suspend(guest, depth + at), depth, at })),
    );
    for (const { stack, depth, at } of stacks.toSorted((a, b) => ((a.at * 7) % 20) - ((b.at * 7) % 20))) {
      const frames = depth + at;
      assert.deepEqual(stack.resume(1000), { done: true, values: [(frames * (frames + 1)) / 2 + 1000] });
    }
  });

  it("give everything back when they are collected, with the stacks that they have left suspended", async () => {
    const memory = new WeakRef(memoryOf(makeGuest()));
    const fill = (): number => {
      const guests = Array.from({ length: 10 }, () => makeGuest());
      for (const guest of guests) for (let count = 0; count < 100; count++) suspend(guest, count * 3);
      return guests.reduce((sum, guest) => sum + takenBytes(guest), 0);
    };
    await settle();
    const taken = fill();
    assert.ok(taken > 10 * 100 * 256, String(taken));
    await settle();
    const kept = memory.deref();
    // Its memory may be gone with them, if nobody else has used it.
    assert.ok(kept === undefined || word(kept, TAKEN) * 2 ** SMALLEST_EXTENT_LOG2 < taken / 2);
    assert.equal(fill(), taken);
  });

  it("use what others have given back", async () => {
    const witness = makeGuest();
    const use = (): boolean => {
      const guest = makeGuest();
      for (let count = 0; count < 20; count++) suspend(guest, 100);
      return memoryOf(guest) === memoryOf(witness);
    };
    for (let count = 0; count < 10; count++) use();
    await settle();
    const unused = word(memoryOf(witness), UNUSED);
    let shared = 0;
    for (let count = 0; count < 10; count++) if (use()) shared++;
    assert.ok(shared > 0);
    assert.equal(word(memoryOf(witness), UNUSED), unused);
  });

  it("do not keep each other, nor a memory that nobody uses any more", async () => {
    const memories = new Set<WeakRef<WebAssembly.Memory>>();
    const one = (): void => void memories.add(new WeakRef(memoryOf(makeGuest())));
    for (let count = 0; count < 1000; count++) one();
    await settle();
    const kept = new Set([...memories].map((memory) => memory.deref()).filter((memory) => memory !== undefined));
    assert.ok(kept.size <= 3, `${kept.size} of ${memories.size} memories are kept`);
  });

  it("leave a memory that is large to those that use it", () => {
    const large = makeGuest();
    const stacks = Array.from({ length: 600 }, () => suspend(large, DEEP));
    assert.ok(takenBytes(large) > 2 ** 26);
    assert.notEqual(memoryOf(makeGuest()), memoryOf(large));
    for (const stack of stacks) stack.drop();
  });

  it("cannot use up what is left to the others", () => {
    const greedy = makeGuest();
    const other = makeGuest();
    const memory = memoryOf(greedy);
    assert.equal(memoryOf(other), memory);
    // As if others had taken all that is for who wants more than a share: to fill gigabytes takes seconds.
    const before = word(memory, TAKEN);
    new Uint32Array(memory.buffer)[TAKEN >> 2] = NOT_RESERVED;
    const stacks: SuspendedStack[] = [];
    assert.throws(() => {
      while (stacks.length < 1000) stacks.push(suspend(greedy, DEEP));
    }, AreaExhaustedError);
    const share = SHARE * 2 ** SMALLEST_EXTENT_LOG2;
    assert.ok(takenBytes(greedy) <= share && takenBytes(greedy) > 0.9 * share, String(takenBytes(greedy)));
    suspend(other, DEEP).drop();
    new Uint32Array(memory.buffer)[TAKEN >> 2]! -= NOT_RESERVED - before;
    // It has lost none of those that it had.
    for (const stack of stacks) assert.ok(stack.resume(0).done);
  });
});

describe("AreaMemory.withRoom()", () => {
  it("takes one that is full, when the engine has no room for another", () => {
    // Those that are admitted keep their places.
    const owners: object[] = [];
    const admit = (): AreaMemory => {
      const areas = AreaMemory.withRoom();
      const owner = {};
      areas.admit(owner);
      owners.push(owner);
      return areas;
    };
    admit();
    const refused = mock.method(WebAssembly, "Memory", () => {
      throw new RangeError("WebAssembly.Memory(): could not allocate memory");
    });
    try {
      while (refused.mock.callCount() === 0) admit();
      assert.equal(admit(), admit());
    } finally {
      refused.mock.restore();
    }
    assert.ok(owners.length < 2000, String(owners.length));
  });
});
