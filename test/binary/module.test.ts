import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { describe, it } from "node:test";
import wabt from "wabt";
import { decodeModule } from "#src/binary/decode-module";
import { exportedFunctions, functionBody, functionType, importedFunctions, signature } from "#src/binary/module";
import type { BinaryModule } from "#src/binary/module";
import { SECTION } from "#src/binary/sections";
import { EXTERNREF, F64, FUNCREF, I32, I64, valueTypeName } from "#src/binary/value-types";
import { Writer } from "#src/binary/writer";

const { parseWat } = await wabt();

const FEATURES = {
  exceptions: true,
  memory64: true,
  multi_memory: true,
  threads: true,
  extended_const: true,
  function_references: true,
};

function decodeWat(text: string): BinaryModule {
  return decodeModule(new Uint8Array(parseWat("test.wat", text, FEATURES).toBinary({}).buffer));
}

/** A module of the sections `[id, contents]`. */
function moduleOf(...sections: [id: number, contents: number[]][]): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.bytes(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  for (const [id, contents] of sections) writer.section(id, () => writer.bytes(Uint8Array.from(contents)));
  return writer.toBytes();
}

function textAt(module: BinaryModule, { start, end }: { start: number; end: number }): string {
  return Buffer.from(module.bytes.subarray(start, end)).toString("hex");
}

describe("decodeModule()", () => {
  it("agrees with the engine about imports and exports of the guests", () => {
    const guests = new URL("../guests/", import.meta.url);
    const files = readdirSync(guests).filter((file) => file.endsWith(".wasm"));
    for (const file of files) {
      const bytes = new Uint8Array(readFileSync(new URL(file, guests)));
      if (!WebAssembly.validate(bytes)) continue;
      const module = decodeModule(bytes);
      const compiled = new WebAssembly.Module(bytes);
      const imports = WebAssembly.Module.imports(compiled).map(({ module: from, name, kind }) => ({
        module: from,
        name,
        kind,
      }));
      const exports = WebAssembly.Module.exports(compiled).map(({ name, kind }) => ({ name, kind }));
      assert.deepEqual(
        module.imports.map(({ module: from, name, kind }) => ({ module: from, name, kind })),
        imports,
        file,
      );
      assert.deepEqual(
        module.exports.map(({ name, kind }) => ({ name, kind })),
        exports,
        file,
      );
    }
  });

  it("numbers imports and definitions of each kind", () => {
    const module = decodeWat(`(module
      (import "env" "f" (func (param i32)))
      (import "env" "g" (global i64))
      (import "env" "h" (func (result f64)))
      (import "env" "m" (memory 1 2 shared))
      (import "env" "t" (table 3 externref))
      (import "env" "tag" (tag (param i32)))
      (table 1 10 funcref) (memory i64 5) (global (mut i32) (i32.const 7)) (tag)
      (func (export "run") (param i64 i64) (result i32) (i32.const 1))
      (export "t" (table 1)) (export "m" (memory 1)) (export "g" (global 1)) (export "tag" (tag 1)))`);
    assert.deepEqual(
      module.imports.map(({ name, kind, index }) => [name, kind, index]),
      [
        ["f", "function", 0],
        ["g", "global", 0],
        ["h", "function", 1],
        ["m", "memory", 0],
        ["t", "table", 0],
        ["tag", "tag", 0],
      ],
    );
    assert.equal(module.importedFunctions, 2);
    assert.deepEqual(functionType(module, 1).results, [F64]);
    assert.deepEqual(functionType(module, 2).params, [I64, I64]);
    const [sharedMemory, memory64] = module.memories;
    assert.deepEqual(
      [sharedMemory!.minimum, sharedMemory!.maximum, sharedMemory!.shared, sharedMemory!.is64],
      [1, 2, true, false],
    );
    assert.deepEqual([memory64!.minimum, memory64!.maximum, memory64!.is64], [5, undefined, true]);
    assert.deepEqual(
      module.tables.map(({ element, minimum, maximum }) => [element, minimum, maximum]),
      [
        [EXTERNREF, 3, undefined],
        [FUNCREF, 1, 10],
      ],
    );
    assert.deepEqual(
      module.globals.map(({ type, mutable }) => [type, mutable]),
      [
        [I64, false],
        [I32, true],
      ],
    );
    assert.equal(module.globals[0]!.initial, null);
    assert.equal(textAt(module, module.globals[1]!.initial!), "41070b");
    assert.equal(textAt(module, module.memories[0]!.description), "030102");
    assert.equal(module.tags.length, 2);
    assert.deepEqual(
      module.exports.map(({ name, index }) => [name, index]),
      [
        ["run", 2],
        ["t", 1],
        ["m", 1],
        ["g", 1],
        ["tag", 1],
      ],
    );
  });

  it("names function types by their value types", () => {
    const module = decodeWat(`(module
      (import "env" "f" (func (param i32 externref)))
      (func (export "run") (result f32 funcref) (unreachable)))`);
    const [imported] = importedFunctions(module);
    const [exported] = exportedFunctions(module);
    assert.deepEqual(signature(imported!.type), { params: ["i32", "externref"], results: [] });
    assert.deepEqual(signature(exported!.type), { params: [], results: ["f32", "funcref"] });
    assert.throws(() => functionType(module, 2), { name: "RangeError", message: /function 2: the module has 2/ });
  });

  it("locates bodies", () => {
    const module = decodeWat(`(module (import "env" "f" (func)) (func (local i64)) (func (call 0)))`);
    assert.equal(textAt(module, functionBody(module, 1)), "01017e0b");
    assert.equal(textAt(module, functionBody(module, 2)), "0010000b");
    assert.throws(() => functionBody(module, 0), { name: "RangeError", message: /function 0: it is imported/ });
  });

  it("decodes all forms of element segments", () => {
    const module = decodeWat(`(module
      (table 4 funcref) (table 4 funcref) (func) (func)
      (elem (i32.const 1) func 0 1)
      (elem func 1)
      (elem (table 1) (i32.const 2) func 0)
      (elem declare func 0 1)
      (elem (i32.const 3) funcref (ref.func 1) (ref.null func))
      (elem funcref (ref.func 0) (ref.null func))
      (elem (table 1) (i32.const 0) funcref (ref.null func))
      (elem declare funcref (ref.func 1) (ref.null func)))`);
    assert.deepEqual(
      module.elements.map(({ mode, table, functions }) => [mode, table, functions && [...functions]]),
      [
        ["active", 0, [0, 1]],
        ["passive", 0, [1]],
        ["active", 1, [0]],
        ["declarative", 0, [0, 1]],
        ["active", 0, null],
        ["passive", 0, null],
        ["active", 1, null],
        ["declarative", 0, null],
      ],
    );
    assert.deepEqual(
      module.elements[4]!.expressions!.map((range) => textAt(module, range)),
      ["d2010b", "d0700b"],
    );
    assert.equal(textAt(module, module.elements[2]!.offset!), "41020b");
    assert.equal(module.elements[1]!.offset, null);
  });

  it("decodes data segments and their count", () => {
    const module = decodeModule(
      moduleOf(
        [SECTION.memory, [2, 0, 1, 0, 1]],
        [SECTION.dataCount, [3]],
        [SECTION.data, [3, 0, 0x41, 5, 0x0b, 2, 0x68, 0x69, 1, 1, 0x21, 2, 1, 0x41, 6, 0x0b, 0]],
      ),
    );
    assert.equal(module.dataCount, 3);
    assert.deepEqual(
      module.data.map(({ mode, memory, content }) => [mode, memory, textAt(module, content)]),
      [
        ["active", 0, "6869"],
        ["passive", 0, "21"],
        ["active", 1, ""],
      ],
    );
    assert.equal(textAt(module, module.data[2]!.offset!), "41060b");
  });

  it("decodes recursion groups, subtypes, structs, arrays and continuations", () => {
    const module = decodeModule(
      moduleOf([
        SECTION.type,
        [
          ...[4],
          // (rec (sub (struct (field (mut i8)) (field (ref null 1)))) (sub final 0 (array (mut (ref 0)))))
          ...[0x4e, 2, 0x50, 0, 0x5f, 2, 0x78, 1, 0x63, 1, 0, 0x4f, 1, 0, 0x5e, 0x64, 0, 1],
          ...[0x60, 1, 0x64, 0x6e, 1, 0x63, 2],
          ...[0x5d, 2],
          ...[0x4e, 0],
        ],
      ]),
    );
    const [struct, array, func, cont] = module.types;
    assert.equal(module.types.length, 4);
    assert.ok(struct?.kind === "struct" && !struct.final && struct.groupStart === 0 && struct.groupEnd === 2);
    assert.deepEqual(
      struct.fields.map(({ type, mutable }) => [valueTypeName(type), mutable]),
      [
        ["i8", true],
        ["(ref null 1)", false],
      ],
    );
    assert.ok(array?.kind === "array" && array.final && array.groupStart === 0);
    assert.deepEqual(array.supertypes, [0]);
    assert.equal(valueTypeName(array.element.type), "(ref 0)");
    assert.ok(func?.kind === "func" && func.groupStart === 2 && func.groupEnd === 3);
    assert.deepEqual(signature(func), { params: ["(ref any)"], results: ["(ref null 2)"] });
    assert.ok(cont?.kind === "cont" && cont.functionType === 2);
  });

  it("decodes tables with an initial value and 64-bit limits", () => {
    const module = decodeModule(
      moduleOf([
        SECTION.table,
        [
          2, 0x40, 0, 0x70, 0, 1, 0xd0, 0x70, 0x0b, 0x70, 5, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02, 0x80, 0x80, 0x80, 0x80,
          0x80, 0x04,
        ],
      ]),
    );
    assert.equal(textAt(module, module.tables[0]!.initial!), "d0700b");
    assert.deepEqual([module.tables[1]!.minimum, module.tables[1]!.maximum], [2 ** 36, 2 ** 37]);
  });

  it("keeps the ranges of all sections, custom ones too", () => {
    const name = [4, ...Buffer.from("note")];
    const bytes = moduleOf([SECTION.custom, [...name, 1, 2]], [SECTION.type, [0]], [SECTION.custom, name]);
    const module = decodeModule(bytes);
    assert.deepEqual(
      module.sections.map(({ id }) => id),
      [0, 1, 0],
    );
    assert.deepEqual(
      module.customSections.map((section) => section.name),
      ["note", "note"],
    );
    assert.equal(
      textAt(module, { start: module.customSections[0]!.contentStart, end: module.customSections[0]!.end }),
      "0102",
    );
    let offset = 8;
    for (const section of module.sections) {
      assert.equal(section.start, offset);
      offset = section.end;
    }
    assert.equal(offset, bytes.length);
  });
});

/** What is wrong → sections with it, and what the message has to say. */
const REFUSED: [what: string, bytes: Uint8Array<ArrayBuffer>, message: RegExp][] = [
  ["no bytes", new Uint8Array(), /offset 0: expected the magic number/],
  ["a component", Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0), /offset 0: expected the magic number/],
  ["an unknown section", moduleOf([14, []]), /offset 8: expected a section id, received 14/],
  ["sections out of order", moduleOf([SECTION.import, [0]], [SECTION.type, [0]]), /expected sections in order/],
  ["a section twice", moduleOf([SECTION.type, [0]], [SECTION.type, [0]]), /each of them once/],
  ["a section that is too long", Uint8Array.of(...moduleOf(), 1, 2, 0), /2 bytes of a section, but only 1 are left/],
  ["bytes behind a section", moduleOf([SECTION.type, [0, 0]]), /the end of section 1/],
  ["a huge count", moduleOf([SECTION.function, [0xff, 0xff, 0xff, 0xff, 0x0f]]), /no more functions than fit/],
  ["a function without a type", moduleOf([SECTION.function, [1, 0]]), /the index of a function type, received 0/],
  [
    "a function without a body",
    moduleOf([SECTION.type, [1, 0x60, 0, 0]], [SECTION.function, [1, 0]]),
    /1 function bodies, received 0/,
  ],
  ["a body without a function", moduleOf([SECTION.code, [1, 2, 0, 0x0b]]), /0 function bodies, received 1/],
  ["a wrong data count", moduleOf([SECTION.dataCount, [1]]), /1 data segments, received 0/],
  ["an export of nothing", moduleOf([SECTION.export, [1, 0, 0, 0]]), /the index of a function, received 0 of 0/],
  ["an unknown import kind", moduleOf([SECTION.import, [1, 0, 0, 9, 0]]), /an import or export kind, received 0x9/],
  ["a shared struct", moduleOf([SECTION.type, [1, 0x65, 0x5f, 0]]), /or continuation type, received 0x65/],
  ["an initial value without end", moduleOf([SECTION.global, [1, 0x7f, 0, 0x41]]), /the immediates of i32.const/],
];

describe("decodeModule() refuses", () => {
  for (const [what, bytes, message] of REFUSED) {
    it(what, () => {
      assert.throws(() => decodeModule(bytes), { name: "CompileError", message });
      assert.ok(!WebAssembly.validate(bytes));
    });
  }
});
