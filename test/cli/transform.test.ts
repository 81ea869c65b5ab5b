import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { backends, instantiate, suspend } from "stackful";
import type { SuspendError } from "stackful";
import { ProgressLine } from "#src/cli/progress-line";
import { assemble } from "../transform/assemble.ts";
import { finished, scratchFolder, stackful, stackfulWith, start } from "./run-cli.ts";

const folder = scratchFolder();
const guest = (name: string): string => fileURLToPath(new URL(`../guests/${name}.wasm`, import.meta.url));
const inFolder = (name: string): string => path.join(folder, name);
let files = 0;
const newFile = (): string => inFolder(`${files++}.wasm`);

function write(bytes: Uint8Array): string {
  const file = newFile();
  writeFileSync(file, bytes);
  return file;
}

/** Two imports, reached by different functions. */
const TWO = `(module
  (import "env" "read" (func $read (result i32)))
  (import "env" "write" (func $write (result i32)))
  (func $reader (result i32) (i32.add (call $read) (i32.const 1)))
  (func $writer (result i32) (i32.add (call $write) (i32.const 2)))
  (func (export "both") (result i32) (i32.add (call $reader) (call $writer)))
  (func (export "neither") (result i32) (i32.const 3)))`;
const reserved = await assemble(`(module (func (export "stackful:x")))`);
const two = write(await assemble(TWO));

interface Report {
  readonly input: { readonly bytes: number };
  readonly output: {
    readonly bytes: number;
    readonly first: number;
    readonly resume: number;
    readonly runtime: number;
  };
  readonly functions: { readonly defined: number; readonly suspendable: number; readonly withFrames: number };
  readonly callSites: number;
  readonly imports: { readonly name: string; readonly maySuspend: boolean; readonly functions: number[] }[];
  readonly leftOut: number[];
  readonly names: Record<string, string>;
}

async function report(...args: readonly string[]): Promise<Report> {
  const { code, stdout, stderr } = await stackful("transform", "-o", newFile(), "--json", ...args);
  assert.deepEqual([code, stderr], [0, ""]);
  return JSON.parse(stdout.toString()) as Report;
}

/** Names of the functions that may suspend because of each import. */
function causes({ imports, names }: Report): Record<string, string[]> {
  return Object.fromEntries(
    imports.map(({ name, functions }) => [name, functions.map((index) => names[index] ?? String(index))]),
  );
}

describe("stackful transform", () => {
  for (const { name: backend, available } of backends().filter((report) => report.available)) {
    it(`writes a module that instantiate() runs on backend ${backend}`, async () => {
      assert.ok(available);
      const output = newFile();
      const { code, stdout, stderr } = await stackful("transform", two, "--output", output);
      assert.deepEqual([code, stdout.toString(), stderr], [0, "", ""]);
      const env = { read: () => Promise.resolve(10), write: () => suspend("writing") };
      const instance = await instantiate(Uint8Array.from(readFileSync(output)), { env }, { backend });
      assert.deepEqual(Object.keys(instance.exports), ["both", "neither"]);
      const coroutine = instance.coroutine<unknown, unknown, number>("both");
      assert.deepEqual(await coroutine.resumeAsync(0), { done: false, value: "writing" });
      assert.deepEqual(await coroutine.resumeAsync(20), { done: true, value: 33 });
    });
  }

  it("tells instantiate() what it was transformed with", async () => {
    const output = newFile();
    await stackful("transform", guest("frames"), "-o", output, "--overlap=queue", "--no-stack-checks");
    const bytes = Uint8Array.from(readFileSync(output));
    const imports = { host: { wait: () => 0, fill: () => {} } };
    const { options } = (await instantiate(bytes, imports, { overlap: "queue", backend: "transform" })).module;
    assert.deepEqual(options, { overlap: "queue", stackChecks: false, atomicWaits: "suspend" });
    await assert.rejects(instantiate(bytes, imports, { overlap: "allow", backend: "transform" }), /option overlap/);
    await assert.rejects(
      instantiate(bytes, imports, { stackChecks: true, backend: "transform" }),
      /option stackChecks/,
    );
  });

  it("goes from standard input to standard output, and reports on standard error", async () => {
    const { code, stdout, stderr } = await stackfulWith(readFileSync(two), "transform", "-", "-o", "-", "--report");
    assert.equal(code, 0);
    const output = newFile();
    await stackful("transform", two, "-o", output);
    assert.deepEqual(stdout, readFileSync(output));
    assert.match(stderr, /^functions +4, of which 3 may suspend\n/);
  });

  it("may write over its input", async () => {
    const file = write(readFileSync(two));
    assert.equal((await stackful("transform", file, "-o", file)).code, 0);
    const { code, stderr } = await stackful("transform", file, "-o", newFile());
    assert.deepEqual([code, stderr], [1, `error: cannot transform '${file}': it is transformed already\n`]);
  });

  it("writes through a link", async () => {
    const [target, link] = [newFile(), newFile()];
    writeFileSync(target, "");
    symlinkSync(target, link);
    assert.equal((await stackful("transform", two, "-o", link)).code, 0);
    assert.ok(readFileSync(target).length > 0);
  });
});

describe("stackful transform --report", () => {
  it("counts functions, call sites and bytes", async () => {
    const all = await report(two);
    assert.deepEqual(all.functions, { defined: 4, suspendable: 3, withFrames: 3 });
    assert.equal(all.callSites, 4);
    assert.equal(all.input.bytes, readFileSync(two).length);
    const { bytes, first, resume, runtime } = all.output;
    assert.ok(bytes > first + resume + runtime && first > all.input.bytes && resume > 0);
  });

  it("divides the bytes that it shows", async () => {
    const { stdout } = await stackful("transform", two, "-o", newFile(), "--report");
    const [, first, ratio] = /^loaded first +([\d,]+) bytes, ([\d.]+) times/m.exec(stdout.toString()) ?? [];
    assert.equal(ratio, (Number(first?.replaceAll(",", "")) / readFileSync(two).length).toFixed(2));
  });

  it("says which imports made which functions suspendable", async () => {
    assert.deepEqual(causes(await report(two)), { "env.read": ["reader", "4"], "env.write": ["writer", "4"] });
  });

  it("is text when nothing else is asked for", async () => {
    const { stdout } = await stackful("transform", two, "-o", newFile(), "--report", "--exclude", "env.write");
    assert.match(
      stdout.toString(),
      /^functions +4, of which 2 may suspend\ncall sites +2 after [^]*\n {2}env\.read {2}2 {2}reader, function 4\nMay not suspend: env\.write\n$/,
    );
  });
});

describe("stackful transform --only and --exclude", () => {
  it("leave imports out", async () => {
    const reported = await report(two, "--only", "env.*", "--exclude", "env.w*");
    assert.deepEqual(causes(reported), { "env.read": ["reader", "4"], "env.write": [] });
  });

  it("leave out imports that then cannot wait, which says so", async () => {
    const output = newFile();
    await stackful("transform", two, "-o", output, "--only", "env.read");
    const env = { read: async () => 1, write: async () => 2 };
    const instance = await instantiate(Uint8Array.from(readFileSync(output)), { env }, { backend: "transform" });
    const error = await instance
      .function("both")
      .call([])
      .catch((reason: unknown) => reason);
    assert.match(
      String(error),
      /^SuspendError: Cannot suspend in import env\.write: it was excluded when the guest was/,
    );
    assert.equal((error as SuspendError).reason, "excluded");
  });

  it("leave functions out, and say which are cut off", async () => {
    const reported = await report(two, "--exclude", "writer", "--exclude", "neither");
    assert.deepEqual(causes(reported), { "env.read": ["reader", "4"], "env.write": [] });
    assert.deepEqual([reported.leftOut, reported.names[3]], [[3], "writer"]);
  });

  it("refuse a pattern that fits nothing", async () => {
    const { code, stderr } = await stackful("transform", two, "-o", newFile(), "--only", "env.raed");
    assert.equal(code, 2);
    const [error, , tip] = stderr.split("\n");
    assert.equal(error, "error: no imported function and no function of the module fits 'env.raed'");
    assert.equal(tip, "  tip: a similar name exists: 'env.read'");
  });
});

describe("stackful transform with input that it cannot take", () => {
  const text = new TextEncoder();
  const bytes = readFileSync(two);
  const cases: [title: string, bytes: Uint8Array, error: RegExp][] = [
    ["nothing", new Uint8Array(), /: it is no WebAssembly module\n/],
    ["something else", text.encode("#!/bin/sh\n"), /: it is no WebAssembly module\n/],
    ["text", text.encode("(module)"), /it looks like the text format of WebAssembly\n\n {2}tip: assemble it first/],
    ["a component", Uint8Array.of(0, 97, 115, 109, 13, 0, 1, 0), /it is a component\n\n {2}tip: transform its core/],
    ["half a module", bytes.subarray(0, 40), /Cannot decode WebAssembly binary at offset/],
    [
      "a module that is not valid",
      bytes.map((byte, at) => (at === bytes.lastIndexOf(0x6a) ? 0x7c : byte)),
      /error: cannot/,
    ],
    ["a name that is reserved", reserved, /a name that is reserved/],
  ];
  for (const [title, content, expected] of cases) {
    it(`fails without output: ${title}`, async () => {
      const [input, output] = [write(content), newFile()];
      const { code, stdout, stderr } = await stackful("transform", input, "-o", output);
      assert.deepEqual([code, stdout.length, existsSync(output)], [1, 0, false]);
      assert.ok(stderr.startsWith(`error: cannot transform '${input}': `), stderr);
      assert.match(stderr, expected);
      assert.ok(!stderr.includes("    at "), "no stack of ours");
    });
  }

  it("keeps to errors whatever bytes are changed", async () => {
    // One process for each: only some.
    for (let round = 0; round < 4; round++) {
      const changed = Uint8Array.from(bytes);
      changed[8 + ((round * 97) % (bytes.length - 8))]! ^= 0xff;
      const { code, stderr } = await stackfulWith(changed, "transform", "-", "-o", newFile());
      assert.ok(code === 0 || (code === 1 && stderr.startsWith("error: cannot transform '-': ")), stderr);
    }
  });
});

describe("stackful transform with files that it cannot use", () => {
  const cases: [title: string, args: () => string[], error: RegExp][] = [
    [
      "no input",
      () => [inFolder("none.wasm"), "-o", newFile()],
      /^error: cannot read '.*none\.wasm': no such file or directory\n$/,
    ],
    ["a folder as input", () => [folder, "-o", newFile()], /^error: cannot read '.*': is a directory\n$/],
    ["a folder as output", () => [two, "-o", folder], /^error: cannot write '.*': is a directory\n$/],
    [
      "no folder for the output",
      () => [two, "-o", inFolder("none/x.wasm")],
      /^error: cannot write '.*': no such file or directory\n$/,
    ],
    [
      "an output below a file",
      () => [two, "-o", path.join(two, "x.wasm")],
      /^error: cannot write '.*': a part of the path is not a directory\n$/,
    ],
  ];
  for (const [title, args, error] of cases) {
    it(`fails: ${title}`, async () => {
      const { code, stdout, stderr } = await stackful("transform", ...args());
      assert.deepEqual([code, stdout.length], [1, 0]);
      assert.match(stderr, error);
    });
  }

  it(
    "leaves the old output when there is no room for the new one",
    { skip: !existsSync("/dev/full") && "no /dev/full" },
    async () => {
      const { code, stderr } = await stackful("transform", two, "-o", "/dev/full");
      assert.deepEqual([code, stderr], [1, "error: cannot write '/dev/full': no space left on the device\n"]);
    },
  );

  it("leaves nothing but the output behind", async () => {
    const empty = inFolder("empty");
    mkdirSync(empty);
    await stackful("transform", two, "-o", path.join(empty, "x.wasm"));
    assert.deepEqual(readdirSync(empty), ["x.wasm"]);
  });

  for (const what of ["module", "report"]) {
    it(`ends quietly when nobody reads the ${what}`, async () => {
      const child = start(
        "transform",
        guest("frames"),
        ...(what === "module" ? ["-o", "-"] : ["-o", newFile(), "--json"]),
      );
      child.stdout!.destroy();
      child.stdin!.end();
      const { code, stderr } = await finished(child);
      assert.deepEqual([code, stderr], [141, ""]);
    });
  }

  it("fails when standard input is closed without a module", async () => {
    const { code, stderr } = await stackful("transform", "-", "-o", newFile());
    assert.equal(code, 1);
    assert.match(stderr, /^error: cannot transform '-': /);
  });

  it("can be interrupted while it waits for its input", async () => {
    const child = start("transform", "-", "-o", newFile());
    await new Promise((done) => setTimeout(done, 300));
    child.kill("SIGINT");
    const [, signal] = (await once(child, "exit")) as [unknown, string];
    assert.equal(signal, "SIGINT");
  });
});

describe("ProgressLine", () => {
  it("shows nothing for half a second, then every tenth of a second, and clears its line", () => {
    let now = 0;
    const written: string[] = [];
    const line = new ProgressLine({ isTTY: true, write: (text) => written.push(text) }, "work", () => now);
    for (; now < 720; now += 10) line.update(now, 1000);
    line.end();
    line.end();
    assert.deepEqual(written, ["\r\u001B[Kwork: 50 %", "\r\u001B[Kwork: 60 %", "\r\u001B[Kwork: 70 %", "\r\u001B[K"]);
  });

  it("is not shown where there is no terminal", () => {
    let now = 0;
    const line = new ProgressLine({ write: assert.fail }, "work", () => now);
    for (; now < 2000; now += 100) line.update(now, 2000);
    line.end();
  });
});
