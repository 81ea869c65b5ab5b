import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ExcludedFunctionError } from "#src/transform/run-errors";
import { SuspendableInstance } from "#src/transform/suspendable-instance";
import type { Outcome, SuspendedStack } from "#src/transform/suspended-stack";
import { transformModule } from "#src/transform/transform-module";
import { assemble } from "./assemble.ts";

function suspended(outcome: Outcome): SuspendedStack {
  assert(!outcome.done, "the guest returned");
  return outcome.stack;
}

/** Everything that calls `ask` is called through an excluded function `between`, in one way or another. */
const WAYS: Record<string, string> = {
  "calls it": "(call $inner (local.get $n))",
  "calls it as the last thing that it does": "(return (call $inner (local.get $n)))",
  "calls it through a table": "(call_indirect (type $f) (local.get $n) (i32.const 0))",
  "calls the import itself": "(call $ask (local.get $n))",
  "calls it in a try": "(try (result i32) (do (call $inner (local.get $n))) (catch_all (i32.const 5)))",
  "calls it in a catch": "(try (result i32) (do (throw $thrown)) (catch_all (call $inner (local.get $n))))",
};

async function guestOf(call: string): Promise<SuspendableInstance> {
  const bytes = await assemble(`(module
    (type $f (func (param i32) (result i32)))
    (import "env" "ask" (func $ask (type $f)))
    (tag $thrown)
    (table funcref (elem $inner))
    (global $calls (export "calls") (mut i32) (i32.const 0))
    (func $inner (type $f) (param $n i32) (result i32) (i32.add (call $ask (local.get $n)) (i32.const 1)))
    (func $between (export "between") (type $f) (param $n i32) (result i32)
      ${call}
      (global.set $calls (i32.add (global.get $calls) (i32.const 1))))
    (func (export "main") (param $n i32) (result i32)
      (try (result i32)
        (do (i32.add (call $inner (local.get $n)) (call $between (local.get $n))))
        (catch_all (i32.const -1)))))`);
  const transformed = transformModule(bytes, { exclude: (_, name) => name === "between" });
  const guest: SuspendableInstance = new SuspendableInstance(transformed, {
    env: { ask: (value: number) => (value < 10 ? value : guest.suspend(value)) },
  });
  return guest;
}

const isExcluded = (error: unknown): boolean =>
  error instanceof ExcludedFunctionError &&
  error.functionName === "between" &&
  /between is on the stack/.test(error.message);

describe("A suspension below an excluded function that", () => {
  for (const [way, call] of Object.entries(WAYS)) {
    it(`${way} is an error, and other stacks go on`, async () => {
      const guest = await guestOf(call);
      const other = suspended(guest.start("main", 20));
      assert.throws(() => guest.start("between", 10), isExcluded);
      assert.throws(() => other.resume(1), isExcluded);
      const calls = guest.exports["calls"] as WebAssembly.Global<"i32">;
      assert.equal(calls.value, 0, "the excluded function went on");
      for (let count = 0; count < 3; count++) assert(guest.start("main", 3).done);
      assert.equal(calls.value, call.startsWith("(return") ? 0 : 3);
      assert.throws(() => suspended(guest.start("main", 30)).resume(0), isExcluded);
    });
  }

  it("tail-calls it is refused, by function and instruction", async () => {
    const bytes = await assemble(`(module
      (import "env" "ask" (func $ask (result i32)))
      (func $between (export "between") (result i32) (return_call $ask)))`);
    assert.throws(() => transformModule(bytes, { exclude: (_, name) => name === "between" }), {
      name: "TransformError",
      functionName: "between",
      instruction: "return_call",
    });
  });

  it("is an error when the runtime is a module of its own", async () => {
    const bytes = await assemble(`(module
      (import "env" "ask" (func $ask (result i32)))
      (memory 1)
      (func $between (export "between") (result i32) (i32.add (call $ask) (i32.const 1))))`);
    const transformed = transformModule(bytes, { exclude: (_, name) => name === "between", multiMemory: false });
    const guest: SuspendableInstance = new SuspendableInstance(transformed, { env: { ask: () => guest.suspend() } });
    assert.throws(() => guest.start("between"), isExcluded);
  });
});

describe("Functions that are not excluded", () => {
  it("are the same as without the option", async () => {
    const bytes = await assemble(`(module
      (import "env" "ask" (func $ask (result i32)))
      (func $plain (export "plain") (result i32) (i32.add (call $ask) (i32.const 1))))`);
    assert.deepEqual(transformModule(bytes, { exclude: () => false }).main, transformModule(bytes).main);
  });
});
