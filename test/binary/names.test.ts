import assert from "node:assert/strict";
import { describe, it } from "node:test";
import wabt from "wabt";
import { decodeModule } from "#src/binary/decode-module";
import { ModuleNames } from "#src/binary/names";
import { Writer } from "#src/binary/writer";

const { parseWat } = await wabt();

const WAT = `(module
  (import "env" "log" (func $log (param i32)))
  (memory $heap 1) (table $functions 1 funcref)
  (global $__stack_pointer (mut i32) (i32.const 1024))
  (func $add (param $left i32) (param $right i32) (result i32) (local $sum i32) (i32.const 0))
  (func (export "sub") (param $only i32)))`;

function binaryOf(text: string): Uint8Array {
  return new Uint8Array(parseWat("test.wat", text).toBinary({ write_debug_names: true }).buffer);
}

/** A module that has nothing but a name section with these contents. */
function namesOf(...contents: number[]): ModuleNames {
  const writer = new Writer();
  writer.bytes(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  writer.section(0, () => {
    writer.name("name");
    writer.bytes(Uint8Array.from(contents));
  });
  return new ModuleNames(decodeModule(writer.toBytes()));
}

describe("ModuleNames", () => {
  const names = new ModuleNames(decodeModule(binaryOf(WAT)));

  it("has names of functions, globals, memories and tables", () => {
    assert.deepEqual(
      [names.name("function", 0), names.name("function", 1), names.name("function", 9)],
      ["log", "add", undefined],
    );
    assert.equal(names.name("global", 0), "__stack_pointer");
    assert.equal(names.name("memory", 0), "heap");
    assert.equal(names.name("table", 0), "functions");
    assert.equal(names.name("tag", 0), undefined);
  });

  it("has names of parameters and locals", () => {
    assert.deepEqual(
      [0, 1, 2, 3].map((index) => names.local(1, index)),
      ["left", "right", "sum", undefined],
    );
    assert.equal(names.local(2, 0), "only");
    assert.equal(names.local(7, 0), undefined);
  });

  it("finds an index by its name", () => {
    assert.equal(names.find("global", "__stack_pointer"), 0);
    assert.equal(names.find("function", "add"), 1);
    assert.equal(names.find("function", "subtract"), undefined);
  });

  it("describes functions by what they are called, imported as or exported as", () => {
    const stripped = new ModuleNames(decodeModule(new Uint8Array(parseWat("test.wat", WAT).toBinary({}).buffer)));
    assert.equal(names.describeFunction(1), "add");
    assert.deepEqual(
      [0, 1, 2].map((index) => stripped.describeFunction(index)),
      ["env.log", "function 1", "sub"],
    );
  });

  it("reads the name of the module", () => {
    assert.equal(namesOf(0, 4, 3, 0x6c, 0x75, 0x61).module, "lua");
    assert.equal(namesOf().module, undefined);
  });

  it("ignores what is broken and keeps what came before", () => {
    const entries = [2, 0, 1, 0x61, 1, 200, 0x62];
    const truncated = namesOf(1, entries.length, ...entries, 7, 100, 1, 0, 1, 0x67);
    assert.equal(truncated.name("function", 0), "a");
    assert.equal(truncated.name("function", 1), undefined);
    assert.equal(truncated.name("global", 0), undefined);
    const notUtf8 = namesOf(1, 7, 2, 0, 1, 0xff, 1, 1, 0x62);
    assert.deepEqual([notUtf8.name("function", 0), notUtf8.name("function", 1)], [undefined, "b"]);
    assert.equal(namesOf(2, 3, 0xff, 0xff, 0xff).local(0, 0), undefined);
  });
});
