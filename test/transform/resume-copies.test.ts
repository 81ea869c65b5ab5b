import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SuspendableInstance } from "#src/transform/suspendable-instance";
import type { Outcome } from "#src/transform/suspended-stack";
import { transformModule } from "#src/transform/transform-module";
import type { TransformedModule } from "#src/transform/transformed-module";
import { assemble } from "./assemble.ts";

/** How many functions there are: `run(n)` calls `$f<n>`, each calls the one before it, and `$f0` asks. */
const DEPTH = 40;

const TEXT = `(module
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (type $call (func (param i32) (result i32)))
  (table funcref (elem ${Array.from({ length: DEPTH }, (_, n) => `$f${n}`).join(" ")}))
  (func $f0 (type $call) (i32.add (call $ask (local.get 0)) (i32.const 1)))
  ${Array.from(
    { length: DEPTH - 1 },
    (_, n) => `(func $f${n + 1} (type $call) (i32.add (call $f${n} (local.get 0)) (i32.const 1)))`,
  ).join("\n")}
  (func (export "run") (param i32 i32) (result i32) (call_indirect (type $call) (local.get 1) (local.get 0))))`;

/** What was made of the module, and the numbers of resume copies that were asked for, for each time. */
async function watched(): Promise<{ transformed: TransformedModule; asked: (readonly number[] | "all")[] }> {
  const made = transformModule(await assemble(TEXT));
  const asked: (readonly number[] | "all")[] = [];
  const transformed: TransformedModule = {
    ...made,
    resume: () => {
      asked.push("all");
      return made.resume();
    },
    resumeSome: (numbers) => {
      asked.push(numbers);
      return made.resumeSome(numbers);
    },
  };
  return { transformed, asked };
}

function instanceOf(transformed: TransformedModule): SuspendableInstance {
  const instance: SuspendableInstance = new SuspendableInstance(transformed, {
    env: { ask: (value: unknown) => instance.suspend(value) },
  });
  return instance;
}

function resumed(outcome: Outcome, value: number): readonly unknown[] {
  assert.ok(!outcome.done);
  const end = outcome.stack.resume(value);
  assert.ok(end.done);
  return end.values;
}

const range = (length: number): number[] => Array.from({ length }, (_, number) => number);

describe("Resume copies", () => {
  it("are made of the functions on the stack, when they are called first", async () => {
    const { transformed, asked } = await watched();
    const instance = instanceOf(transformed);
    const stack = instance.start("run", 3, 7);
    assert.deepEqual(asked, []);
    assert.deepEqual(resumed(stack, 10), [14]);
    // The last one calls the others through a table: a tail call.
    assert.deepEqual(asked, [[0, 1, 2, 3]]);
    assert.deepEqual(resumed(instance.start("run", 2, 7), 10), [13]);
    assert.equal(asked.length, 1);
    assert.deepEqual(resumed(instance.start("run", 6, 7), 10), [17]);
    assert.deepEqual(asked, [
      [0, 1, 2, 3],
      [4, 5, 6],
    ]);
  });

  it("are shared by the instances of a module, with what others have had made", async () => {
    const { transformed, asked } = await watched();
    const instances = [instanceOf(transformed), instanceOf(transformed)] as const;
    const stacks = instances.map((instance, n) => instance.start("run", 3 + n, 0));
    assert.deepEqual(resumed(stacks[1]!, 1), [6]);
    assert.deepEqual(resumed(stacks[0]!, 1), [5]);
    assert.deepEqual(asked, [range(5)]);
  });

  it("are all made at once when they were asked for many times", async () => {
    const { transformed, asked } = await watched();
    const instance = instanceOf(transformed);
    for (const n of range(DEPTH)) assert.deepEqual(resumed(instance.start("run", n, 5), 10), [11 + n]);
    assert.deepEqual(
      asked.slice(0, 8),
      range(8).map((n) => [n]),
    );
    assert.deepEqual(asked.slice(8), ["all"]);
    assert.deepEqual(resumed(instanceOf(transformed).start("run", DEPTH - 1, 5), 10), [10 + DEPTH]);
    assert.equal(asked.length, 9);
  });

  it("of a stack that was suspended several times are made for each part of it", async () => {
    const text = `(module
      (import "env" "ask" (func $ask (param i32) (result i32)))
      (func $inner (param i32) (result i32) (i32.mul (call $ask (local.get 0)) (i32.const 2)))
      (func $outer (param i32) (result i32)
        (i32.add (call $ask (local.get 0)) (call $inner (i32.const 1))))
      (func (export "run") (param i32) (result i32) (i32.add (call $outer (local.get 0)) (i32.const 100))))`;
    const instance: SuspendableInstance = instanceOf(transformModule(await assemble(text)));
    const first = instance.start("run", 0);
    assert.ok(!first.done);
    const second = first.stack.resume(10);
    assert.deepEqual(resumed(second, 20), [150]);
  });

  it("are there for what is thrown into a stack", async () => {
    const { transformed, asked } = await watched();
    const stack = instanceOf(transformed).start("run", 3, 7);
    assert.ok(!stack.done);
    const error = new Error("thrown");
    assert.throws(
      () => stack.stack.throw(error),
      (thrown) => thrown === error,
    );
    // Nothing on it can catch.
    assert.deepEqual(asked, []);
  });
});
