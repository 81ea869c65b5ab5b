import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Reader } from "#src/binary/reader";
import {
  ANYREF,
  EXNREF,
  F64,
  FUNCREF,
  I32,
  V128,
  heapTypeOf,
  isDefaultable,
  isReference,
  readStorageType,
  readValueType,
  referenceType,
  valueTypeName,
  writeValueType,
} from "#src/binary/value-types";
import { Writer } from "#src/binary/writer";

const FUNC = -16;

const NAMES = new Map([
  [I32, "i32"],
  [V128, "v128"],
  [FUNCREF, "funcref"],
  [EXNREF, "exnref"],
  [referenceType(true, FUNC), "funcref"],
  [referenceType(false, FUNC), "(ref func)"],
  [referenceType(true, 0), "(ref null 0)"],
  [referenceType(false, 70_000), "(ref 70000)"],
]);

function decode(...bytes: number[]): number {
  return readValueType(new Reader(Uint8Array.from(bytes)));
}

describe("value types", () => {
  it("have the names of the text format", () => {
    for (const [type, name] of NAMES) assert.equal(valueTypeName(type), name);
  });

  it("are read as they were written", () => {
    for (const type of NAMES.keys()) {
      const writer = new Writer();
      writeValueType(writer, type);
      const reader = new Reader(writer.view());
      assert.equal(readValueType(reader), type);
      assert.equal(reader.remaining, 0);
    }
  });

  it("have one number each: (ref null func) is funcref", () => {
    assert.equal(decode(0x63, 0x70), FUNCREF);
    assert.notEqual(decode(0x64, 0x70), FUNCREF);
  });

  it("know whether they are references and have a default", () => {
    assert.deepEqual([I32, F64, V128].map(isReference), [false, false, false]);
    const references = [ANYREF, referenceType(true, 5), referenceType(false, 5), referenceType(false, FUNC)];
    assert.deepEqual(references.map(isReference), [true, true, true, true]);
    assert.deepEqual(references.map(isDefaultable), [true, true, false, false]);
    assert.deepEqual(references.map(heapTypeOf), [-18, 5, 5, FUNC]);
  });

  it("are packed only in fields", () => {
    assert.equal(valueTypeName(readStorageType(new Reader(Uint8Array.of(0x78)))), "i8");
    assert.throws(() => decode(0x78), { name: "CompileError", message: /expected a value type, received 0x78/ });
  });

  it("refuses codes without a meaning", () => {
    assert.throws(() => decode(0x40), WebAssembly.CompileError);
    assert.throws(() => decode(0x63, 0x7f), WebAssembly.CompileError);
    assert.throws(() => decode(0x64, 0xff, 0xff, 0xff, 0x7f), WebAssembly.CompileError);
    assert.throws(() => decode(), WebAssembly.CompileError);
  });
});
