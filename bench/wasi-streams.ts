/** What small reads and writes of a WASI program cost that need not wait, compared with `node:wasi`, where each of them blocks the thread. */

import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { WASI as NodeWASI } from "node:wasi";
import { compile, instantiate } from "stackful";
import { WASI } from "stackful/wasi";
import { bytesOf } from "./harness/guests.ts";
import { measure } from "./harness/measure.ts";
import type { GroupResult, Row } from "./harness/measure.ts";
import { runParts } from "./harness/parts.ts";

const CALLS = 10_000;
const BYTES = 20;
const LIMIT = 1.5;
const SAMPLES = 15;

const bytes = bytesOf("wasi-bytes");
const plain = new WebAssembly.Module(bytes);
const compiled = {
  jspi: await compile(bytes, { backend: "jspi" }),
  transform: await compile(bytes, { backend: "transform" }),
};

const folder = mkdtempSync(path.join(tmpdir(), "stackful-bench-"));
const file = path.join(folder, "file");
const input = path.join(folder, "input");
const fifo = path.join(folder, "fifo");

interface Descriptors {
  readonly stdin?: number;
  readonly stdout?: number;
}

async function onNode(args: readonly string[], descriptors: Descriptors): Promise<number> {
  const wasi = new NodeWASI({ version: "preview1", args: ["bytes", ...args], ...descriptors });
  return wasi.start(await WebAssembly.instantiate(plain, wasi.getImportObject() as WebAssembly.Imports));
}

async function onStackful(
  backend: "jspi" | "transform",
  args: readonly string[],
  descriptors: Descriptors,
): Promise<number> {
  const wasi = new WASI({ args: ["bytes", ...args], stdin: "ignore", ...descriptors });
  return wasi.start(await instantiate(compiled[backend], wasi.imports(), { backend }));
}

/** The same run three times; `open` gives what it runs on, `close` ends that where the program has not. */
function rows(args: readonly string[], open: () => Descriptors, close: (descriptors: Descriptors) => void): Row[] {
  const row = (name: string, run: (descriptors: Descriptors) => Promise<number>, isOwner: boolean): Row => ({
    name,
    expected: 0,
    run: async () => {
      const descriptors = open();
      const exitCode = await run(descriptors);
      if (!isOwner) close(descriptors);
      return exitCode;
    },
  });
  const isTakenOver = open === openFifo;
  return [
    row("node:wasi", (descriptors) => onNode(args, descriptors), false),
    ...(["jspi", "transform"] as const).map((backend) => ({
      ...row(`stackful, ${backend}`, (descriptors) => onStackful(backend, args, descriptors), isTakenOver),
      limit: LIMIT,
    })),
  ];
}

function openFile(): Descriptors {
  return { stdout: openSync(file, "w") };
}

function openFifo(): Descriptors {
  return { stdout: openSync(fifo, "w") };
}

function openInput(): Descriptors {
  return { stdin: openSync(input, "r"), stdout: openSync(file, "w") };
}

function close(descriptors: Descriptors): void {
  for (const descriptor of Object.values(descriptors) as number[]) closeSync(descriptor);
}

const write = ["write", String(CALLS), String(BYTES)];

async function toFile(): Promise<GroupResult[]> {
  const title = `fd_write of ${BYTES} bytes to a file`;
  return [await measure({ title, operations: CALLS, samples: SAMPLES, rows: rows(write, openFile, close) })];
}

async function toPipe(): Promise<GroupResult[]> {
  execFileSync("mkfifo", [fifo]);
  // It has the pipe open for writing too, and so never comes to its end while nobody else has.
  const reader: ChildProcess = spawn("sh", ["-c", `exec cat <> "${fifo}"`], { stdio: "ignore" });
  const title = `fd_write of ${BYTES} bytes to a pipe`;
  try {
    return [await measure({ title, operations: CALLS, samples: SAMPLES, rows: rows(write, openFifo, close) })];
  } finally {
    reader.kill();
  }
}

async function fromFile(): Promise<GroupResult[]> {
  writeFileSync(input, new Uint8Array(CALLS * BYTES));
  const title = `fd_read of ${BYTES} bytes from a file`;
  const read = rows(["read", String(BYTES)], openInput, close);
  return [await measure({ title, operations: CALLS, samples: SAMPLES, rows: read })];
}

try {
  await runParts(import.meta.url, { toFile, toPipe, fromFile }, ["--no-warnings"]);
} finally {
  rmSync(folder, { recursive: true });
}
