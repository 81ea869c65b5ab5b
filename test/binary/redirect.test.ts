import assert from "node:assert/strict";
import { describe, it } from "node:test";
import wabt from "wabt";
import { decodeModule } from "#src/binary/decode-module";
import { ModuleEditor } from "#src/binary/editor";
import { redirectFunctions } from "#src/binary/redirect";
import { I32 } from "#src/binary/value-types";

const { parseWat } = await wabt();

/** Names the import in every way that there is; 200 functions before the last ones, so that an index can need two bytes. */
const GUEST = `(module
  (import "host" "other" (func $other (result i32)))
  (import "host" "old" (func $old (result i32)))
  (import "host" "global" (global $given i32))
  (type $answer (func (result i32)))
  (table $table 4 funcref)
  (global $reference (mut funcref) (ref.func $old))
  (elem (i32.const 0) func $other $old)
  (elem $passive funcref (ref.null func) (ref.func $old))
  (export "old" (func $old))
  (export "other" (func $other))
  (func (export "call") (result i32) (call $old))
  (func (export "both") (result i32) (i32.add (i32.mul (call $other) (i32.const 10)) (call $old)))
  (func (export "tail") (result i32) (return_call $old))
  (func (export "indirect") (param i32) (result i32) (call_indirect $table (type $answer) (local.get 0)))
  (func (export "fill") (table.init $table $passive (i32.const 2) (i32.const 0) (i32.const 2)))
  (func (export "set") (table.set $table (i32.const 2) (global.get $reference)))
  (func (export "take") (table.set $table (i32.const 3) (ref.func $old)))
  ${"(func (result i32) (i32.const 0))\n".repeat(200)})`;

describe("redirectFunctions", () => {
  it("redirects calls, references, elements, exports and initial values, and nothing else", async () => {
    const parsed = parseWat("test.wat", GUEST, { tail_call: true, reference_types: true });
    const module = decodeModule(new Uint8Array(parsed.toBinary({}).buffer));
    const editor = new ModuleEditor(module);
    const replacement = editor.addFunction({ params: [], results: [I32] });
    replacement.code.i32Const(7);
    redirectFunctions(editor, module, new Map([[1, replacement.index]]));
    const host = { other: () => 4, old: () => 1, global: 0 };
    const { instance } = await WebAssembly.instantiate(editor.build(), { host });
    const run = (name: string, ...args: number[]): unknown =>
      (instance.exports[name] as (...args: number[]) => unknown)(...args);
    assert.deepEqual(
      ["old", "other", "call", "both", "tail"].map((name) => run(name)),
      [7, 4, 7, 47, 7],
    );
    assert.deepEqual([run("indirect", 0), run("indirect", 1)], [4, 7]);
    run("fill");
    assert.equal(run("indirect", 3), 7);
    run("set");
    assert.equal(run("indirect", 2), 7);
    run("fill");
    run("take");
    assert.equal(run("indirect", 3), 7);
  });
});
