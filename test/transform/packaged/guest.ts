/** The guest of the packed files, and what its run has to come to. */

import assert from "node:assert/strict";
import { SuspendableInstance } from "#src/transform/suspendable-instance";
import type { TransformedModule } from "#src/transform/transformed-module";

/** `main(n)` = ask(n) + ask(n + 1) + 1000, the questions from a deeper frame. */
export const TEXT = `(module
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (import "env" "log" (func $log (param i32)))
  (memory (export "memory") 1)
  (func $sum (param $n i32) (result i32)
    (i32.add (call $ask (local.get $n)) (call $ask (i32.add (local.get $n) (i32.const 1)))))
  (func (export "main") (param $n i32) (result i32)
    (call $log (local.get $n))
    (i32.add (call $sum (local.get $n)) (i32.const 1000))))`;

/** Runs `main(5)` with two suspensions; returns what it asked and its result. */
export function run(transformed: TransformedModule): readonly unknown[] {
  const guest: SuspendableInstance = new SuspendableInstance(transformed, {
    env: { ask: (value: unknown) => guest.suspend(value), log: () => {} },
  });
  const first = guest.start("main", 5);
  assert.ok(!first.done);
  const second = first.stack.resume(10);
  assert.ok(!second.done);
  const end = second.stack.resume(20);
  assert.ok(end.done);
  return [first.value, second.value, ...end.values];
}

export const RAN: readonly unknown[] = [5, 6, 1030];
