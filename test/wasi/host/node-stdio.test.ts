/** Programs on the standard streams of a process: files, pipes and sockets. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess, StdioOptions } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const isSource = import.meta.url.endsWith(".ts");
const RUNNER = fileURLToPath(new URL(`stdio-program.${isSource ? "ts" : "js"}`, import.meta.url));
/** `false`: there are shells and named pipes. */
const noShell = process.platform === "win32" && "this system has no shell";

function start(args: readonly string[], stdio: StdioOptions): ChildProcess {
  return spawn(process.execPath, [...(isSource ? ["--conditions=source"] : []), RUNNER, ...args], { stdio });
}

interface Ending {
  readonly exitCode: number | null;
  readonly output: string;
  readonly errors: string;
}

async function textOf(stream: AsyncIterable<Uint8Array> | null): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream ?? []) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function ending(child: ChildProcess): Promise<Ending> {
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [output, errors] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  return { exitCode: await exit, output, errors };
}

function ticksOf({ errors }: Pick<Ending, "errors">): number {
  return Number(/(\d+) ticks/.exec(errors)?.[1]);
}

/** Runs `test` with an empty directory. */
async function inDirectory(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), "stackful-stdio-"));
  try {
    await test(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("A program on standard streams", () => {
  it("reads lines from a pipe as they come", async () => {
    const child = start(["wasi-waits", "0", "lines"], ["pipe", "pipe", "pipe"]);
    const answers = child.stdout![Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    for (const [index, line] of ["one", "two", "three"].entries()) {
      child.stdin!.write(`${line}\n`);
      assert.equal(String((await answers.next()).value), `${index + 1}: ${line}\n`);
    }
    child.stdin!.end();
    assert.equal((await ending(child)).exitCode, 0);
  });

  it("leaves the streams of the process to others when it ends", async () => {
    const extension = isSource ? "ts" : "js";
    const program = fileURLToPath(new URL(`shared-streams-program.${extension}`, import.meta.url));
    const child = spawn(process.execPath, [...(isSource ? ["--conditions=source"] : []), program]);
    child.stdin.end("rest");
    const { exitCode, output, errors } = await ending(child);
    assert.deepEqual([exitCode, errors], [0, ""]);
    assert.equal(output, "program\nargs\none\ntwo\nprogram\nargs\nthree\nthe process: rest");
  });

  it("reads and writes files at once", () =>
    inDirectory(async (folder) => {
      const [input, output] = [path.join(folder, "in"), path.join(folder, "out")];
      writeFileSync(input, "one\ntwo\n");
      const descriptors = [openSync(input, "r"), openSync(output, "w")];
      const child = start(["wasi-waits", "0", "lines"], [...descriptors, "pipe"]);
      assert.equal((await ending(child)).exitCode, 0);
      for (const descriptor of descriptors) closeSync(descriptor);
      assert.equal(readFileSync(output, "utf8"), "1: one\n2: two\n");
    }));

  it("goes on where others have read and written a file", { skip: noShell }, () =>
    inDirectory(async (folder) => {
      writeFileSync(path.join(folder, "in"), "first\nsecond\n");
      const run = `"${process.execPath}" ${isSource ? "--conditions=source" : ""} "${RUNNER}" wasi-waits 0 lines 2>err`;
      const script = `(read line; echo "shell: $line"; ${run}; echo "shell: end") < in > out`;
      execFileSync("sh", ["-c", script], { cwd: folder });
      assert.equal(readFileSync(path.join(folder, "out"), "utf8"), "shell: first\n1: second\nshell: end\n");
    }),
  );

  it("has read all when nothing is there to read", async () => {
    const child = start(["wasi-waits", "0", "lines"], ["ignore", "pipe", "pipe"]);
    const { exitCode, output } = await ending(child);
    assert.deepEqual({ exitCode, output }, { exitCode: 0, output: "" });
  });

  it("ends although standard input is open and nobody reads it", async () => {
    const child = start(["wasi-waits", "0", "nanosleep", "10"], ["pipe", "pipe", "pipe"]);
    assert.equal((await ending(child)).exitCode, 0);
    child.stdin!.destroy();
  });

  it("ends although it waited for standard input in vain", async () => {
    const child = start(["wasi-waits", "100", "poll", "10"], ["pipe", "pipe", "pipe"]);
    const { exitCode, output, errors } = await ending(child);
    assert.equal(exitCode, 99);
    assert.match(errors, /TimeoutError/);
    assert.match(output, /^(nothing\n)+$/);
    child.stdin!.destroy();
  });

  it("holds nothing up while it waits for standard input", async () => {
    const child = start(["wasi-waits", "0", "lines"], ["pipe", "pipe", "pipe"]);
    const errors = textOf(child.stderr);
    child.stdin!.write("early\n");
    let output = "";
    for await (const chunk of child.stdout as AsyncIterable<Uint8Array>) {
      // Only then does it run: a busy machine takes its time to start it.
      if (output === "") setTimeout(() => child.stdin!.end("late\n"), 500);
      output += String(chunk);
    }
    assert.equal(output, "1: early\n2: late\n");
    assert.ok(ticksOf({ errors: await errors }) > 5, await errors);
  });

  it("waits for who reads slowly, holds nothing up, and loses nothing at its end", { skip: noShell }, () =>
    inDirectory(async (folder) => {
      const fifo = path.join(folder, "pipe");
      execFileSync("mkfifo", [fifo]);
      const reader = spawn("sh", ["-c", `(sleep 1; cat) < "${fifo}" | wc -c`], { stdio: ["ignore", "pipe", "ignore"] });
      const descriptor = openSync(fifo, "w");
      const child = start(["wasi-bytes", "0", "write", "10000", "100"], ["ignore", descriptor, "pipe"]);
      closeSync(descriptor);
      const count = textOf(reader.stdout);
      const result = await ending(child);
      assert.equal(result.exitCode, 0);
      assert.equal((await count).trim(), "1000000");
    }),
  );

  it("is told that nobody reads any more", async () => {
    const child = start(["wasi-bytes", "0", "write", "100000", "1000"], ["ignore", "pipe", "pipe"]);
    child.stdout!.once("data", () => child.stdout!.destroy());
    const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
    const errors = await textOf(child.stderr);
    assert.equal(await exit, 1, errors);
  });
});
