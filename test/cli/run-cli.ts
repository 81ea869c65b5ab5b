/** Runs the command: from the sources, or beside the compiled tests the built one. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

const isSource = import.meta.url.endsWith(".ts");
export const PROGRAM: string = path.resolve(isSource ? "src/cli/main.ts" : "dist/cli/main.js");

export interface Finished {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** With its standard streams as pipes. */
export function start(...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [...(isSource ? ["--conditions=source"] : []), PROGRAM, ...args]);
}

export function stackful(...args: readonly string[]): Promise<Finished> {
  return stackfulWith(new Uint8Array(), ...args);
}

/** With `input` as its standard input. */
export function stackfulWith(input: Uint8Array, ...args: readonly string[]): Promise<Finished> {
  const child = start(...args);
  // It may end without having read all of it.
  child.stdin!.on("error", () => {});
  child.stdin!.end(input);
  return finished(child);
}

export async function finished(child: ChildProcess): Promise<Finished> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout!.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr!.on("data", (chunk: Buffer) => stderr.push(chunk));
  const code = await new Promise<number | null>((done) => child.once("close", done));
  return { code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() };
}

/** A folder that is gone after the tests of this file. */
export function scratchFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "stackful-cli-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The file of a guest of test/guests. */
export function guest(name: string): string {
  return fileURLToPath(new URL(`../guests/${name}.wasm`, import.meta.url));
}

/** `stackful run` with these arguments writes this, ends so, and complains about nothing. */
export async function expectOutput(args: readonly string[], output: string, exitCode = 0): Promise<void> {
  const { code, stdout, stderr } = await stackful("run", ...args);
  assert.deepEqual([stdout.toString(), stderr, code], [output, "", exitCode]);
}

/** `stackful run` with these arguments says this on standard error, and ends so. */
export async function expectError(args: readonly string[], errors: string | RegExp, exitCode = 1): Promise<void> {
  const { code, stderr } = await stackful("run", ...args);
  if (typeof errors === "string") assert.equal(stderr, errors);
  else assert.match(stderr, errors);
  assert.equal(code, exitCode);
}
