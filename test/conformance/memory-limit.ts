/** The option `maxMemoryBytes`: a guest gets no more memory than that, and works with what it gets. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { compile } from "stackful";
import { assemble } from "../transform/assemble.ts";
import { Doors, guestBytes, rejection } from "./harness.ts";
import type { Functions, Suite } from "./harness.ts";

const PAGE = 65_536;

/** Two pages, and a function that grows them after it has waited. */
const GROWING = Uint8Array.from(
  await assemble(`(module
  (import "host" "wait" (func $wait (param i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "grow") (param $pages i32) (result i32)
    (drop (call $wait (i32.const 0)))
    (memory.grow (local.get $pages)))
  (func (export "store") (param i32) (i32.store (local.get 0) (i32.const 1))))`),
);

interface Growing {
  grow(pages: number): number;
  store(address: number): void;
  memory: WebAssembly.Memory;
}

export function memoryLimit(suite: Suite): void {
  const host = { wait: async () => 0 };

  describe("A limit of memory", () => {
    suite.it("is where growing fails", async () => {
      const { exports } = await suite.instantiate<Growing>(GROWING, { host }, { maxMemoryBytes: 5 * PAGE + 1 });
      assert.equal(await exports.grow(2), 2);
      assert.equal(await exports.grow(2), -1);
      assert.equal(await exports.grow(1), 4);
      assert.equal(await exports.grow(1), -1);
      assert.equal(exports.memory.buffer.byteLength, 5 * PAGE);
      await exports.store(5 * PAGE - 4);
      assert.match(String(await rejection(exports.store(5 * PAGE))), /RuntimeError/);
      assert.throws(() => exports.memory.grow(1), RangeError);
    });

    suite.it("changes nothing when the guest has a smaller one", async () => {
      const instance = await suite.instantiate(
        "frames-no-grow",
        { host: { ...host, fill: () => {} } },
        { maxMemoryBytes: 100 * PAGE },
      );
      assert.throws(() => instance.memory!.grow(1), RangeError);
    });

    suite.it("of 64-bit memories, too", async () => {
      const doors = new Doors();
      const { memory } = await suite.instantiate(
        "frames-memory64",
        { host: { wait: doors.wait, fill: () => {} } },
        { maxMemoryBytes: 2 * PAGE },
      );
      const grow = memory!.grow.bind(memory) as (pages: number | bigint) => unknown;
      assert.equal(Number(grow(1n)), 1);
      assert.throws(() => grow(1n), RangeError);
    });

    suite.it("below what the guest begins with is an error", async () => {
      const error = await rejection(suite.instantiate(GROWING, { host }, { maxMemoryBytes: 2 * PAGE - 1 }));
      assert.match(
        String(error),
        /^RangeError: Cannot limit memory: the guest begins with 131072 bytes, more than maxMemoryBytes, 131071$/,
      );
      for (const wrong of [-1, Number.NaN]) {
        const refusal = await rejection(suite.instantiate(GROWING, { host }, { maxMemoryBytes: wrong }));
        assert.match(String(refusal), /^RangeError: Cannot limit memory: maxMemoryBytes must be a number from 0/);
      }
    });

    suite.it("without room for further stacks makes calls wait for each other", async () => {
      const doors = new Doors();
      const { exports, queueReason } = await suite.instantiate<Functions<"frame">>(
        "frames",
        { host: { wait: doors.wait, fill: () => {} } },
        { maxMemoryBytes: PAGE },
      );
      assert.match(queueReason!, /its memory cannot grow/);
      const calls = [exports.frame(1), exports.frame(2)];
      doors.open(1, 5);
      doors.open(2, 6);
      assert.deepEqual(await Promise.all(calls), [1005, 2006]);
    });

    suite.it("with room for a few stacks makes the calls beyond them wait", async () => {
      const doors = new Doors();
      const instance = await suite.instantiate<Functions<"frame">>(
        "frames",
        { host: { wait: doors.wait, fill: () => {} } },
        { maxMemoryBytes: 3 * PAGE, stacks: { bytes: PAGE } },
      );
      const calls = [1, 2, 3, 4, 5].map((id) => instance.exports.frame(id));
      for (const id of [1, 2, 3, 4, 5]) doors.open(id, 7);
      assert.deepEqual(await Promise.all(calls), [1007, 2007, 3007, 4007, 5007]);
      assert.ok(instance.memory!.buffer.byteLength <= 3 * PAGE);
    });

    suite.it("is asked of a memory that is imported", async () => {
      const link = (descriptor: WebAssembly.MemoryDescriptor): Promise<unknown> => {
        const memory = new WebAssembly.Memory(descriptor);
        const imports = { host: { ...host, fill: () => {} }, env: { memory } };
        return suite.instantiate("frames-imported-memory", imports, { maxMemoryBytes: 4 * PAGE });
      };
      await link({ initial: 1, maximum: 4 });
      assert.ok((await rejection(link({ initial: 1, maximum: 5 }))) instanceof WebAssembly.LinkError);
      assert.ok((await rejection(link({ initial: 1 }))) instanceof WebAssembly.LinkError);
    });

    suite.it("is one of the compiled guest", async () => {
      const { name: backend } = suite.backend;
      const module = await compile(guestBytes("frames"), { backend, maxMemoryBytes: 3 * PAGE });
      const imports = { host: { ...host, fill: () => {} } };
      const { memory } = await suite.instantiate(module, imports);
      assert.throws(() => memory!.grow(3), RangeError);
      await suite.instantiate(module, imports, { maxMemoryBytes: 3 * PAGE });
      const error = await rejection(suite.instantiate(module, imports, { maxMemoryBytes: 4 * PAGE }));
      assert.match(String(error), /^TypeError: Cannot change the option maxMemoryBytes of a compiled guest/);
      const compiled = await WebAssembly.compile(guestBytes("frames"));
      const refusal = await rejection(compile(compiled, { maxMemoryBytes: PAGE }));
      assert.match(String(refusal), /^TypeError: Cannot limit memory of guest: its bytes are needed/);
    });

    suite.it("holds for a guest that is interruptible", async () => {
      const options = { maxMemoryBytes: 3 * PAGE, interruptible: true };
      const { exports } = await suite.instantiate<Growing>(GROWING, { host }, options);
      assert.equal(await exports.grow(2), -1);
      assert.equal(await exports.grow(1), 2);
    });
  });
}
