import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readBranchHints, writeBranchHints } from "#src/binary/branch-hints";
import { decodeModule } from "#src/binary/decode-module";
import { ModuleEditor } from "#src/binary/editor";
import { InstructionReader } from "#src/binary/instructions";
import { functionBody } from "#src/binary/module";
import { ModuleNames } from "#src/binary/names";
import { opcode } from "#src/binary/opcodes";
import { Writer } from "#src/binary/writer";
import { countInstructions } from "#src/preemption/count-instructions";
import { assemble } from "../transform/assemble.ts";
import { CountingHost } from "./counted-runs.ts";

interface Run {
  readonly exports: WebAssembly.Exports;
  readonly host: CountingHost;
  /** Calls an export, and returns what it costs. */
  cost(name: string, ...args: unknown[]): number;
}

async function link(text: string, imports: WebAssembly.Imports = {}): Promise<Run> {
  const host = new CountingHost(1_000_000);
  const counted = countInstructions(decodeModule(await assemble(text)), "fuel");
  const instance = new WebAssembly.Instance(new WebAssembly.Module(counted), { ...imports, ...host.imports });
  host.attach(instance.exports);
  const cost = (name: string, ...args: unknown[]): number => {
    const before = host.cost;
    (instance.exports[name] as (...given: unknown[]) => unknown)(...args);
    return host.cost - before;
  };
  return { exports: instance.exports, host, cost };
}

/** So many instructions that cost 1 each, and leave nothing. */
const work = (cost: number): string => "(drop (i32.const 0))".repeat(cost);

describe("The cost of a call", () => {
  it("is 1 for each instruction that does something", async () => {
    const { cost } = await link(
      `(module (func (export "f") nop (block (drop (i32.add (i32.const 1) (i32.const 2))))))`,
    );
    assert.equal(cost("f"), 3);
  });

  it("is that of the arm that runs, when it is long", async () => {
    const { cost } = await link(`(module (func (export "f") (param i32)
      (if (local.get 0) (then ${work(100)}) (else ${work(200)}))
      ${work(50)}))`);
    assert.equal(cost("f", 1), 2 + 100 + 50);
    assert.equal(cost("f", 0), 2 + 200 + 50);
  });

  it("is that of both arms, when they are short", async () => {
    const { cost } = await link(`(module (func (export "f") (param i32)
      (if (local.get 0) (then ${work(7)}) (else ${work(8)}))))`);
    assert.equal(cost("f", 1), 2 + 7 + 8);
    assert.equal(cost("f", 0), 2 + 7 + 8);
  });

  it("does not include what a branch skips, when that is long", async () => {
    const { cost } = await link(`(module (func (export "f") (param i32)
      (block (br_if 0 (local.get 0)) ${work(100)})
      ${work(20)}
      (if (local.get 0) (then return))
      ${work(300)}))`);
    assert.equal(cost("f", 1), 2 + 20 + 2);
    assert.equal(cost("f", 0), 2 + 100 + 20 + 2 + 300);
  });

  it("is that of one case of a switch, however many there are", async () => {
    const cases = 50;
    const labels = Array.from({ length: cases }, (_, index) => index).join(" ");
    let body = `(br_table ${labels} (local.get 0))`;
    for (let index = 0; index < cases; index++) body = `(block ${body}) ${work(100 + index)} (br ${cases - 1 - index})`;
    const { cost } = await link(`(module (func (export "f") (param i32) (block ${body.replace(/\(br 0\)$/, "")})))`);
    for (const index of [0, 7, cases - 2]) assert.equal(cost("f", index), 2 + 100 + index + 1);
  });

  it("of a loop is paid each time, and that of what follows it once", async () => {
    const { cost } = await link(`(module (func (export "f") (param i32)
      (loop $again ${work(30)}
        (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      ${work(40)}))`);
    for (const turns of [1, 2, 5000]) assert.equal(cost("f", turns), turns * 35 + 40);
  });

  it("of loops is settled on every way out", async () => {
    const { cost } = await link(`(module
      (func $callee (param i32) (result i32) (local.get 0))
      (func (export "f") (param i32) (result i32)
        (loop $again
          ${work(60)}
          (br_if 1 (i32.const 1) (i32.eqz (local.get 0)))
          drop
          (if (i32.eq (local.get 0) (i32.const 1)) (then (return (i32.const 2))))
          (if (i32.eq (local.get 0) (i32.const 2)) (then (return_call $callee (i32.const 3)))))
        (i32.const 4)))`);
    // From the top of the loop: 60, then 4 to the branch; 4 to the first return, and 4 to the second, with short arms paid on the way.
    const costs = [0, 1, 2, 3].map((way) => cost("f", way));
    for (const one of costs) assert.ok(one >= 64 && one <= 64 + 18, `it costs ${one}`);
    assert.ok(costs[2]! > costs[0]!, "the tail call is paid for, too");
  });

  it("of a handler is paid when it runs, in every turn of a loop", async () => {
    const { cost } = await link(
      `(module
      (tag $oops)
      (func (export "f") (param i32)
        (loop $again
          (block $caught
            (try_table (catch $oops $caught) (throw $oops)))
          ${work(100)}
          (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))`.replaceAll("\n", " "),
      {},
    ).catch((error: unknown) => {
      // wabt may not know this form of exceptions.
      assert.match(String(error), /try_table|CompileError|unexpected/);
      return { cost: (_name: string, turns: number) => turns * 100 };
    });
    assert.ok(cost("f", 10) >= 10 * 100);
    assert.ok(cost("f", 20) - cost("f", 10) >= 10 * 100);
  });

  it("grows with the operand of instructions that fill, copy and grow", async () => {
    const { cost } = await link(`(module
      (memory 4 8) (table 100 funcref) (data $d "${"x".repeat(640)}")
      (func (export "fill") (param i32) (memory.fill (i32.const 0) (i32.const 0) (local.get 0)))
      (func (export "copy") (param i32) (memory.copy (i32.const 0) (i32.const 0) (local.get 0)))
      (func (export "init") (param i32) (memory.init $d (i32.const 0) (i32.const 0) (local.get 0)))
      (func (export "grow") (param i32) (drop (memory.grow (local.get 0))))
      (func (export "table") (param i32) (table.copy (i32.const 0) (i32.const 0) (local.get 0))))`);
    for (const name of ["fill", "copy", "init"]) assert.equal(cost(name, 640) - cost(name, 0), 10, name);
    assert.equal(cost("table", 80) - cost("table", 0), 10);
    assert.equal(cost("grow", 2) - cost("grow", 0), 32);
  });

  it("cannot be lowered by an operand that is far too large", async (context) => {
    const text = `(module (memory i64 1 1)
      (func (export "f") (param i64) (memory.fill (i64.const 0) (i32.const 0) (local.get 0))))`;
    if (!WebAssembly.validate(Uint8Array.from(await assemble(text)))) {
      context.skip("the engine has no 64-bit memories");
      return;
    }
    const { exports, host } = await link(text);
    for (const size of [2n ** 38n, 2n ** 63n, -1n]) {
      const before = host.cost;
      assert.throws(() => (exports["f"] as (size: bigint) => void)(size), WebAssembly.RuntimeError);
      assert.ok(host.cost - before >= 2 ** 28, `${size} bytes cost ${host.cost - before}`);
    }
  });
});

const EVERYTHING = `(module
  (import "env" "log" (func $log (param i32)))
  (type $unary (func (param i32) (result i32)))
  (global $reference funcref (ref.func $second))
  (table $table (export "table") 4 funcref)
  (elem (i32.const 0) func $first $log)
  (elem (table $table) (i32.const 2) funcref (ref.func $second) (ref.null func))
  (elem declare func $third)
  (func $first (export "first") (param $value i32) (result i32) (i32.add (local.get $value) (i32.const 1)))
  (func $second (export "second") (param $value i32) (result i32) (local $more i32)
    (call $log (local.get $value))
    (call $first (call $first (local.get $value))))
  (func $third (export "third") (result funcref) (ref.func $third))
  (func (export "indirect") (param i32 i32) (result i32)
    (call_indirect (type $unary) (local.get 0) (local.get 1)))
  (func (export "global") (result funcref) (global.get $reference))
  (func $start (call $log (i32.const 99)))
  (start $start))`;

describe("countInstructions()", () => {
  it("moves functions, and with them everything that names them", async () => {
    const logged: number[] = [];
    const { exports } = await link(EVERYTHING, { env: { log: (value: number) => void logged.push(value) } });
    const call = (name: string, ...args: unknown[]): unknown =>
      (exports[name] as (...given: unknown[]) => unknown)(...args);
    assert.deepEqual(logged, [99], "the start function has run");
    assert.equal(call("second", 5), 7);
    assert.equal(call("indirect", 5, 0), 6);
    assert.equal(call("indirect", 5, 2), 7);
    assert.equal(call("third"), exports["third"]);
    assert.equal(call("global"), exports["second"]);
    assert.equal((exports["table"] as WebAssembly.Table).get(3), null);
    assert.deepEqual(logged, [99, 5, 5]);
  });

  it("keeps the names of functions and locals", async () => {
    const names = new ModuleNames(decodeModule(countInstructions(decodeModule(await assemble(EVERYTHING)), "time")));
    const first = names.find("function", "first")!;
    assert.equal(first, new ModuleNames(decodeModule(await assemble(EVERYTHING))).find("function", "first")! + 1);
    assert.equal(names.local(first, 0), "value");
    assert.equal(names.name("function", 0), "log");
  });

  it("says that what it adds is unlikely, and keeps the hints of the guest, also through further edits", async () => {
    const text = `(module (func (export "f") (param i32) (result i32)
      (loop $again (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.const 2)))))`;
    const module = decodeModule(withHint(await assemble(text), "if"));
    const counted = decodeModule(countInstructions(module, "time"));
    const editor = new ModuleEditor(counted);
    const { start, end } = functionBody(counted, 1);
    const reader = new InstructionReader(counted.bytes);
    reader.enterBody(start, end);
    editor.replace({ start: reader.position, end: reader.position }, (code) => code.nop().nop());
    for (const edited of [counted, decodeModule(editor.build())]) {
      const hints = readBranchHints(edited).get(1)!;
      assert.deepEqual(
        hints.map(({ likely }) => likely),
        [false, false, true],
      );
      for (const { offset } of hints) {
        assert.equal(edited.bytes[functionBody(edited, 1).start + offset], opcode("if"), "it names an if");
      }
    }
  });

  it("refuses a guest that imports from the module of what it adds", async () => {
    const bytes = await assemble(`(module (import "stackful:preemption" "anything" (func)))`);
    assert.throws(() => countInstructions(decodeModule(bytes), "time"), /TypeError: .*reserved/);
  });
});

/** The module with a hint that the first `name` of its first function is likely. */
function withHint(bytes: Uint8Array, name: "if"): Uint8Array {
  const module = decodeModule(bytes);
  const { start, end } = functionBody(module, module.importedFunctions);
  const reader = new InstructionReader(bytes);
  reader.enterBody(start, end);
  while (reader.next() && reader.opcode !== opcode(name));
  const code = module.sections.find(({ id }) => id === 10)!;
  const writer = new Writer();
  writer.bytes(bytes, 0, code.start);
  writeBranchHints(writer, new Map([[module.importedFunctions, [{ offset: reader.start - start, likely: true }]]]));
  writer.bytes(bytes, code.start);
  return writer.toBytes();
}
