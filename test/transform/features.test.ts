import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareRuns } from "./differential.ts";
import { assemble } from "./assemble.ts";

/** Feature → a module that has a live value of it around calls of the import `env.ask`, which all suspend. */
const MODULES: Record<string, string> = {
  memory64: `(module
    (import "env" "ask" (func $ask (param i32) (result i32)))
    (memory (export "memory") i64 1)
    (func (export "main") (param $n i32) (result i32)
      (i64.store32 (i64.const 16) (i64.extend_i32_u (call $ask (local.get $n))))
      (i32.add (i32.load (i64.const 16)) (i32.mul (call $ask (i32.const 2)) (i32.wrap_i64 (memory.size))))))`,
  "multiple memories": `(module
    (import "env" "ask" (func $ask (param i32) (result i32)))
    (memory $a (export "a") 1)
    (memory $b (export "b") 1)
    (func (export "main") (param $n i32) (result i32)
      (i32.store $b (i32.const 8) (call $ask (local.get $n)))
      (i32.store $a (i32.const 8) (i32.add (i32.load $b (i32.const 8)) (call $ask (i32.const 5))))
      (memory.copy $b $a (i32.const 100) (i32.const 8) (i32.const 4))
      (i32.load $b (i32.const 100))))`,
  "atomics and a shared memory": `(module
    (import "env" "ask" (func $ask (param i32) (result i32)))
    (memory (export "memory") 1 2 shared)
    (func (export "main") (param $n i32) (result i32)
      (drop (i32.atomic.rmw.add (i32.const 0) (call $ask (local.get $n))))
      (i32.add (i32.atomic.load (i32.const 0)) (i32.atomic.rmw.cmpxchg (i32.const 0) (i32.const 1) (call $ask (i32.const 1))))))`,
  "tail calls": `(module
    (import "env" "ask" (func $ask (param i32) (result i32)))
    (func $loop (param $n i32) (param $sum i32) (result i32)
      (if (i32.eqz (local.get $n)) (then (return (local.get $sum))))
      (return_call $loop (i32.sub (local.get $n) (i32.const 1)) (i32.add (local.get $sum) (call $ask (local.get $n)))))
    (func (export "main") (param $n i32) (result i32)
      (i32.add (call $loop (i32.const 20) (i32.const 0)) (i32.const 1))))`,
  references: `(module
    (import "env" "ask" (func $ask (param i32) (result i32)))
    (import "env" "object" (func $object (result externref)))
    (import "env" "use" (func $use (param externref)))
    (func (export "main") (param $n i32) (result i32)
      (local $kept externref)
      (local.set $kept (call $object))
      (call $use (local.get $kept))
      (i32.add (call $ask (i32.const 1)) (ref.is_null (local.get $kept)))))`,
  segments: `(module
    (import "env" "ask" (func $ask (param i32) (result i32)))
    (memory (export "memory") 1)
    (data $text "stackful")
    (func (export "main") (param $n i32) (result i32)
      (memory.init $text (i32.const 0) (call $ask (i32.const 1)) (i32.const 2))
      (drop (call $ask (i32.const 2)))
      (memory.init $text (i32.const 4) (i32.const 0) (i32.const 4))
      (data.drop $text)
      (i32.load (i32.const 4))))`,
  "vectors, as operands, locals and results": `(module
    (import "env" "ask" (func $ask (param i32) (result i32)))
    (func $vector (param $n i32) (result v128) (i32x4.splat (call $ask (local.get $n))))
    (func (export "main") (param $n i32) (result i32)
      (local $kept v128)
      (local.set $kept (i32x4.add (v128.const i32x4 1 2 3 4) (call $vector (local.get $n))))
      (i32x4.extract_lane 2
        (i32x4.mul (i32x4.add (local.get $kept) (call $vector (i32.const 3))) (i32x4.splat (call $ask (i32.const 4)))))))`,
  "the place in a branch table to many depths": `(module
    (import "env" "ask" (func $ask (param i32) (result i32)))
    (func (export "main") (param $n i32) (result i32)
      (local $sum i32)
      (block $a (block $b (block $c (block $d (block $e
        (br_table $e $d $c $b $a $c $e (call $ask (local.get $n))))
        (local.set $sum (i32.add (local.get $sum) (call $ask (i32.const 1)))))
        (local.set $sum (i32.add (local.get $sum) (call $ask (i32.const 2))))
        (br_table $b $a $b (call $ask (local.get $sum))))
        (local.set $sum (i32.mul (local.get $sum) (call $ask (i32.const 3)))))
        (local.set $sum (i32.add (local.get $sum) (call $ask (i32.const 4)))))
      (i32.add (local.get $sum) (call $ask (i32.const 5)))))`,
  "several values in blocks and loops": `(module
    (import "env" "ask" (func $ask (param i32) (result i32)))
    (func $two (param i32) (result i32 i64) (call $ask (local.get 0)) (i64.const 9))
    (func (export "main") (param $n i32) (result i64)
      (local $left i32)
      (local.set $left (i32.const 4))
      (i32.const 3) (i64.const 5)
      (loop $again (param i32 i64) (result i32 i64)
        (i64.add (i64.extend_i32_u (call $ask (local.get $left))))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (if (param i32 i64) (result i32 i64) (local.get $left)
          (then (drop (call $ask (i32.const 7))) (br $again))
          (else (drop (call $ask (i32.const 8))))))
      (call $two (i32.const 1)) (drop) (drop) (drop) (i64.extend_i32_u)))`,
};

describe("A suspension keeps", () => {
  for (const [feature, text] of Object.entries(MODULES)) {
    it(feature, async (context) => {
      const bytes = await assemble(text).catch((error: unknown) => assert.fail(String(error)));
      if (!WebAssembly.validate(bytes as BufferSource)) return context.skip("this engine does not have it");
      assert(compareRuns(bytes).suspensions > 0);
      return undefined;
    });
  }
});
