/** Runs the command: from the sources, or beside the compiled tests the built one. */

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after } from "node:test";

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
