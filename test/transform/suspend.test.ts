import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ABI } from "#src/transform/abi";
import { AreaExhaustedError } from "#src/transform/run-errors";
import { SuspendableInstance } from "#src/transform/suspendable-instance";
import type { Outcome, SuspendedStack } from "#src/transform/suspended-stack";
import { transformModule } from "#src/transform/transform-module";
import { assemble } from "./assemble.ts";
import { takenBytes } from "./taken-bytes.ts";

/** A guest whose import `env.ask` suspends with its argument. */
async function guestOf(text: string, options = {}): Promise<SuspendableInstance> {
  const transformed = transformModule(await assemble(text));
  const guest = new SuspendableInstance(
    transformed,
    { env: { ask: (value: unknown) => guest.suspend(value) } },
    options,
  );
  return guest;
}

function suspended(outcome: Outcome): { value: unknown; stack: SuspendedStack } {
  assert(!outcome.done, "the guest returned");
  return outcome;
}

/** `sum(n)` = ask(n) + ask(n - 1) + … + ask(1), each on a deeper frame, the deepest first to return. */
const RECURSIVE = `(module
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (func $sum (export "sum") (param $n i32) (result i32)
    (if (result i32) (i32.eqz (local.get $n))
      (then (i32.const 0))
      (else (i32.add (call $ask (local.get $n)) (call $sum (i32.sub (local.get $n) (i32.const 1))))))))`;

describe("SuspendableInstance", () => {
  it("suspends at an import and resumes with a value", async () => {
    const guest = await guestOf(`(module
      (import "env" "ask" (func $ask (param i32) (result i32)))
      (func $twice (param $n i32) (result i32)
        (i32.add (call $ask (local.get $n)) (i32.mul (i32.const 10) (call $ask (i32.add (local.get $n) (i32.const 1))))))
      (func (export "main") (param $n i32) (result i32)
        (i32.add (i32.const 1000) (call $twice (local.get $n)))))`);
    const first = suspended(guest.start("main", 5));
    assert.equal(first.value, 5);
    const second = suspended(first.stack.resume(3));
    assert.equal(second.value, 6);
    assert.deepEqual(second.stack.resume(4), { done: true, values: [1043] });
  });

  it("returns without a suspension when nothing suspends", async () => {
    const guest = await guestOf(RECURSIVE);
    assert.deepEqual(guest.start("sum", 0), { done: true, values: [0] });
  });

  it("keeps several stacks and resumes them in any order", async () => {
    const guest = await guestOf(RECURSIVE);
    const stacks = [3, 5, 4].map((depth) => suspended(guest.start("sum", depth)).stack);
    const results = new Map<number, readonly unknown[]>();
    for (let round = 0; results.size < stacks.length; round++) {
      const index = (round * 2) % stacks.length;
      if (results.has(index)) continue;
      const outcome = stacks[index]!.resume(10 ** index);
      if (outcome.done) results.set(index, outcome.values);
    }
    assert.deepEqual([results.get(0), results.get(1), results.get(2)], [[3], [50], [400]]);
  });

  it("resumes each of 1,000 stacks at a depth of 50", async () => {
    const guest = await guestOf(RECURSIVE);
    let outcomes: Outcome[] = Array.from({ length: 1000 }, () => guest.start("sum", 50));
    for (let step = 0; step < 50; step++) {
      outcomes = outcomes.map((outcome, index) => suspended(outcome).stack.resume(index));
    }
    assert.deepEqual(
      outcomes,
      outcomes.map((_, index) => ({ done: true, values: [index * 50] })),
    );
  });

  it("runs a stack inside a host function that another stack called", async () => {
    const transformed = transformModule(await assemble(RECURSIVE));
    const inner: SuspendedStack[] = [];
    const guest: SuspendableInstance = new SuspendableInstance(transformed, {
      env: {
        ask(value: number) {
          if (value !== 2) return guest.suspend(value);
          inner.push(suspended(guest.start("sum", 1)).stack);
          return 100;
        },
      },
    });
    const { stack } = suspended(guest.start("sum", 3));
    const outer = suspended(stack.resume(1));
    assert.equal(outer.value, 1);
    assert.deepEqual(inner[0]!.resume(7), { done: true, values: [7] });
    assert.deepEqual(outer.stack.resume(1000), { done: true, values: [1101] });
  });

  it("refuses a suspension when the guest was not entered by start()", async () => {
    const guest = await guestOf(RECURSIVE);
    assert.throws(() => guest.call("sum", 1), /Cannot suspend in env\.ask: the guest was not entered by start\(\)/);
    assert.equal(suspended(guest.start("sum", 1)).value, 1);
  });

  it("refuses to resume a stack that is not suspended", async () => {
    const guest = await guestOf(RECURSIVE);
    const { stack } = suspended(guest.start("sum", 1));
    stack.resume(1);
    assert.throws(() => stack.resume(1), /Cannot continue the stack: it is not suspended/);
  });

  it("hands on what the host throws when nothing catches it", async () => {
    const guest = await guestOf(RECURSIVE);
    const { stack } = suspended(guest.start("sum", 3));
    const error = new Error("from the host");
    assert.throws(() => stack.throw(error), error);
    assert.equal(suspended(guest.start("sum", 1)).stack.resume(5).done, true);
  });

  it("hands on traps of resumed frames and goes on with other stacks", async () => {
    const guest = await guestOf(`(module
      (import "env" "ask" (func $ask (param i32) (result i32)))
      (func $divide (param $n i32) (result i32) (i32.div_u (i32.const 100) (call $ask (local.get $n))))
      (func (export "main") (param $n i32) (result i32) (i32.add (call $divide (local.get $n)) (i32.const 1))))`);
    const first = suspended(guest.start("main", 1)).stack;
    const second = suspended(guest.start("main", 2)).stack;
    assert.throws(() => first.resume(0), WebAssembly.RuntimeError);
    assert.deepEqual(second.resume(50), { done: true, values: [3] });
  });

  it("runs a start function that suspends", async () => {
    const guest = await guestOf(`(module
      (import "env" "ask" (func $ask (param i32) (result i32)))
      (global $value (export "value") (mut i32) (i32.const 0))
      (func $init (global.set $value (call $ask (i32.const 1))))
      (start $init))`);
    assert(guest.hasStart);
    suspended(guest.start(ABI.start)).stack.resume(42);
    assert.equal((guest.instance.exports["value"] as WebAssembly.Global).value, 42);
  });

  it("asks for nothing but what the module imports", async () => {
    const transformed = transformModule(
      await assemble(`(module
        (import "env" "ask" (func $ask (result i32)))
        (import "env" "base" (global $base i32))
        (func (export "main") (result i32) (i32.add (global.get $base) (call $ask))))`),
    );
    const asked: unknown[] = [];
    const values: Record<string | symbol, unknown> = { ask: () => guest.suspend(), base: 1000 };
    const env = new Proxy({}, { get: (_, name) => (asked.push(name), values[name]) });
    const guest = new SuspendableInstance(transformed, { env });
    assert.deepEqual(suspended(guest.start("main")).stack.resume(7), { done: true, values: [1007] });
    assert.deepEqual(new Set(asked), new Set(["ask", "base"]));
  });

  it("starts a function that is in a table, though not exported", async () => {
    const guest = await guestOf(`(module
      (import "env" "ask" (func $ask (param i32) (result i32)))
      (table (export "table") 1 funcref)
      (elem (i32.const 0) $wide)
      (func $wide (param $n i32) (result i64) (i64.extend_i32_s (call $ask (local.get $n)))))`);
    const entry = (guest.exports["table"] as WebAssembly.Table).get(0) as (parameter: unknown) => unknown;
    const { value, stack } = suspended(guest.startFunction(entry, 5));
    assert.equal(value, 5);
    assert.deepEqual(stack.resume(-7), { done: true, values: [-7n] });
  });

  it("suspends in an import that is called through a table", async () => {
    const guest = await guestOf(`(module
      (type $f (func (param i32) (result i32)))
      (import "env" "ask" (func $ask (type $f)))
      (table funcref (elem $ask))
      (func (export "main") (result i32)
        (i32.add (i32.const 1) (call_indirect (type $f) (i32.const 9) (i32.const 0)))))`);
    const { value, stack } = suspended(guest.start("main"));
    assert.equal(value, 9);
    assert.deepEqual(stack.resume(41), { done: true, values: [42] });
  });
});

describe("The area of a suspended stack", () => {
  const DEEP = RECURSIVE;

  it("ends the stack with AreaExhaustedError when it is too small, and leaves the others alone", async () => {
    const guest = await guestOf(
      `(module
        (import "env" "ask" (func $ask (param i32) (result i32)))
        (func $down (export "down") (param $n i32) (result i32)
          (i32.add (local.get $n) (if (result i32) (local.get $n)
            (then (call $down (i32.sub (local.get $n) (i32.const 1))))
            (else (call $ask (i32.const 0)))))))`,
      { maximumStackBytes: 4096 },
    );
    const other = suspended(guest.start("down", 10)).stack;
    assert.throws(
      () => guest.start("down", 1000),
      (error) => error instanceof AreaExhaustedError && error.limit === 4096 && error.needed > 4096,
    );
    assert.deepEqual(other.resume(1), { done: true, values: [56] });
    const again = suspended(guest.start("down", 10)).stack;
    assert.deepEqual(again.resume(1), { done: true, values: [56] });
  });

  it("does not grow with the number of suspensions", async () => {
    const guest = await guestOf(DEEP);
    let outcome = guest.start("sum", 2000);
    while (!outcome.done) outcome = outcome.stack.resume(1);
    assert.deepEqual(outcome.values, [2000]);
    const before = takenBytes(guest);
    for (let round = 0; round < 20; round++) {
      for (outcome = guest.start("sum", 2000); !outcome.done;) outcome = outcome.stack.resume(1);
    }
    assert.equal(takenBytes(guest), before);
  });

  it("grows with the depth of the stack", async () => {
    const guest = await guestOf(
      `(module
        (import "env" "ask" (func $ask (param i32) (result i32)))
        (func $down (export "down") (param $n i32) (result i32)
          (i32.add (local.get $n) (if (result i32) (local.get $n)
            (then (call $down (i32.sub (local.get $n) (i32.const 1))))
            (else (call $ask (i32.const 0)))))))`,
    );
    const stacks = [5000, 7000, 10].map((depth) => suspended(guest.start("down", depth)).stack);
    const results = stacks.map((stack) => stack.resume(1));
    const sums = [5000, 7000, 10].map((depth) => (depth * (depth + 1)) / 2 + 1);
    assert.deepEqual(
      results,
      sums.map((sum) => ({ done: true, values: [sum] })),
    );
  });

  it("is given back by drop()", async () => {
    const guest = await guestOf(DEEP);
    for (let count = 0; count < 10_000; count++) suspended(guest.start("sum", 5)).stack.drop();
    assert(takenBytes(guest) <= 65_536);
  });
});
