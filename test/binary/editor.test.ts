import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { describe, it } from "node:test";
import wabt from "wabt";
import { ModuleBuilder } from "#src/binary/builder";
import { decodeModule } from "#src/binary/decode-module";
import { ModuleEditor } from "#src/binary/editor";
import { InstructionReader } from "#src/binary/instructions";
import { functionBody } from "#src/binary/module";
import type { BinaryModule } from "#src/binary/module";
import { ModuleNames } from "#src/binary/names";
import { opcode } from "#src/binary/opcodes";
import { SECTION, SECTION_ORDER } from "#src/binary/sections";
import { FUNCREF, I32, I64 } from "#src/binary/value-types";
import { Writer } from "#src/binary/writer";
import { hasMultiMemory } from "#src/transform/runtime-home";

const { parseWat } = await wabt();

function decodeWat(text: string): BinaryModule {
  const module = parseWat("test.wat", text, { exceptions: true });
  return decodeModule(new Uint8Array(module.toBinary({ write_debug_names: true }).buffer));
}

async function instantiate(bytes: BufferSource, imports: WebAssembly.Imports = {}): Promise<WebAssembly.Exports> {
  return (await WebAssembly.instantiate(bytes, imports)).instance.exports;
}

function call(exports: WebAssembly.Exports, name: string, ...values: unknown[]): unknown {
  return (exports[name] as (...values: unknown[]) => unknown)(...values);
}

/** The range of the first `name` instruction in the code of a function. */
function find(
  module: BinaryModule,
  functionIndex: number,
  name: "global.set" | "i32.add",
): { start: number; end: number } {
  const reader = new InstructionReader(module.bytes);
  const { start, end } = functionBody(module, functionIndex);
  reader.enterBody(start, end);
  while (reader.next()) if (reader.opcode === opcode(name)) return { start: reader.start, end: reader.position };
  throw new Error(`no ${name}`);
}

const COUNTER = `(module
  (global $counter (mut i32) (i32.const 5))
  (func $set (export "set") (param i32) (global.set $counter (local.get 0)))
  (func $sum (param i32) (result i32) (i32.add (local.get 0) (i32.add (i32.const 1) (i32.const 2))))
  (func $last (export "get") (result i32) (call $sum (global.get $counter))))`;

describe("ModuleEditor", () => {
  it("changes no byte without an edit", () => {
    const guests = new URL("../guests/", import.meta.url);
    for (const file of readdirSync(guests).filter((name) => name.endsWith(".wasm"))) {
      const bytes = new Uint8Array(readFileSync(new URL(file, guests)));
      assert.deepEqual(new ModuleEditor(decodeModule(bytes)).build(), bytes, file);
    }
  });

  it("appends exports and changes no byte of other sections", async () => {
    const module = decodeWat(COUNTER);
    const editor = new ModuleEditor(module);
    editor.export("counter", "global", 0);
    const edited = decodeModule(editor.build());
    assert.deepEqual(
      edited.exports.map(({ name }) => name),
      ["set", "get", "counter"],
    );
    for (const [position, section] of module.sections.entries()) {
      const now = edited.sections[position]!;
      assert.equal(now.id, section.id);
      if (section.id === SECTION.export) continue;
      assert.deepEqual(edited.bytes.subarray(now.start, now.end), module.bytes.subarray(section.start, section.end));
    }
    const exports = await instantiate(editor.build());
    call(exports, "set", 39);
    assert.equal((exports["counter"] as WebAssembly.Global).value, 39);
  });

  it("appends types, functions, globals, tables, elements, memories, data and tags", async () => {
    const module = decodeWat(COUNTER);
    const editor = new ModuleEditor(module);
    const added = editor.addGlobal({ type: I64, mutable: true }, (code) => code.i64Const(7));
    const table = editor.addTable({ element: FUNCREF, minimum: 1 });
    const memory = editor.addMemory({ minimum: 1 });
    const tag = editor.addTag([I64]);
    const run = editor.addFunction({ params: [], results: [I32] });
    const getter = editor.type({ params: [], results: [I32] });
    run.code.try(I32).globalGet(added).throw(tag).catch(tag);
    run.code.i32WrapI64().i32Const(0).i32Load8U().i32Add().i32Const(0).callIndirect(getter, table).i32Add().end();
    editor.addElements(table, (code) => code.i32Const(0), [2]);
    editor.addData(memory, (code) => code.i32Const(0), Uint8Array.of(100));
    editor.export("run", "function", run.index);
    const exports = await instantiate(editor.build());
    assert.equal(call(exports, "run"), 7 + 100 + 8);
    assert.equal(run.index, 3);
    assert.equal(getter, 2);
  });

  it("has memories imported that the module defines, at the same indices", async () => {
    const module = decodeWat(
      `(module (memory 1 2) (data (i32.const 4) "a") (func (export "read") (result i32) (i32.load8_u (i32.const 4))))`,
    );
    const editor = new ModuleEditor(module);
    assert.throws(() => editor.importMemory("added", "more", { minimum: 1 }), RangeError);
    editor.importMemories("added");
    assert.equal(editor.importMemory("added", "more", { minimum: 1 }), 1);
    const edited = decodeModule(editor.build());
    assert.deepEqual(
      edited.imports.map(({ module: from, name, kind, index }) => [from, name, kind, index]),
      [
        ["added", "0", "memory", 0],
        ["added", "more", "memory", 1],
      ],
    );
    assert.ok(!edited.sections.some(({ id }) => id === SECTION.memory));
    assert.deepEqual([edited.memories[0]!.minimum, edited.memories[0]!.maximum], [1, 2]);
    if (!hasMultiMemory()) return;
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 2 });
    const added = { "0": memory, more: new WebAssembly.Memory({ initial: 1 }) };
    assert.equal(call(await instantiate(editor.build(), { added }), "read"), 97);
    assert.throws(
      () => new WebAssembly.Instance(new WebAssembly.Module(editor.build()), { added: { ...added, "0": added.more } }),
    );
  });

  it("keeps names and custom sections", () => {
    const module = decodeWat(COUNTER);
    const editor = new ModuleEditor(module);
    const added = editor.addFunction({ params: [], results: [] });
    editor.export("added", "function", added.index);
    const edited = decodeModule(editor.build());
    const names = new ModuleNames(edited);
    assert.equal(names.name("function", 2), "last");
    assert.equal(names.find("global", "counter"), 0);
    assert.equal(edited.sections.at(-1)!.id, SECTION.custom);
  });

  it("removes the start section", async () => {
    const module = decodeWat(
      `(module (func $trap unreachable) (func (export "run") (result i32) (i32.const 1)) (start $trap))`,
    );
    const editor = new ModuleEditor(module);
    editor.export("_start", "function", module.start!);
    editor.removeStart();
    const exports = await instantiate(editor.build());
    assert.equal(call(exports, "run"), 1);
    assert.throws(() => call(exports, "_start"), WebAssembly.RuntimeError);
  });

  it("replaces instructions in some bodies", async () => {
    const module = decodeWat(COUNTER);
    const editor = new ModuleEditor(module);
    const setter = editor.addFunction({ params: [I32], results: [] });
    setter.code.localGet(0).i32Const(10).i32Mul().globalSet(0);
    editor.replace(find(module, 0, "global.set"), (code) => code.call(setter.index));
    editor.replace(find(module, 1, "i32.add"), (code) => {
      for (let count = 0; count < 100; count++) code.nop();
      code.i32Sub();
    });
    const edited = editor.build();
    const exports = await instantiate(edited);
    call(exports, "set", 4);
    assert.equal(call(exports, "get"), 40 + 1 - 2);
    assert.equal(new ModuleNames(decodeModule(edited)).name("function", 2), "last");
  });

  it("appends names to the name section, and makes one where there is none", async () => {
    const named = decodeWat(COUNTER);
    const bare = decodeModule(new Uint8Array(parseWat("test.wat", COUNTER).toBinary({}).buffer));
    for (const module of [named, bare]) {
      const editor = new ModuleEditor(module);
      const added = editor.addFunction({ params: [], results: [I32] }, "one that is added");
      added.code.i32Const(5);
      editor.export("added", "function", added.index);
      const edited = editor.build();
      assert.equal(call(await instantiate(edited), "added"), 5);
      const [before, after] = [new ModuleNames(module), new ModuleNames(decodeModule(edited))];
      assert.equal(after.name("function", added.index), "one that is added");
      for (const index of module.functions.keys())
        assert.equal(after.name("function", index), before.name("function", index));
      assert.equal(after.local(0, 0), before.local(0, 0));
      assert.equal(decodeModule(edited).customSections.length, 1);
    }
    assert.notEqual(new ModuleNames(named).name("function", 0), undefined);
  });

  it("refuses replacements that overlap or are not inside a body", () => {
    const module = decodeWat(COUNTER);
    const { start, end } = functionBody(module, 0);
    const editor = new ModuleEditor(module);
    const refused = { name: "RangeError", message: /not inside one function body/ };
    assert.throws(() => editor.replace({ start: 0, end: 4 }, () => {}), refused);
    assert.throws(() => editor.replace({ start: start - 1, end }, () => {}), refused);
    assert.throws(() => editor.replace({ start, end: end + 1 }, () => {}), refused);
    editor.replace({ start: start + 1, end: end - 1 }, (code) => code.nop());
    editor.replace({ start: start + 3, end: end - 1 }, (code) => code.nop());
    assert.throws(() => editor.build(), { name: "RangeError", message: /it is replaced twice/ });
  });

  it("puts sections that the module lacks where they belong", () => {
    const custom = [3, ...Buffer.from("abc")];
    const whole = everySection();
    for (const present of [[], [SECTION.type], [SECTION.memory], [SECTION.dataCount, SECTION.data], [SECTION.export]]) {
      const writer = new Writer();
      writer.bytes(whole.subarray(0, 8));
      writer.section(SECTION.custom, () => writer.bytes(Uint8Array.from([...custom, 1])));
      for (const id of present) writer.section(id, () => writer.u32(0));
      writer.section(SECTION.custom, () => writer.bytes(Uint8Array.from([...custom, 2])));
      const editor = new ModuleEditor(decodeModule(writer.toBytes()));
      addEverything(editor);
      const edited = editor.build();
      assert.ok(WebAssembly.validate(edited), `with sections ${present.join()}`);
      const ids = decodeModule(edited).sections.map(({ id }) => id);
      const known = SECTION_ORDER.filter((id) => ids.includes(id));
      assert.deepEqual(
        ids.filter((id) => id !== SECTION.custom),
        known,
      );
      assert.equal(ids[0], SECTION.custom);
      if (present.length > 0) assert.equal(ids.at(-1), SECTION.custom);
    }
  });
});

function addEverything(module: ModuleEditor | ModuleBuilder): void {
  const run = module.addFunction({ params: [], results: [] });
  module.addTable({ element: FUNCREF, minimum: 1 });
  module.addMemory({ minimum: 1 });
  module.addGlobal({ type: I32, mutable: false }, (code) => code.i32Const(0));
  module.addTag([I32]);
  module.addElements(0, (code) => code.i32Const(0), [run.index]);
  module.addData(0, (code) => code.i32Const(0), Uint8Array.of(1));
  module.export("run", "function", run.index);
}

function everySection(): Uint8Array {
  const builder = new ModuleBuilder();
  addEverything(builder);
  return builder.build();
}
