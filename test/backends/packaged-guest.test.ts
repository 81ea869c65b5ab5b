import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SuspendError, instantiate } from "stackful";
import type { Export } from "#src/binary/module";
import { openPackedGuest, packGuest } from "#src/backends/packaged-guest";
import { decodeModule } from "#src/binary/decode-module";
import type { PreparedGuest } from "#src/link/prepare";
import { pack } from "#src/transform/packaged-module";
import { transformModule } from "#src/transform/transform-module";
import { guestBytes, rejection } from "../conformance/harness.ts";
import { assemble } from "../transform/assemble.ts";

const backend = "transform";

/** Two imports, reached by different functions; a start function that calls one of them. */
const text = `(module
  (import "env" "read" (func $read (result i32)))
  (import "env" "write" (func $write (result i32)))
  (global $started (export "started") (mut i32) (i32.const 0))
  (func $reader (result i32) (i32.add (call $read) (i32.const 1)))
  (func $begin (global.set $started (call $reader)))
  (start $begin)
  (func (export "reads") (result i32) (i32.add (call $reader) (i32.const 10)))
  (func (export "writes") (result i32) (i32.add (call $write) (i32.const 100))))`;
const bytes = Uint8Array.from(await assemble(text));
const env = {
  read: (): Promise<number> => Promise.resolve(5),
  write: (): Promise<number> => Promise.resolve(6),
};

describe("packGuest()", () => {
  it("keeps the start function back, which may wait", async () => {
    const packed = await packGuest(bytes, {});
    const instance = await instantiate<{ reads(): number; started: WebAssembly.Global }>(
      packed.bytes,
      { env },
      { backend },
    );
    assert.equal(instance.exports.started.value, 6);
    assert.equal(await instance.exports.reads(), 16);
  });

  it("makes the same file of the same bytes", async () => {
    const [one, two] = await Promise.all([packGuest(bytes, {}), packGuest(bytes, {})]);
    assert.deepEqual(one.bytes, two.bytes);
  });

  it("refuses what it has made", async () => {
    const packed = await packGuest(bytes, {});
    await assert.rejects(packGuest(packed.bytes, {}), /it is transformed already/);
  });

  it("leaves imports out: one that waits nevertheless is a SuspendError that names it", async () => {
    const transform = { imports: (_: string, name: string): boolean => name === "read" };
    const packed = await packGuest(bytes, { transform });
    const instance = await instantiate<{ reads(): number; writes(): number }>(packed.bytes, { env }, { backend });
    assert.equal(await instance.exports.reads(), 16);
    const error = await rejection(instance.exports.writes());
    assert.ok(error instanceof SuspendError, String(error));
    assert.match(error.message, /import env\.write: .*excluded when the guest was transformed/);
  });

  it("leaves functions out: a suspension below them is a SuspendError that names them", async () => {
    const transform = { exclude: (_: number, name: string | undefined): boolean => name === "reader" };
    const packed = await packGuest(bytes, { transform });
    assert.equal(packed.transformation.calls.guarded.size, 1);
    const error = await rejection(instantiate(packed.bytes, { env }, { backend }));
    assert.ok(error instanceof SuspendError, String(error));
    assert.match(error.message, /reader/);
  });
});

describe("openPackedGuest()", () => {
  it("knows of the guest what preparing it has found out", async () => {
    for (const name of ["frames", "frames-malloc", "no-memory", "foreign-stack", "sbrk"]) {
      const packed = await packGuest(guestBytes(name), {});
      // The declarations of the built package leave it out: it is not for users.
      const { prepared } = openPackedGuest(packed.bytes) as unknown as { readonly prepared: PreparedGuest };
      const { stack, memorySource, checksStack, original } = packed.prepared;
      assert.deepEqual(
        [prepared.stack, prepared.memorySource, prepared.checksStack],
        [stack, memorySource, checksStack],
      );
      assert.deepEqual(prepared.original.imports.map(nameOf), original.imports.map(nameOf));
      const nameAndIndex = ({ name: exported, kind, index }: Export): unknown => [exported, kind, index];
      assert.deepEqual(prepared.original.exports.map(nameAndIndex), original.exports.map(nameAndIndex));
      assert.equal(prepared.original.start, original.start);
    }
  });

  it("leaves other modules alone", () => {
    assert.equal(openPackedGuest(bytes), undefined);
    assert.equal(openPackedGuest(new Uint8Array()), undefined);
  });

  it("refuses a file that was packed without a guest, whatever its facts", () => {
    for (const facts of [
      {},
      null!,
      [],
      { guest: null, options: null },
      { options: { overlap: "allow", stackChecks: true } },
    ]) {
      const file = pack(transformModule(bytes), { facts });
      assert.throws(() => openPackedGuest(file), WebAssembly.CompileError, JSON.stringify(facts));
    }
  });

  it("refuses a file that another tool has changed", async () => {
    const { bytes: file } = await packGuest(bytes, {});
    const section = Uint8Array.of(0, 4, 3, 97, 98, 99);
    await assert.rejects(instantiate(Uint8Array.from([...file, ...section]), { env }, { backend }), /changed after/);
  });

  it("refuses a file whose sections were stripped", async () => {
    const { bytes: file } = await packGuest(bytes, {});
    const { start } = decodeModule(file).customSections.find(({ name }) => name.startsWith("stackful"))!;
    await assert.rejects(instantiate(file.slice(0, start), { env }, { backend }), /a name that is reserved/);
  });
});

function nameOf({ module, name }: { readonly module: string; readonly name: string }): string {
  return `${module}.${name}`;
}
