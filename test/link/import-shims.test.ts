/** What stands between a guest and its host functions must not be seen by either. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { backends, instantiate } from "stackful";
import wabt from "wabt";
import { SECTION } from "#src/binary/sections";
import { Writer } from "#src/binary/writer";
import { MARK, shimImports } from "#src/link/import-shims";
import { prepareGuest } from "#src/link/prepare";
import { guestBytes } from "../conformance/harness.ts";

const { parseWat } = await wabt();

const hasJspi = backends().some(({ name, available }) => name === "jspi" && available);

type Callee = (...args: unknown[]) => unknown;

function assemble(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parseWat("test.wat", text, { tail_call: true, reference_types: true }).toBinary({}).buffer);
}

const NAMED = `(module
  (import "host" "begin" (func $begin))
  (import "host" "wait" (func $wait (param i32) (result i32)))
  (import "host" "wait" (func $again (param i32) (result i32)))
  (type $waiter (func (param i32) (result i32)))
  (table $table 3 funcref)
  (global $reference (mut funcref) (ref.func $wait))
  (elem (i32.const 0) funcref (ref.func $wait) (ref.func $again))
  (start $begin)
  (func (export "tail") (param i32) (result i32) (return_call $wait (local.get 0)))
  (func (export "twice") (param i32) (result i32) (call $again (call $wait (local.get 0))))
  (func (export "take") (table.set $table (i32.const 2) (global.get $reference)))
  (func (export "indirect") (param i32 i32) (result i32)
    (call_indirect $table (type $waiter) (local.get 0) (local.get 1))))`;

/**
 *     (rec (type $first (func (param i32) (result i32))) (type $second (func (param i32) (result i32))))
 *     (type $plain (func (param i32) (result i32)))
 *     (import "host" "wait" (func $wait (type $second)))
 *     (table 1 funcref) (elem (i32.const 0) func $wait)
 *     (func (export "first") (type $plain) (call_indirect (type $first) (local.get 0) (i32.const 0)))
 *     (func (export "second") (type $plain) (call_indirect (type $second) (local.get 0) (i32.const 0)))
 */
function moduleWithEqualTypes(): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  const raw = (...bytes: number[]): void => writer.bytes(Uint8Array.from(bytes));
  const type = [0x60, 1, 0x7f, 1, 0x7f];
  raw(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  writer.section(SECTION.type, () => raw(2, 0x4e, 2, ...type, ...type, ...type));
  writer.section(SECTION.import, () => {
    raw(1);
    writer.name("host");
    writer.name("wait");
    raw(0, 1);
  });
  writer.section(SECTION.function, () => raw(2, 2, 2));
  writer.section(SECTION.table, () => raw(1, 0x70, 0, 1));
  writer.section(SECTION.export, () => {
    raw(2);
    writer.name("first");
    raw(0, 1);
    writer.name("second");
    raw(0, 2);
  });
  writer.section(SECTION.element, () => raw(1, 0, 0x41, 0, 0x0b, 1, 0));
  writer.section(SECTION.code, () =>
    raw(2, 9, 0, 0x20, 0, 0x41, 0, 0x11, 0, 0, 0x0b, 9, 0, 0x20, 0, 0x41, 0, 0x11, 1, 0, 0x0b),
  );
  return writer.toBytes();
}

describe("A guest with shims", () => {
  it("is a valid module with the imports and exports of the original, if that is valid", (test) => {
    if (!hasJspi) return test.skip("backend transform has no shims, and the engine may not have what they are made of");
    for (const file of readdirSync(new URL("../guests/", import.meta.url))) {
      const bytes = file.endsWith(".wasm") ? guestBytes(file.slice(0, -5)) : undefined;
      if (bytes === undefined || !WebAssembly.validate(bytes)) continue;
      const prepared = prepareGuest(bytes, { overlaps: true, checksStack: true });
      const [original, shimmed] = [bytes, shimImports(prepared.bytes).build()].map(
        (each) => new WebAssembly.Module(each),
      );
      const exports = WebAssembly.Module.exports(original!);
      assert.deepEqual(WebAssembly.Module.imports(shimmed!), WebAssembly.Module.imports(original!), file);
      assert.deepEqual(WebAssembly.Module.exports(shimmed!).slice(0, exports.length), exports, file);
    }
  });
});

describe("A shimmed import", () => {
  for (const isLate of [true, false]) {
    const later = (value: unknown): unknown => (isLate ? Promise.resolve(value) : value);

    it(`is reached however the guest names it, by its start section too; answers are ${isLate ? "promises" : "values"}`, async () => {
      const calls: unknown[] = [];
      const host = {
        begin: () => later(calls.push("begin")),
        wait: (value: number) => later(calls.push(value) + value),
      };
      const { exports } = await instantiate<Record<string, Callee>>(assemble(NAMED), { host });
      assert.deepEqual(calls, ["begin"]);
      assert.equal(await exports["tail"]!(10), 12);
      assert.equal(await exports["twice"]!(20), 27);
      await exports["take"]!();
      for (const [index, expected] of [35, 36, 37].entries()) {
        assert.equal(await exports["indirect"]!(30, index), expected);
      }
      assert.deepEqual(calls, ["begin", 10, 20, 23, 30, 30, 30]);
    });

    it(`keeps its own type, which is not any that is equal; answers are ${isLate ? "promises" : "values"}`, async (test) => {
      const bytes = moduleWithEqualTypes();
      if (!WebAssembly.validate(bytes)) return test.skip("the engine has no groups of types");
      const host = { wait: (value: number) => later(value + 1) };
      const { exports } = await instantiate<Record<string, Callee>>(bytes, { host });
      assert.equal(await exports["second"]!(1), 2);
      await assert.rejects(async () => exports["first"]!(1), WebAssembly.RuntimeError);
    });
  }

  it("passes on answers that look like what announces a promise, before and after promises", async () => {
    const marks: Readonly<Record<string, unknown>> = {
      i32: MARK,
      i64: BigInt(MARK),
      f32: MARK,
      f64: MARK,
      externref: MARK,
      funcref: null,
      pair: [MARK, 2n],
      triple: [MARK, MARK, 3n],
      make: [MARK, Number.NaN, null],
    };
    let isLate = false;
    const host: Record<string, unknown> = { none: () => {} };
    for (const [name, mark] of Object.entries(marks)) host[name] = () => (isLate ? Promise.resolve(mark) : mark);
    const instance = await instantiate(guestBytes("values"), { host });
    const args: Readonly<Record<string, readonly unknown[]>> = {
      i64: [0n],
      pair: [0, 0n],
      triple: [0, null, 0n],
      funcref: [null],
    };
    for (isLate of [false, true, false, false, true, true, false]) {
      for (const [name, mark] of Object.entries(marks)) {
        assert.deepEqual(await instance.getAsync(name)(...(args[name] ?? [0])), mark, `${name} ${isLate}`);
      }
    }
  });

  it("has a name in backtraces", async (test) => {
    if (!hasJspi) return test.skip("backend transform has no shims");
    let stack = "";
    const wait = (): number => ((stack = new Error("trace").stack!), 1);
    const { exports } = await instantiate<Record<string, Callee>>(assemble(NAMED), { host: { wait, begin: () => {} } });
    await exports["tail"]!(1);
    assert.match(stack, /import host\.wait/);
  });

  it("that answers nothing may answer anything, null and undefined too", async () => {
    const answers: unknown[] = [null, undefined, 0, "", MARK, Promise.resolve(null), Promise.resolve(), null, {}];
    const host = { step: () => 0, next: () => 0, tick: () => answers[at++] };
    let at = 0;
    const { exports } = await instantiate<Record<string, Callee>>(guestBytes("loop"), { host });
    assert.equal(await exports["loop_tick"]!(answers.length), undefined);
    assert.equal(at, answers.length);
  });
});
