/** What `WASI` says of options and instances that make no sense, and what it takes from programs written for `node:wasi`. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { instantiate } from "stackful";
import { TextOutput, WASI } from "stackful/wasi";

const bytes = readFileSync(new URL("../guests/program.wasm", import.meta.url));
const library = readFileSync(new URL("../guests/callback.wasm", import.meta.url));
const host = { for_each() {}, wait() {}, compare() {} };

describe("options of WASI", () => {
  const wrong: readonly (readonly [options: unknown, message: RegExp])[] = [
    [null, /expected an object with options, received null/],
    ["preview1", /expected an object with options, received "preview1"/],
    [{ preopen: {} }, /unknown option preopen, expected version, /],
    [{ version: "preview2" }, /version must be "preview1" or "unstable", received "preview2"/],
    [{ returnOnExit: false }, /start\(\) resolves with the exit code/],
    [{ args: "ls -l" }, /args must be an array, received "ls -l"/],
    [{ args: null }, /args must be an array, received null/],
    [{ env: ["A=1"] }, /env must be an object, received an array/],
    [{ env: null }, /env must be an object, received null/],
    [{ preopens: "/tmp" }, /preopens must be an object, received "\/tmp"/],
    [{ preopens: ["/tmp"] }, /preopens must be an object, received an array/],
    [{ listeners: {} }, /listeners must be an array/],
    [{ allowConnect: "example.org:443" }, /allowConnect must be an array, received "example.org:443"/],
    [{ clock: Date }, /clock must be an object with realtime\(\), monotonic\(\), wakeAfter\(\)/],
    [{ random: Math.random }, /random must be an object with fill\(\)/],
    [{ network: {} }, /network must be an object with connect\(\)/],
    [{ onSyscall: true }, /onSyscall must be a function/],
    [{ stdin: null }, /expected text, bytes, a Blob, a stream or something iterable, received null/],
  ];
  for (const [options, message] of wrong) {
    it(`refuses ${inspect(options)}`, () => {
      assert.throws(() => new WASI(options as never), { name: "TypeError", message });
    });
  }

  it("takes what programs for node:wasi give it", async () => {
    const stdout = new TextOutput();
    const args = ["program", "args", 7 as never];
    const wasi = new WASI({ version: "preview1", returnOnExit: true, args, env: process.env, stdin: "ignore", stdout });
    const { instance } = await instantiate(bytes, wasi.getImportObject());
    assert.equal(await wasi.start(instance), 0);
    assert.match(stdout.text, /7/);
  });
});

describe("WASI.start()", () => {
  const made = "expected an instance that instantiate\\(\\) of stackful has made";

  it("refuses an instance of the engine", async () => {
    const wasi = new WASI({ args: ["program", "args"], stdin: "ignore" });
    const { instance } = await WebAssembly.instantiate(bytes, wasi.imports() as WebAssembly.Imports);
    const message = new RegExp(`Cannot start program: ${made}, received a WebAssembly.Instance`);
    await assert.rejects(wasi.start(instance as never), { name: "TypeError", message });
  });

  it("refuses a promise of an instance, and nothing at all", async () => {
    const wasi = new WASI({ args: ["program", "args"], stdin: "ignore", stdout: "ignore" });
    const promise = instantiate(bytes, wasi.imports());
    await assert.rejects(wasi.start(promise as never), { message: /received a promise: await it first/ });
    await assert.rejects(wasi.start(undefined as never), { message: /received undefined/ });
    assert.equal(await wasi.start(await promise), 0, "it has not started");
  });

  it("refuses a library", async () => {
    const wasi = new WASI({ stdin: "ignore" });
    const instance = await instantiate(library, { ...wasi.imports(), host });
    await assert.rejects(wasi.start(instance), { name: "TypeError", message: /initialize\(\) prepares a library/ });
    await wasi.initialize(instance);
    await assert.rejects(wasi.initialize(instance), /Cannot initialize library: this WASI has started one already/);
  });
});
