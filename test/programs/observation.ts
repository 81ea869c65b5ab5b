/** What can be seen of a run from outside, and how two runs compare. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";

export type HostFunction = (...parameters: readonly unknown[]) => unknown;

/** What a program leaves behind. */
export interface Observation {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Path → contents, of the files that it could write. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  readonly memory: WebAssembly.Memory;
}

/** The calls that a program makes to its host: names, parameters and results, in order. */
export class CallLog {
  calls = 0;
  suspensions = 0;
  readonly lines: string[] = [];

  wrap(name: string, host: HostFunction): HostFunction {
    return (...parameters) => {
      this.calls++;
      this.lines.push(`${name}(${parameters.join()})`);
      const result = host(...parameters);
      this.lines.push(`${name} returned ${String(result)}`);
      return result;
    };
  }
}

/** @throws {assert.AssertionError} that names the first thing in which the two runs differ */
export function assertSame(plain: Observation, plainLog: CallLog, other: Observation, otherLog: CallLog): void {
  assert.equal(other.stderr, plain.stderr, "stderr");
  assert.equal(other.stdout, plain.stdout, "stdout");
  assert.equal(other.exitCode, plain.exitCode, "exit code");
  assertSameCalls(plainLog.lines, otherLog.lines);
  assert.deepEqual(hashFiles(other), hashFiles(plain), "files");
  assert.equal(other.memory.buffer.byteLength, plain.memory.buffer.byteLength, "size of the memory");
  assert.equal(hashOf(memoryOf(other)), hashOf(memoryOf(plain)), `memory: ${firstDifference(plain, other)}`);
}

const CONTEXT = 6;

function assertSameCalls(plain: readonly string[], other: readonly string[]): void {
  const first = plain.findIndex((line, index) => line !== other[index]);
  if (first === -1) return assert.equal(other.length, plain.length, "number of calls of the host");
  const around = (lines: readonly string[]): readonly string[] =>
    lines.slice(Math.max(0, first - CONTEXT), first + CONTEXT);
  return assert.deepEqual(around(other), around(plain), `calls of the host, around line ${first} of ${plain.length}`);
}

function hashFiles({ files = {} }: Observation): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path, hashOf(bytes)]));
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function memoryOf({ memory }: Observation): Uint8Array {
  return new Uint8Array(memory.buffer);
}

function firstDifference(plain: Observation, other: Observation): string {
  const [before, after] = [memoryOf(plain), memoryOf(other)];
  const address = before.findIndex((byte, index) => byte !== after[index]);
  return address === -1 ? "equal" : `address ${address} has ${after[address]}, not ${before[address]}`;
}
