/**
 * Runs a benchmark in parts, each in a process of its own: what one part has taught the engine's inline caches does not
 * help or hurt the next one. Rows that are compared are always in one part.
 *
 * `npm run bench -- switch --json` also writes bench/results/switch.json; `--part=<word>` runs the parts with that word only.
 */

import { fork } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { GroupResult } from "./measure.ts";
import { printGroup, printLimits } from "./report.ts";

/** Name → what it measures. */
export type Parts = Readonly<Record<string, () => Promise<readonly GroupResult[]>>>;

const CHILD = "--child=";

/** To be called by each benchmark, with its `import.meta.url`. */
export async function runParts(url: string, parts: Parts, flags: readonly string[] = []): Promise<void> {
  const child = process.argv.find((argument) => argument.startsWith(CHILD))?.slice(CHILD.length);
  if (child !== undefined) {
    const groups = (await parts[child]?.()) ?? [];
    process.send?.(groups);
    process.disconnect?.();
    return;
  }
  console.log(`Node ${process.versions.node}, V8 ${process.versions.v8}, ${os.cpus()[0]?.model} x ${os.cpus().length}`);
  const wanted = process.argv.find((argument) => argument.startsWith("--part="))?.slice("--part=".length) ?? "";
  const all: GroupResult[] = [];
  for (const part of Object.keys(parts).filter((name) => name.includes(wanted))) {
    const groups = await runPart(url, part, flags);
    for (const group of groups) printGroup(group);
    all.push(...groups);
  }
  printLimits(all);
  if (process.argv.includes("--json")) save(path.basename(fileURLToPath(url), ".ts"), all);
}

async function runPart(url: string, part: string, flags: readonly string[]): Promise<readonly GroupResult[]> {
  const child = fork(fileURLToPath(url), [CHILD + part], { execArgv: [...process.execArgv, ...flags] });
  let groups: readonly GroupResult[] | undefined;
  child.on("message", (message) => (groups = message as readonly GroupResult[]));
  const exitCode = await new Promise((resolve) => child.once("close", resolve));
  if (groups === undefined) throw new Error(`Part ${part} ended with ${String(exitCode)} and without a result`);
  return groups;
}

function save(name: string, groups: readonly GroupResult[]): void {
  const folder = new URL("../results/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  const machine = { node: process.versions.node, v8: process.versions.v8, cpu: os.cpus()[0]?.model };
  writeFileSync(new URL(`${name}.json`, folder), `${JSON.stringify({ ...machine, groups }, undefined, 2)}\n`);
}
