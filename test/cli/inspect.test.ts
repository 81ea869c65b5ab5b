/** What `stackful inspect` says about modules of all kinds. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { backends } from "stackful";
import type { Inspection } from "#src/cli/inspection";
import { bytesText } from "#src/cli/inspection-text";
import { decodeModule } from "#src/binary/decode-module";
import { kindOf } from "#src/cli/module-kind";
import { assemble } from "../transform/assemble.ts";
import { scratchFolder, stackful, stackfulWith } from "./run-cli.ts";

const folder = scratchFolder();
const guestFile = (name: string): string => fileURLToPath(new URL(`../guests/${name}.wasm`, import.meta.url));
let files = 0;

function write(bytes: Uint8Array): string {
  const file = path.join(folder, `${files++}.wasm`);
  writeFileSync(file, bytes);
  return file;
}

async function inspect(file: string): Promise<Inspection> {
  const { code, stdout, stderr } = await stackful("inspect", "--json", file);
  assert.deepEqual([code, stderr], [0, ""]);
  return JSON.parse(stdout.toString()) as Inspection;
}

const TEXT = `(module
  (import "env" "read" (func $read (param i32) (result i64)))
  (import "env" "log" (func $log (param f32 f64)))
  (import "env" "vector" (func $vector (param v128)))
  (import "env" "limit" (global i32))
  (memory (export "memory") 2 10)
  (table (export "table") 3 funcref)
  (type $read_type (func (param i32) (result i64)))
  (elem (i32.const 0) $indirectly)
  (func $indirectly (param i32) (result i64) (call $read (local.get 0)))
  (func (export "direct") (param i32) (result i64) (call $read (local.get 0)))
  (func (export "through_table") (result i64) (call_indirect (type $read_type) (i32.const 1) (i32.const 0)))
  (func (export "both") (call $log (f32.const 1) (f64.const 2)) (drop (call $indirectly (i32.const 1))))
  (func (export "neither") (call $vector (v128.const i32x4 0 0 0 0))))`;

describe("stackful inspect", () => {
  it("says that a program has threads, and that those that wait are suspended", async () => {
    const { kind, hasAtomicWaits, memories, imports } = await inspect(guestFile("threads/pthreads"));
    assert.match(kind.description, /^a WASI command \(preview 1\) with threads/);
    assert.deepEqual([hasAtomicWaits, memories[0]?.isShared, memories[0]?.importedAs], [true, true, "env.memory"]);
    assert.equal(
      imports.some((entry) => entry.module.startsWith("stackful:")),
      false,
    );
    const { stdout } = await stackful("inspect", guestFile("threads/pthreads"));
    assert.match(stdout.toString(), /^atomic waits {7}suspend the thread that waits/m);
  });

  it("says what may suspend, and in which imports", async () => {
    const { imports, exports, kind } = await inspect(write(await assemble(TEXT)));
    assert.equal(kind.name, "plain");
    assert.deepEqual(
      imports.map(({ name, type, maySuspend }) => [name, type, maySuspend]),
      [
        ["read", "(func (param i32) (result i64))", true],
        ["log", "(func (param f32 f64))", true],
        ["vector", "(func (param v128))", false],
        ["limit", "(global i32)", undefined],
      ],
    );
    assert.deepEqual(
      exports.map(({ name, type, waitsIn }) => [name, type, waitsIn]),
      [
        ["memory", "(memory 2 10)", undefined],
        ["table", "(table 3 funcref)", undefined],
        ["direct", "(func (param i32) (result i64))", ["env.read"]],
        ["through_table", "(func (result i64))", ["env.read"]],
        ["both", "(func)", ["env.read", "env.log"]],
        ["neither", "(func)", []],
      ],
    );
  });

  it("prints it for people", async () => {
    const { code, stdout } = await stackful("inspect", write(await assemble(TEXT)));
    const text = stdout.toString();
    assert.equal(code, 0);
    assert.match(text, /^\s+\(import "env" "read" \(func \(param i32\) \(result i64\)\)\)\s+;; may suspend$/m);
    assert.match(text, /^\s+\(export "both" \(func\)\)\s+;; may suspend in env\.read, env\.log$/m);
    assert.match(text, /^\s+\(export "neither" \(func\)\)\s+;; never suspends$/m);
    assert.match(text, /^memory +128 KiB at first, at most 640 KiB, exported as memory$/m);
    assert.match(text, /^stack pointer +none/m);
    assert.match(text, /^ {2}transform {2}fits: loads [\d,]+ bytes/m);
  });

  for (const [guest, foundBy] of [
    ["frames", "name"],
    ["frames-exported-sp", "export"],
    ["frames-imported-sp", "import"],
    ["frames-stripped", "pattern"],
    ["frames-memory64", "name"],
  ] as const) {
    it(`says how the stack pointer of ${guest} was found`, async () => {
      const { stackPointer } = await inspect(guestFile(guest));
      assert.deepEqual(stackPointer, { kind: "found", global: 0, foundBy });
    });
  }

  it("says why calls wait for each other", async () => {
    const { overlap } = await inspect(guestFile("frames-no-grow"));
    assert.equal(overlap.memorySource.kind, "none");
    const { stdout } = await stackful("inspect", guestFile("frames-no-grow"));
    assert.match(stdout.toString(), /^overlapping calls +wait for each other: its memory cannot grow/m);
  });

  it("finds the allocator, the start function and the memory", async () => {
    const { allocator, memories } = await inspect(guestFile("plugin"));
    assert.deepEqual(allocator, { allocate: "malloc", free: "free" });
    assert.deepEqual(memories, [
      {
        importedAs: null,
        exportedAs: "memory",
        minimumBytes: 131_072,
        maximumBytes: null,
        is64: false,
        isShared: false,
      },
    ]);
    const { start } = await inspect(guestFile("start"));
    assert.deepEqual(start?.waitsIn, ["host.wait"]);
  });

  it("says which backends fit, and for what this runtime lacks", async () => {
    const { backends: fits } = await inspect(guestFile("frames"));
    for (const { name, available, reason } of backends()) {
      const fit = fits.find((entry) => entry.name === name)!;
      assert.deepEqual([fit.fits, fit.reason ?? undefined], [available, reason]);
    }
  });

  it("says why a module that no engine takes fits none", async () => {
    const invalid = (await assemble(`(module (func (result i32) (i32.const 1)))`)).slice();
    // i64.const instead: decoded, but not valid.
    invalid[invalid.lastIndexOf(0x41)] = 0x42;
    const { backends: fits } = await inspect(write(invalid));
    for (const { fits: fitting, reason } of fits) {
      assert.equal(fitting, false);
      assert.match(reason!, /the engine does not take the module|no WebAssembly\.Suspending/);
    }
  });

  it("knows what stackful transform has made", async () => {
    const file = path.join(folder, "transformed.wasm");
    await stackful("transform", guestFile("frames"), "-o", file);
    const { isTransformed, imports, backends: fits } = await inspect(file);
    assert.equal(isTransformed, true);
    assert.deepEqual(
      imports.map(({ module, name }) => `${module}.${name}`),
      ["host.wait", "host.fill"],
    );
    assert.equal(fits.find(({ name }) => name === "transform")?.fits, true);
  });

  it("reads standard input", async () => {
    const { code, stdout } = await stackfulWith(readFileSync(guestFile("add")), "inspect", "-");
    assert.equal(code, 0);
    assert.match(stdout.toString(), /^-: a plain module/);
  });

  for (const [what, bytes, message] of [
    [
      "no module",
      Buffer.from("hello"),
      /^error: cannot inspect '.*': expected the magic number|^error: cannot inspect/,
    ],
    ["a component", Uint8Array.of(0, 97, 115, 109, 13, 0, 1, 0), /: it is a component\n\n {2}tip: /],
    ["text", Buffer.from("(module)"), /: it looks like the text format of WebAssembly\n/],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const { code, stdout, stderr } = await stackful("inspect", write(bytes));
      assert.deepEqual([code, stdout.length], [1, 0]);
      assert.match(stderr, message);
    });
  }
});

describe("kindOf()", () => {
  const wasi = `(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))`;
  const kinds: readonly (readonly [kind: string, text: string])[] = [
    ["wasi-command", `${wasi} (func (export "_start"))`],
    ["wasi-reactor", `${wasi} (func (export "_initialize"))`],
    ["wasi-reactor", `${wasi} (func (export "f"))`],
    ["wasi-and-others", `${wasi} (import "env" "f" (func)) (func (export "_start"))`],
    ["emscripten", `${wasi} (import "env" "emscripten_resize_heap" (func)) (func (export "_start"))`],
    ["emscripten", `(import "a" "a" (func)) (import "a" "b" (func))`],
    ["emscripten", `(import "env" "f" (func)) (func (export "_emscripten_stack_restore"))`],
    ["wasi-and-others", `${wasi} (import "env" "f" (func)) (table (export "__indirect_function_table") 1 funcref)`],
    ["wasi-command", `(import "wasi_unstable" "fd_close" (func)) (func (export "_start"))`],
    ["wasi-reactor", `(import "wasi_unstable" "fd_close" (func)) (func (export "f"))`],
    ["wasi-and-others", `(import "wasi_unstable" "fd_close" (func)) (import "env" "f" (func))`],
    ["go-js", `(import "gojs" "runtime.wasmExit" (func))`],
    ["wasm-bindgen", `(import "__wbindgen_placeholder__" "__wbindgen_throw" (func))`],
    ["wasm-bindgen", `(import "./x_bg.js" "__wbindgen_throw" (func))`],
    ["assemblyscript", `(import "env" "abort" (func (param i32 i32 i32 i32)))`],
    ["plain-command", `(func (export "_start"))`],
    ["plain", `(import "host" "sleep" (func))`],
    ["plain", ""],
  ];
  for (const [kind, text] of kinds) {
    it(`calls (module ${text}) ${kind}`, async () => {
      assert.equal(kindOf(decodeModule(await assemble(`(module ${text})`))).name, kind);
    });
  }

  it("knows a side module", () => {
    assert.equal(kindOf(decodeModule(readFileSync(guestFile("frames-imported-sp")))).name, "side-module");
  });
});

describe("bytesText()", () => {
  it("takes the largest unit", () => {
    assert.deepEqual([0, 1023, 65_536, 2 ** 20 * 1.5, 2 ** 32, 2 ** 64].map(bytesText), [
      "0 bytes",
      "1023 bytes",
      "64 KiB",
      "1.5 MiB",
      "4 GiB",
      "16 EiB",
    ]);
  });
});
