import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ModuleBuilder } from "#src/binary/builder";
import { I32, V128, referenceType } from "#src/binary/value-types";
import type { ValueType } from "#src/binary/value-types";
import { SuspendableInstance } from "#src/transform/suspendable-instance";
import type { Outcome, SuspendedStack } from "#src/transform/suspended-stack";
import { transformModule } from "#src/transform/transform-module";
import { assemble } from "./assemble.ts";

const EXTERN = referenceType(false, -17);

function suspended(outcome: Outcome): SuspendedStack {
  assert(!outcome.done, "the guest returned");
  return outcome.stack;
}

function isValid(type: ValueType): boolean {
  const module = new ModuleBuilder();
  module.addFunction({ params: [type], results: [] });
  return WebAssembly.validate(module.build());
}

/** `main` hands on what `ask` answers, through a function in between, and `number` is what `count` answers. */
function moduleOf(result: ValueType): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  const type = { params: [], results: [result] };
  const ask = module.importFunction("env", "ask", type);
  const count = module.importFunction("env", "count", { params: [], results: [I32] });
  const between = module.addFunction(type);
  between.code.call(ask).call(count).drop();
  const main = module.addFunction(type);
  main.code.call(between.index).call(count).drop();
  module.export("main", "function", main.index);
  return module.build();
}

function guestOf(result: ValueType): SuspendableInstance {
  const guest: SuspendableInstance = new SuspendableInstance(transformModule(moduleOf(result)), {
    env: { ask: () => guest.suspend("ask"), count: () => guest.suspend("count") },
  });
  return guest;
}

/** Runs to the end; `answer` is what `ask` answers. */
function finish(guest: SuspendableInstance, answer: unknown): readonly unknown[] {
  let outcome = guest.start("main");
  while (!outcome.done) outcome = outcome.stack.resume(outcome.value === "ask" ? answer : 1);
  return outcome.values;
}

describe("The result of an import that suspended", () => {
  const skip = isValid(EXTERN) ? false : "this engine does not have references that cannot be null";

  it("can be a reference that is not null", { skip }, () => {
    const object = { some: "object" };
    assert.deepEqual(finish(guestOf(EXTERN), object), [object]);
  });

  it("cannot be null when it is a reference that is not null: the import throws a TypeError", { skip }, () => {
    const guest = guestOf(EXTERN);
    assert.throws(() => finish(guest, null), TypeError);
    assert.deepEqual(finish(guest, "text"), ["text"]);
  });

  it("is thrown into the stack as a TypeError when it does not convert, and other stacks go on", async () => {
    const bytes = await assemble(`(module
      (import "env" "ask" (func $ask (result i64)))
      (func (export "main") (result i64)
        (i64.add (i64.const 1) (try (result i64) (do (call $ask)) (catch_all (i64.const 41)))))
      (func (export "plain") (result i64) (i64.add (i64.const 1) (call $ask))))`);
    const guest: SuspendableInstance = new SuspendableInstance(transformModule(bytes), {
      env: { ask: () => guest.suspend() },
    });
    const [catching, plain, other, last] = ["main", "plain", "main", "plain"].map((name) =>
      suspended(guest.start(name)),
    );
    assert.deepEqual(catching!.resume(5), { done: true, values: [42n] });
    assert.throws(() => plain!.resume(5), TypeError);
    assert.deepEqual(other!.resume(5n), { done: true, values: [6n] });
    assert.deepEqual(last!.resume(6n), { done: true, values: [7n] });
  });
});

describe("An import with a type that JavaScript does not know", () => {
  const withVectors = moduleOf(V128);

  it("does not suspend", () => {
    const { calls } = transformModule(withVectors);
    assert.deepEqual([...calls.functions], [0, 1, 1, 1]);
  });

  it("is refused by name when it is asked for", () => {
    assert.throws(() => transformModule(withVectors, { imports: (_, name) => name === "ask" }), {
      name: "TransformError",
      functionName: "import env.ask",
      instruction: "v128",
    });
    assert.equal(transformModule(withVectors, { imports: (_, name) => name === "count" }).report.suspendable, 2);
  });
});

describe("An exported function that comes back as a value", () => {
  it("may suspend when it is called through it", async () => {
    const bytes = await assemble(`(module
      (type $f (func (param i32) (result i32)))
      (import "env" "ask" (func $ask (type $f)))
      (import "env" "pick" (func $pick (result funcref)))
      (table $t 1 funcref)
      (func (export "twice") (type $f) (param $n i32) (result i32) (i32.mul (call $ask (local.get $n)) (i32.const 2)))
      (func (export "main") (result i32)
        (table.set $t (i32.const 0) (call $pick))
        (i32.add (i32.const 1) (call_indirect (type $f) (i32.const 20) (i32.const 0)))))`);
    const guest: SuspendableInstance = new SuspendableInstance(transformModule(bytes), {
      env: { ask: (value: unknown) => guest.suspend(value), pick: () => guest.exports["twice"] },
    });
    assert.deepEqual(suspended(guest.start("main")).resume(50), { done: true, values: [101] });
  });
});
