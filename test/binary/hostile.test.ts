/** Input that is broken on purpose: it is refused by a CompileError, quickly, or it is decoded. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import wabt from "wabt";
import { ModuleBuilder } from "#src/binary/builder";
import { decodeModule } from "#src/binary/decode-module";
import { ModuleEditor } from "#src/binary/editor";
import { InstructionReader } from "#src/binary/instructions";
import { ModuleNames } from "#src/binary/names";
import { OPCODES } from "#src/binary/opcodes";
import { EXNREF, FUNCREF, I32, V128 } from "#src/binary/value-types";
import { processorMs } from "../processor-time.ts";

const MUTATIONS = 2000;
const BUDGET_MS = 20_000;

/** A generator of the same numbers each time: mulberry32. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Modules that together have most of what the format has. */
async function samples(): Promise<Uint8Array<ArrayBuffer>[]> {
  const { parseWat } = await wabt();
  const text = `(module $sample
    (type $binary (func (param i32 i32) (result i32)))
    (import "env" "log" (func $log (param i32)))
    (import "env" "memory" (memory 1 10))
    (table $t 10 funcref) (global $g (mut i64) (i64.const -1)) (tag $e (param i32))
    (func $main (export "main") (param $a i32) (result i32) (local $x i64) (local $y f32)
      (block $out (loop $again (br_table $out $again (local.get 0))))
      (try (do (call $log (i32.const 1))) (catch $e (drop)) (catch_all (rethrow 0)))
      (call_indirect (type $binary) (i32.load offset=100 (i32.const 1)) (i32.const 2) (i32.const 3)))
    (elem (i32.const 0) func $main $log) (elem funcref (ref.null func))
    (data (i32.const 16) "data") (data "passive"))`;
  const builder = new ModuleBuilder();
  const tag = builder.addTag([I32]);
  const run = builder.addFunction({ params: [], results: [] }, "run");
  run.local(V128);
  run.code.block(EXNREF).tryTable(undefined, [
    ["catch_all_ref", 0],
    ["catch", tag, 1],
  ]);
  run.code.v128Const(new Uint8Array(16)).localSet(0).refFunc(0).drop().selectTyped([FUNCREF]);
  run.code
    .resume(0, [
      ["on", 0, 0],
      ["on_switch", 1],
    ])
    .brOnCast({ label: 0, from: FUNCREF, to: FUNCREF })
    .end()
    .end();
  const binary = parseWat("sample.wat", text, { exceptions: true }).toBinary({ write_debug_names: true });
  return [new Uint8Array(binary.buffer), builder.build()];
}

/** Everything this folder does with bytes. */
function use(bytes: Uint8Array): void {
  const module = decodeModule(bytes);
  const reader = new InstructionReader(bytes);
  const names = new ModuleNames(module);
  for (let index = 0; index < module.functions.length; index++) {
    names.describeFunction(index);
    names.local(index, 0);
  }
  names.find("global", "g");
  const editor = new ModuleEditor(module);
  editor.addFunction({ params: [], results: [] });
  editor.build();
  for (let position = 0; position < module.bodies.length; position += 2) {
    reader.enterBody(module.bodies[position]!, module.bodies[position + 1]!);
    while (reader.next()) if (OPCODES[reader.opcode]!.immediates[0] === "local") reader.index();
    reader.locals();
  }
}

/** @returns whether the bytes were accepted */
function isAccepted(bytes: Uint8Array): boolean {
  try {
    use(bytes);
    return true;
  } catch (error) {
    assert.ok(error instanceof WebAssembly.CompileError, String((error as Error).stack));
    assert.match(error.message, /^Cannot decode WebAssembly binary at offset \d+: expected /);
    return false;
  }
}

describe("broken binaries", () => {
  it("are refused wherever they end", async () => {
    for (const sample of await samples()) {
      assert.ok(isAccepted(sample));
      for (let length = 0; length < sample.length; length++) isAccepted(sample.slice(0, length));
    }
  });

  it(`are refused, or accepted, after ${MUTATIONS} mutations, without hanging`, async () => {
    const random = randomNumbers(1);
    const extremes = [0x00, 0x7f, 0x80, 0xff];
    const started = processorMs();
    let refused = 0;
    for (const sample of await samples()) {
      for (let count = 0; count < MUTATIONS / 2; count++) {
        const mutated = sample.slice();
        for (let changes = 1 + random(4); changes > 0; changes--) {
          mutated[8 + random(mutated.length - 8)] = random(2) === 0 ? random(256) : extremes[random(4)]!;
        }
        if (isAccepted(mutated)) continue;
        refused++;
        assert.ok(!WebAssembly.validate(mutated), "refused what the engine accepts");
      }
    }
    assert.ok(refused > MUTATIONS / 4, `only ${refused} of ${MUTATIONS} were refused`);
    assert.ok(processorMs() - started < BUDGET_MS);
  });
});
