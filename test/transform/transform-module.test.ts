import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ModuleBuilder } from "#src/binary/builder";
import { BRANCH_HINT_SECTION } from "#src/binary/branch-hints";
import { decodeModule } from "#src/binary/decode-module";
import { SECTION } from "#src/binary/sections";
import { I32 } from "#src/binary/value-types";
import { Writer } from "#src/binary/writer";
import { SuspendableInstance } from "#src/transform/suspendable-instance";
import { transformModule } from "#src/transform/transform-module";
import { assemble } from "./assemble.ts";

const TEXT = `(module
  (type $answer (func (result i32)))
  (import "env" "slow" (func $slow (type $answer)))
  (import "env" "quick" (func $quick (type $answer)))
  (table funcref (elem $in_table))
  (func $in_table (type $answer) (i32.add (call $slow) (i32.const 1)))
  (func $by_table (export "by_table") (result i32) (i32.add (call_indirect (type $answer) (i32.const 0)) (i32.const 1)))
  (func $direct (export "direct") (result i32) (i32.add (call $quick) (i32.const 1)))
  (func $tail (export "tail") (result i32) (call $slow))
  (func $neither (export "neither") (result i32) (i32.const 4)))`;

describe("transformModule()", () => {
  it("reports what may suspend, and because of what", async () => {
    const { report } = transformModule(await assemble(TEXT));
    const { functions, suspendable, withFrames, sites } = report;
    assert.deepEqual(
      { functions, suspendable, withFrames, sites },
      { functions: 5, suspendable: 4, withFrames: 3, sites: 3 },
    );
    assert.deepEqual([...report.causes].toReversed(), [
      ["env.quick", [4]],
      ["env.slow", [2, 3, 5]],
    ]);
    assert(report.bytesAfter > report.bytesBefore);
  });

  it("leaves functions alone that the selected imports do not reach", async () => {
    const bytes = await assemble(TEXT);
    const { report, calls } = transformModule(bytes, { imports: (_, name) => name === "quick" });
    assert.equal(report.suspendable, 1);
    assert.deepEqual([...calls.functions], [0, 1, 0, 0, 1, 0, 0]);
  });

  it("takes functions out by name", async () => {
    const { report } = transformModule(await assemble(TEXT), { exclude: (_, name) => name === "in_table" });
    assert.equal(report.suspendable, 2);
  });

  it("takes a decoded module and keeps its custom sections", async () => {
    const given = decodeModule(await assemble(TEXT));
    const { main } = transformModule(given);
    const names = decodeModule(main).customSections.map(({ name }) => name);
    // Hints are before the code.
    assert.deepEqual(names, [BRANCH_HINT_SECTION, ...given.customSections.map(({ name }) => name)]);
  });

  it("leaves out debug information for other code, and keeps what else tools have added", async () => {
    const given = await assemble(TEXT);
    const writer = new Writer(given.length + 1024);
    writer.bytes(given);
    const added = [
      "producers",
      "target_features",
      ".debug_info",
      ".debug_line",
      "sourceMappingURL",
      "external_debug_info",
      "my.own",
    ];
    for (const name of added) writer.section(SECTION.custom, () => writer.name(name));
    const { main } = transformModule(writer.toBytes());
    const kept = decodeModule(main).customSections.map(({ name }) => name);
    assert.deepEqual(kept, [BRANCH_HINT_SECTION, "name", "producers", "target_features", "my.own"]);
  });

  it("keeps names of functions in backtraces, before and after a suspension", async () => {
    const text = `(module
      (import "env" "ask" (func $ask (result i32)))
      (func $never_suspends (param $by i32) (result i32) (i32.div_u (i32.const 1) (local.get $by)))
      (func $inner_function (result i32) (call $never_suspends (call $ask)))
      (func $outer_function (export "main") (result i32) (i32.add (call $inner_function) (i32.const 1))))`;
    const transformed = transformModule(await assemble(text));
    let answer = (): unknown => 0;
    const guest: SuspendableInstance = new SuspendableInstance(transformed, { env: { ask: () => answer() } });
    const inStack = (pattern: RegExp) => (error: Error) => pattern.test(error.stack ?? "");
    assert.throws(() => guest.start("main"), inStack(/never_suspends.*inner_function.*outer_function/s));
    answer = () => guest.suspend();
    const outcome = guest.start("main");
    assert(!outcome.done);
    // Frames are continued one by one, so the ones further out are not there.
    assert.throws(() => outcome.stack.resume(0), inStack(/never_suspends.*inner_function/s));
  });

  it("takes a name section that is broken for what can be read of it", async () => {
    const bytes = await assemble(TEXT);
    const { start, end } = decodeModule(bytes).customSections[0]!;
    for (let offset = start + 8; offset < end; offset += 7) {
      const broken = bytes.slice();
      broken[offset] = 0xff;
      const { main, resume } = transformModule(broken);
      assert(WebAssembly.validate(main) && WebAssembly.validate(resume()));
    }
  });

  it("tells how far it has come, for each of the two modules", () => {
    const module = new ModuleBuilder();
    const ask = module.importFunction("env", "ask", { params: [], results: [I32] });
    for (let count = 0; count < 3; count++) {
      const { code } = module.addFunction({ params: [], results: [I32] });
      for (let nothing = 0; nothing < 200_000; nothing++) code.block().end();
      code.call(ask).i32Const(1).i32Add();
    }
    const told: [number, number][] = [];
    const transformed = transformModule(module.build(), { onProgress: (...progress) => told.push(progress) });
    const first = told.splice(0);
    assert.equal(first.length, 2);
    for (const [done, total] of first) assert.ok(done > 0 && done < total && total > 1_800_000, String([done, total]));
    transformed.resume();
    assert.deepEqual(told, first);
  });

  it("handles thousands of nested blocks", () => {
    const depth = 5000;
    const module = new ModuleBuilder();
    const ask = module.importFunction("env", "ask", { params: [I32], results: [I32] });
    const main = module.addFunction({ params: [], results: [I32] }, "main");
    const sum = main.local(I32);
    for (let count = 0; count < depth; count++) main.code.block();
    main.code.i32Const(1).call(ask).localSet(sum);
    for (let count = 0; count < depth; count++) main.code.end();
    main.code.localGet(sum).i32Const(2).call(ask).i32Add();
    module.export("main", "function", main.index);
    const guest: SuspendableInstance = new SuspendableInstance(transformModule(module.build()), {
      env: { ask: (value: unknown) => guest.suspend(value) },
    });
    const first = guest.start("main");
    assert(!first.done);
    const second = first.stack.resume(10);
    assert(!second.done);
    assert.deepEqual(second.stack.resume(20), { done: true, values: [30] });
  });
});
