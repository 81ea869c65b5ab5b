/** Each proposal is found by what belongs to it, and by nothing else. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeModule } from "#src/binary/decode-module";
import { featuresOf } from "#src/binary/features";
import { guestBytes } from "../conformance/harness.ts";
import { assemble } from "../transform/assemble.ts";

const cases: readonly (readonly [text: string, ...features: string[]])[] = [
  [`(func (result i32) i32.const 1)`],
  [`(table 1 funcref) (elem (i32.const 0) $f) (func $f)`],
  [`(global (export "g") (mut i32) (i32.const 0))`, "mutable-globals"],
  [`(global (mut i32) (i32.const 0))`],
  [`(func (result i32) (i32.extend8_s (i32.const 1)))`, "sign-ext"],
  [`(func (result i64) (i64.extend_i32_s (i32.const 1)))`],
  [`(func (result i32) (i32.trunc_sat_f32_u (f32.const 1)))`, "nontrapping-fptoint"],
  [`(func (result i32) (i32.trunc_f32_u (f32.const 1)))`],
  [`(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 1)))`, "bulk-memory"],
  [`(memory 1) (func (result i32) (memory.grow (i32.const 0)))`],
  [`(func (result i32 i32) i32.const 1 i32.const 2)`, "multivalue"],
  [`(func (param externref))`, "reference-types"],
  [`(table 1 funcref) (func (result funcref) (table.get (i32.const 0)))`, "reference-types"],
  [`(func (local v128))`, "simd128"],
  [`(func (param f32) (drop (f32x4.splat (local.get 0))))`, "simd128"],
  [`(func $f (return_call $f))`, "tail-call"],
  [`(global i32 (i32.add (i32.const 1) (i32.const 2)))`, "extended-const"],
  [`(tag $t) (func (throw $t))`, "exception-handling"],
  [`(tag $t) (func (try (do) (catch_all)))`, "legacy-exception-handling"],
  [`(tag $t) (func (block $b (try_table (catch_all $b))))`, "exception-handling"],
  [`(memory 1) (memory 1)`, "multimemory"],
  [`(memory i64 1)`, "memory64"],
  [`(memory 1 1 shared)`, "atomics"],
  [`(memory 1) (func (result i32) (i32.atomic.load (i32.const 0)))`, "atomics"],
];

describe("featuresOf()", () => {
  for (const [text, ...features] of cases) {
    it(`finds ${features.join(", ") || "nothing"} in ${text}`, async () => {
      assert.deepEqual(featuresOf(decodeModule(await assemble(`(module ${text})`))), features);
    });
  }

  it("finds types and instructions of garbage collection", () => {
    assert.ok(featuresOf(decodeModule(guestBytes("traps-gc"))).includes("gc"));
  });
});
