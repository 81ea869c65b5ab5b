import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SHARED_FUNCTIONS } from "#src/transform/first-module";
import { AreaExhaustedError } from "#src/transform/run-errors";
import { SuspendableInstance } from "#src/transform/suspendable-instance";
import type { InstanceOptions } from "#src/transform/suspendable-instance";
import type { Outcome, SuspendedStack } from "#src/transform/suspended-stack";
import { transformModule } from "#src/transform/transform-module";
import { assemble } from "./assemble.ts";
import { takenBytes } from "./taken-bytes.ts";

/** `down(n)` has n + 1 frames with two references each when it suspends, in `ask` at the bottom. */
const DOWN = `(module
  (import "env" "ask" (func $ask (param externref) (result externref)))
  (func $down (export "down") (param $n i32) (param $object externref) (result externref)
    (local $function funcref)
    (local.set $function (ref.func $down))
    (drop (if (result externref) (local.get $n)
      (then (call $down (i32.sub (local.get $n) (i32.const 1)) (local.get $object)))
      (else (call $ask (local.get $object)))))
    (if (result externref) (ref.is_null (local.get $function))
      (then (ref.null extern))
      (else (local.get $object)))))`;

const OBJECT = { kept: true };

async function guestOf(options: InstanceOptions & { multiMemory?: boolean } = {}): Promise<SuspendableInstance> {
  const { multiMemory = true } = options;
  const text = multiMemory ? DOWN : DOWN.replace(/\)$/, "(memory 1))");
  const transformed = transformModule(await assemble(text), { multiMemory });
  const guest: SuspendableInstance = new SuspendableInstance(
    transformed,
    { env: { ask: () => guest.suspend() } },
    options,
  );
  return guest;
}

function suspended(outcome: Outcome): SuspendedStack {
  assert(!outcome.done, "the guest returned");
  return outcome.stack;
}

/** Places of side tables, and those that hold something. */
function countPlaces(guest: SuspendableInstance): { places: number; taken: number } {
  let [places, taken] = [0, 0];
  for (const table of Object.values(guest.exports)) {
    if (!(table instanceof WebAssembly.Table) || table === guest.exports[SHARED_FUNCTIONS]) continue;
    for (let index = 0; index < table.length; index++) {
      const value: unknown = table.get(index);
      // The other tables are those of resume copies and of the functions of frame-disposal.ts.
      if (value === OBJECT || value === guest.exports["down"]) taken++;
    }
    places += table.length;
  }
  return { places, taken };
}

const WAYS: Record<string, (guest: SuspendableInstance) => void> = {
  "drop()": (guest) => suspended(guest.start("down", 5, OBJECT)).drop(),
  "drop() of a stack that others were run after": (guest) => {
    const stacks = [5, 3, 4].map((depth) => suspended(guest.start("down", depth, OBJECT)));
    stacks[1]!.drop();
    assert.deepEqual(stacks[2]!.resume(null), { done: true, values: [OBJECT] });
    stacks[0]!.drop();
  },
  "an error that nothing catches": (guest) => {
    const stack = suspended(guest.start("down", 5, OBJECT));
    assert.throws(() => stack.throw(new Error("from the host")), /from the host/);
  },
  "running out of room while frames are saved": (guest) => {
    assert.throws(() => guest.start("down", 200, OBJECT), AreaExhaustedError);
  },
};

describe("References in frames", () => {
  for (const [way, run] of Object.entries(WAYS)) {
    it(`are let go of by ${way}, and so are their places`, async () => {
      const guest = await guestOf({ maximumStackBytes: 4096 });
      for (let count = 0; count < 10; count++) run(guest);
      const { places } = countPlaces(guest);
      for (let count = 0; count < 2000; count++) run(guest);
      assert.deepEqual(countPlaces(guest), { places, taken: 0 });
      const stack = suspended(guest.start("down", 5, OBJECT));
      assert.equal(countPlaces(guest).taken, 12);
      assert.deepEqual(stack.resume(null), { done: true, values: [OBJECT] });
    });
  }

  it("are let go of by drop() when the runtime is a module of its own", async () => {
    const guest = await guestOf({ multiMemory: false });
    for (let count = 0; count < 10_000; count++) suspended(guest.start("down", 5, OBJECT)).drop();
    assert(takenBytes(guest) <= 65_536);
  });
});
