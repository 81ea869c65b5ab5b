/** What is no guest, and what does not fit to it: an error that says what, where and why. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { SuspendError, compile, instantiate, newAsync } from "stackful";
import type { HostImports } from "stackful";
import { assemble } from "../transform/assemble.ts";
import { guestBytes, rejection, turn } from "./harness.ts";
import type { Functions, Suite } from "./harness.ts";

/** One import with two types: it cannot have a shim. */
const TWO_TYPES = `(module
  (import "host" "read" (func $read-i32 (result i32)))
  (import "host" "read" (func $read-i64 (result i64)))
  (func (export "first") (drop (call $read-i32)))
  (func (export "second") (drop (call $read-i64))))`;

export function badInput(suite: Suite): void {
  describe("A source", () => sources(suite));
  describe("An import", () => imports(suite));
}

function sources(suite: Suite): void {
  const backend = suite.backend.name;

  suite.it("that is no module is a CompileError", async () => {
    const bytes = guestBytes("frames");
    const wrongVersion = bytes.slice();
    wrongVersion[4] = 9;
    const cases: [string, Uint8Array<ArrayBuffer>][] = [
      ["nothing", new Uint8Array()],
      ["text", new TextEncoder().encode("(module)")],
      ["html", new TextEncoder().encode("<!doctype html>")],
      ["a wrong version", wrongVersion],
      ["half a module", bytes.slice(0, bytes.length >> 1)],
      ["a module without its last byte", guestBytes("frames-stripped").slice(0, -1)],
      ["a module and more", Uint8Array.of(...bytes, 1, 2, 3)],
    ];
    for (const [title, wrong] of cases) {
      const error = await rejection(suite.instantiate(wrong));
      assert.ok(error instanceof WebAssembly.CompileError, `${title}: ${String(error)}`);
      assert.ok((await rejection(compile(wrong))) instanceof WebAssembly.CompileError, title);
    }
  });

  suite.it("that is cut off anywhere is a CompileError", async () => {
    const bytes = guestBytes("interleave");
    for (let length = 0; length < bytes.length; length++) {
      const error = await compile(bytes.slice(0, length)).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      // Cut at the end of a section it may be a smaller module.
      assert.equal(
        error instanceof WebAssembly.CompileError,
        !WebAssembly.validate(bytes.slice(0, length)),
        `${length} bytes: ${String(error)}`,
      );
    }
  });

  suite.it("that only becomes valid by what is added to it is a CompileError", async () => {
    const cases: [string, string][] = [
      ["a global that it does not have", `(module (func (export "f") (global.set 0 (i32.const -1))))`],
      ["a function that it does not have", `(module (func (export "f") (call 1)))`],
      ["a reference that was not declared", `(module (func $start (drop (ref.func $start))) (start $start))`],
      ["a start function with a result", `(module (func $start (result i32) (i32.const 0)) (start $start))`],
      ["a start function with a parameter", `(module (func $start (param i32)) (start $start))`],
    ];
    for (const [title, text] of cases) {
      const bytes = Uint8Array.from(await assemble(text));
      for (const interruptible of [false, true, { fuel: 1000 }]) {
        const error = await rejection(suite.instantiate(bytes, {}, { interruptible }));
        assert.ok(error instanceof WebAssembly.CompileError, `${title}: ${String(error)}`);
      }
    }
  });

  suite.it("that is nothing of the kind is a TypeError", async () => {
    for (const wrong of [undefined, null, 5, "module.wasm", {}, [], () => {}]) {
      const error = await rejection(instantiate(wrong as never, {}, { backend }));
      assert.match(String(error), /^TypeError: Cannot compile guest: expected bytes, a Response, a URL/);
    }
    const error = await rejection(instantiate(new Response("gone", { status: 404 }), {}, { backend }));
    assert.match(String(error), /^TypeError: Cannot compile guest: .*status 404/);
    assert.match(String(await rejection(instantiate(new URL("file:///no/such.wasm"), {}, { backend }))), /ENOENT/);
    assert.equal(
      await rejection(instantiate(Promise.reject(new RangeError("mine")), {}, { backend })).then(String),
      "RangeError: mine",
    );
  });

  suite.it("may be bytes, a view, a Response, a URL, a compiled guest, or a promise of one", async () => {
    const bytes = guestBytes("add");
    const padded = Uint8Array.of(1, 2, ...bytes, 3);
    const good = [
      bytes,
      bytes.buffer,
      new DataView(padded.buffer, 2, bytes.length),
      new Response(bytes, { headers: { "content-type": "application/wasm" } }),
      new URL("../guests/add.wasm", import.meta.url),
      await compile(bytes),
    ];
    for (const source of [...good.filter((one) => !(one instanceof Response)), Promise.resolve(new Response(bytes))]) {
      const instance = await instantiate<Functions<"add">>(source, {}, { backend });
      assert.equal(await instance.exports.add(2, 3), 5);
      assert.equal(instance.sync.add(2, 3), 5);
    }
  });

  suite.it("may be a module that was compiled elsewhere", async () => {
    const source = new WebAssembly.Module(guestBytes("add"));
    const instance = await instantiate<Functions<"add">>(source, {}, { backend });
    assert.equal(await instance.exports.add(2, 3), 5);
    assert.equal(instance.sync.add(2, 3), 5);
  });

  suite.it("is copied: changing the bytes meanwhile does no harm", async () => {
    const bytes = guestBytes("add");
    const pending = suite.instantiate<Functions<"add">>(bytes);
    bytes.fill(0);
    assert.equal(await (await pending).exports.add(2, 3), 5);
  });
}

function imports(suite: Suite): void {
  const fill = (): void => {};
  const cases: [string, string, HostImports, RegExp][] = [
    [
      "of a missing module",
      "frames",
      {},
      /^TypeError: Cannot link import 0 "host" "wait": expected an object for module "host", received undefined/,
    ],
    [
      "of a module that is no object",
      "frames",
      { host: 5 as never },
      /^TypeError: Cannot link import 0 "host" "wait": expected an object.*a number/,
    ],
    [
      "that is missing",
      "frames",
      { host: { wait: fill } },
      /^LinkError: Cannot link import 1 "host" "fill": expected a function, received undefined/,
    ],
    [
      "that is no function",
      "frames",
      { host: { wait: 5, fill } },
      /^LinkError: Cannot link import 0 "host" "wait": expected a function, received a number/,
    ],
    [
      "that is a promise of a function",
      "frames",
      { host: { wait: Promise.resolve(fill), fill } },
      /^LinkError: Cannot link .*received a Promise/,
    ],
    [
      "that is a WebAssembly.Suspending",
      "frames",
      {
        host: {
          wait: new (class Suspending {
            readonly body = fill;
          })(),
          fill,
        },
      },
      /^LinkError: Cannot link .*received a WebAssembly\.Suspending: give the function that it was made of/,
    ],
    [
      "that should be a memory",
      "frames-imported-memory",
      { host: { wait: fill, fill }, env: { memory: fill } },
      /^LinkError: Cannot link import \d "env" "memory": expected a memory, received a function/,
    ],
    [
      "that should be a global",
      "counter-global",
      { host: { wait: fill, base: "5" } },
      /^LinkError: Cannot link import \d "host" "base": expected a global, received a string/,
    ],
    [
      "of a memory that is too small",
      "frames-imported-memory",
      { host: { wait: fill, fill }, env: { memory: new WebAssembly.Memory({ initial: 0 }) } },
      /LinkError: .*memory/,
    ],
    [
      "of another type than declared",
      "frames",
      { host: { wait: newAsync({ params: ["i64"], results: ["i32"] }, () => [0]), fill } },
      /^LinkError: Cannot link import 0 "host" "wait": the guest calls it as \(i32\) -> \(i32\), the host function is \(i64\) -> \(i32\)/,
    ],
  ];
  for (const [title, guest, given, message] of cases) {
    suite.it(`${title} is refused by name`, async () => {
      const error = await rejection(suite.instantiate(guest, given));
      assert.match(String(error).replace("[", "").replace("]", ""), message);
    });
  }

  suite.it("is an instance of LinkError when it is refused", async () => {
    assert.ok((await rejection(suite.instantiate("frames", { host: {} }))) instanceof WebAssembly.LinkError);
  });

  suite.it("that cannot wait refuses a promise, whose rejection is then nobody's", async () => {
    const unhandled: unknown[] = [];
    const onUnhandled = (error: unknown): void => void unhandled.push(error);
    process.on("unhandledRejection", onUnhandled);
    try {
      const host = { read: async () => Promise.reject(new Error("late")) };
      const bytes = Uint8Array.from(await assemble(TWO_TYPES));
      const instance = await suite.instantiate<Functions<"first" | "second">>(bytes, { host });
      for (const name of ["first", "second"] as const) {
        const error = await rejection(instance.exports[name]());
        assert.ok(error instanceof SuspendError, String(error));
        assert.match(error.message, /host\.read/);
      }
      await turn();
      await turn();
      assert.deepEqual(unhandled, []);
    } finally {
      process.off("unhandledRejection", onUnhandled);
    }
  });

  suite.it("is looked up once, when linking", async () => {
    let reads = 0;
    const host = {
      get wait(): unknown {
        reads++;
        return () => 3;
      },
      fill,
    };
    const instance = await suite.instantiate<Functions<"frame">>("frames", { host });
    await instance.exports.frame(1);
    assert.equal(reads, 1);
  });

  suite.it("with a backend that does not exist is refused", async () => {
    const error = await rejection(instantiate(guestBytes("add"), {}, { backend: "fibers" as never }));
    assert.match(String(error), /TypeError: Cannot use backend "fibers": expected auto, /);
  });
}
