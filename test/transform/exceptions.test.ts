import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readFileSync } from "node:fs";
import { hasTryTable } from "#src/transform/lower-exceptions";
import { SuspendableInstance } from "#src/transform/suspendable-instance";
import type { Outcome, SuspendedStack } from "#src/transform/suspended-stack";
import { transformModule } from "#src/transform/transform-module";
import { assemble } from "./assemble.ts";
import { compareRuns } from "./differential.ts";

function suspended(outcome: Outcome): SuspendedStack {
  assert(!outcome.done, "the guest returned");
  return outcome.stack;
}

async function guestOf(text: string): Promise<SuspendableInstance> {
  const guest: SuspendableInstance = new SuspendableInstance(transformModule(await assemble(text)), {
    env: { ask: (value: unknown) => guest.suspend(value) },
  });
  return guest;
}

/** `main` catches in an outer frame what `inner` throws after it was suspended twice. */
const LEGACY = `(module
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (tag $thrown (param i32))
  (func $inner (param $n i32) (result i32)
    (local $answer i32)
    (local.set $answer (call $ask (local.get $n)))
    (if (i32.eqz (local.get $answer)) (then (throw $thrown (i32.add (local.get $n) (i32.const 500)))))
    (i32.add (local.get $answer) (call $ask (i32.const 77))))
  (func $between (param $n i32) (result i32) (i32.add (call $inner (local.get $n)) (i32.const 1)))
  (func (export "main") (param $n i32) (result i32)
    (local $kept i32)
    (local.set $kept (i32.mul (local.get $n) (i32.const 1000)))
    (i32.add (local.get $kept)
      (try (result i32)
        (do (i32.add (call $between (local.get $n)) (call $between (i32.const 4))))
        (catch $thrown)
        (catch_all (i32.const -1))))))`;

describe("A suspension inside a legacy try", () => {
  it("comes back into its body", async () => {
    const guest = await guestOf(LEGACY);
    const stack = suspended(guest.start("main", 3));
    for (const answer of [10, 20, 30]) suspended(stack.resume(answer));
    assert.deepEqual(stack.resume(40), { done: true, values: [3102] });
  });

  it("lets an outer frame catch what a resumed frame throws", async () => {
    const guest = await guestOf(LEGACY);
    const stack = suspended(guest.start("main", 3));
    assert.deepEqual(stack.resume(0), { done: true, values: [3503] });
    const later = suspended(guest.start("main", 3));
    suspended(later.resume(1));
    suspended(later.resume(2));
    assert.deepEqual(later.resume(0), { done: true, values: [3504] });
  });

  it("lets an outer frame catch what the host throws into the stack", async () => {
    const guest = await guestOf(LEGACY);
    const stack = suspended(guest.start("main", 3));
    assert.deepEqual(stack.throw(new Error("from the host")), { done: true, values: [2999] });
  });

  it("does not let a frame catch a trap of another one", async () => {
    const guest = await guestOf(
      LEGACY.replace("(i32.eqz (local.get $answer))", "(i32.div_u (i32.const 0) (local.get $answer))"),
    );
    const stack = suspended(guest.start("main", 3));
    assert.throws(() => stack.resume(0), /divide by zero/);
  });

  it("comes back into a catch block on engines that do not have the other form", async () => {
    const bytes = await assemble(`(module
      (import "env" "ask" (func $ask (param i32) (result i32)))
      (tag $thrown)
      (func $handler (export "main") (result i32)
        (try (result i32) (do (throw $thrown)) (catch_all (i32.add (i32.const 1) (call $ask (i32.const 1)))))))`);
    const guest: SuspendableInstance = new SuspendableInstance(transformModule(bytes, { tryTable: false }), {
      env: { ask: (value: unknown) => guest.suspend(value) },
    });
    assert.deepEqual(suspended(guest.start("main")).resume(41), { done: true, values: [42] });
  });
});

/**
 * `delegate` past handlers, as LLVM uses it where the calls of one block have different landing pads. Each export suspends in
 * a catch block too, for which exceptions are rewritten into the standard form.
 */
const DELEGATES: Record<string, string> = {
  "to a try further out": `
    (try $outer (result i32)
      (do
        (try (result i32)
          (do (try (result i32) (do (call $ask (i32.const 1))) (delegate $outer)))
          (catch_all (i32.add (i32.const 1000) (call $ask (i32.const 2))))))
      (catch_all (i32.add (i32.const 2000) (call $ask (i32.const 3)))))`,
  "to a block, which hands it to the try around": `
    (try (result i32)
      (do
        (block $between (result i32)
          (try (result i32)
            (do (try (result i32) (do (call $ask (i32.const 1))) (delegate $between)))
            (catch_all (i32.add (i32.const 1000) (call $ask (i32.const 2)))))))
      (catch_all (i32.add (i32.const 2000) (call $ask (i32.const 3)))))`,
  "to the caller": `
    (i32.add (local.get $n) (try (result i32)
      (do (try (result i32) (do (i32.add (call $ask (i32.const 1)) (i32.const 5))) (delegate 1)))
      (catch_all (i32.add (i32.const 1000) (call $ask (i32.const 2))))))`,
  "out of a catch block, to a try further out": `
    (try $outer (result i32)
      (do
        (try $between (result i32)
          (do (i32.const 7) (drop) (throw $thrown (local.get $n)))
          (catch $thrown
            (try (param i32) (result i32)
              (do (try (param i32) (result i32) (do (i32.add (call $ask (i32.const 1)))) (delegate $between)))
              (catch_all (i32.add (i32.const 1000) (call $ask (i32.const 2))))))))
      (catch_all (i32.add (i32.const 2000) (call $ask (i32.const 3)))))`,
  "to another delegate": `
    (try $outer (result i32)
      (do
        (try (result i32)
          (do
            (try $middle (result i32)
              (do (try (result i32)
                (do (try (result i32) (do (call $ask (i32.const 1))) (delegate $middle)))
                (catch_all (i32.add (i32.const 500) (call $ask (i32.const 4))))))
              (delegate $outer)))
          (catch_all (i32.add (i32.const 1000) (call $ask (i32.const 2))))))
      (catch_all (i32.add (i32.const 2000) (call $ask (i32.const 3)))))`,
  "in a loop that goes on": `
    (local $left i32) (local.set $left (i32.const 4))
    (loop $again (result i32)
      (try $outer (result i32)
        (do
          (try (result i32)
            (do
              (try (result i32)
                (do
                  (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                  (br_if $again (i32.gt_s (local.get $left) (i32.and (call $ask (local.get $left)) (i32.const 1))))
                  (return (local.get $left)))
                (delegate $outer)))
            (catch_all (i32.add (i32.const 1000) (call $ask (i32.const 2))))))
        (catch_all
          (drop (call $ask (i32.const 3)))
          (br_if $again (local.get $left))
          (i32.const 2000))))`,
};

function describeThrows(throwEvery: number): string {
  return `the host throws ${throwEvery > 0 ? `every ${throwEvery} calls` : "never"}`;
}

const skip = hasTryTable() ? false : "this engine does not have the standard form of exceptions";

describe("A suspension in a catch block, with a delegate", () => {
  for (const [where, body] of Object.entries(DELEGATES)) {
    for (const throwEvery of [0, 1, 2, 3, 4]) {
      it(`${where}, does what the plain module does when ${describeThrows(throwEvery)}`, async () => {
        const bytes = await assemble(`(module
          (import "env" "ask" (func $ask (param i32) (result i32)))
          (tag $thrown (param i32))
          (func $inner (param $n i32) (result i32) ${body})
          (func (export "main") (param $n i32) (result i32)
            (try (result i32) (do (call $inner (local.get $n))) (catch_all (i32.const -1)))))`);
        assert(compareRuns(bytes, { throwEvery }).suspensions > 0);
        assert(compareRuns(bytes, { throwEvery, tryTable: false }).suspensions > 0);
      });
    }
  }
});

describe("A suspension in the catch blocks of a large function", () => {
  it("keeps an exception for each try around, not for each try", async () => {
    const one = `(drop (try (result i32)
      (do (call $ask (i32.const 1)))
      (catch_all (drop (call $ask (i32.const 2))) (rethrow 0))))`;
    const bytes = await assemble(`(module
      (import "env" "ask" (func $ask (param i32) (result i32)))
      (func (export "main") ${one.repeat(1200)}))`);
    assert.equal(compareRuns(bytes).suspensions, 2400);
    for (const tryTable of [hasTryTable(), false]) {
      assert(compareRuns(bytes, { throwEvery: 50, tryTable }).suspensions > 50);
    }
  });
});

for (const guest of ["catch-exnref", "catch-legacy", "exceptions-exnref", "exceptions-legacy"]) {
  describe(`A suspension in any place of ${guest}`, () => {
    const bytes = readFileSync(`test/guests/${guest}.wasm`);
    for (const throwEvery of [0, 1, 2, 3, 5]) {
      it(
        `does what the plain module does when ${describeThrows(throwEvery)}`,
        { skip: guest.endsWith("exnref") && skip },
        () => {
          assert(compareRuns(bytes, { throwEvery, skip: ["swallow_forever"] }).suspensions > 0);
        },
      );
    }
  });
}
