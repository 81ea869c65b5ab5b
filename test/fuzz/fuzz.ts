/**
 * Random modules do the same with a suspension at every call of an import as they do plain, also when what is called throws,
 * and with the runtime in a module of its own. `npm run fuzz` starts it.
 *
 *     --modules=2000     how many to compare
 *     --seed=1           of the first one; the next ones follow
 *     --mutations=10000  how many broken modules to transform afterwards: each is refused, or valid when it was transformed
 *
 * Leaves modules that differ, and those that were not refused as they should be, in build/fuzz: make a test of each, as small as it gets, when the compiler is mended.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { TransformError } from "../../src/transform/refusal.ts";
import { compareRuns } from "../transform/differential.ts";
import type { RunOptions } from "../transform/differential.ts";
import { mutate, mutationSources, randomNumbers, transformHostile } from "../transform/mutations.ts";
import { FEATURE_NAMES, LEGACY, generateModule } from "./generate.ts";
import type { GeneratedModule } from "./generate.ts";

/** What each module has to go through. */
const RUNS: Readonly<Record<string, RunOptions>> = {
  "a suspension at every call of an import": {},
  "every fourth call throws": { throwEvery: 4, seed: 7 },
  "every call throws": { throwEvery: 1, seed: 3 },
  "the runtime in a module of its own": { multiMemory: false, throwEvery: 9, seed: 5 },
};
/** What a module with exceptions in the legacy form has to go through in addition. */
const LEGACY_RUNS: Readonly<Record<string, RunOptions>> = {
  "catch blocks that are moved": { tryTable: false, seed: 2 },
  "moved, and every third call throws": { tryTable: false, throwEvery: 3, seed: 6 },
  "moved, and every call throws": { tryTable: false, throwEvery: 1, multiMemory: false, seed: 4 },
};
const FAILURES = "build/fuzz";
const PROGRESS_MS = 10_000;

const counts = { passed: 0, failed: 0, notGenerated: 0, notValid: 0, refused: 0, suspended: 0, suspensions: 0 };

/** Compares one module in all runs. Returns the suspensions in them. */
function check(features: string, bytes: Uint8Array): number {
  const runs = features === LEGACY ? { ...RUNS, ...LEGACY_RUNS } : RUNS;
  let suspensions = 0;
  for (const [run, options] of Object.entries(runs)) {
    try {
      suspensions += compareRuns(bytes, options).suspensions;
    } catch (cause) {
      // Types of the guest cannot be named in a module of the runtime's own, so these few may be refused.
      if (cause instanceof TransformError && options.multiMemory === false) {
        counts.refused++;
        continue;
      }
      throw new Error(`Differs: ${run}`, { cause });
    }
  }
  return suspensions;
}

function take({ seed, features, bytes }: GeneratedModule): void {
  if (bytes === null) {
    counts.notGenerated++;
    return;
  }
  if (!WebAssembly.validate(bytes)) {
    counts.notValid++;
    return;
  }
  // Written before it runs: a module that ends the process or never returns is there too.
  const file = path.join(FAILURES, `${features}-${seed}.wasm`);
  mkdirSync(FAILURES, { recursive: true });
  writeFileSync(file, bytes);
  try {
    const suspensions = check(features, bytes);
    rmSync(file);
    counts.passed++;
    counts.suspensions += suspensions;
    if (suspensions > 0) counts.suspended++;
  } catch (error) {
    counts.failed++;
    console.error(error);
    console.error(`Module ${file}; again with npm run fuzz -- --modules=1 --mutations=0 --seed=${seed}`);
  }
}

/** Makes modules on all processors, ahead of the comparison, and gives them in the order of their seeds. */
async function* generate(seed: number): AsyncGenerator<GeneratedModule> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "stackful-fuzz-"));
  const ahead: Promise<GeneratedModule>[] = [];
  try {
    for (let next = seed; ; next++) {
      ahead.push(generateModule(next, folder));
      if (ahead.length > os.availableParallelism()) yield await ahead.shift()!;
    }
  } finally {
    await Promise.all(ahead);
    rmSync(folder, { recursive: true });
  }
}

async function fuzz(modules: number, firstSeed: number): Promise<void> {
  console.log(`${modules} modules from seed ${firstSeed}, with ${FEATURE_NAMES.join(", ")} in turn`);
  const start = performance.now();
  let nextProgress = start + PROGRESS_MS;
  for await (const module of generate(firstSeed)) {
    take(module);
    if (counts.passed + counts.failed === modules) break;
    if (module.seed - firstSeed > 2 * modules + 10) throw new Error("Most modules cannot be used: is wasm-opt there?");
    if (performance.now() < nextProgress) continue;
    nextProgress += PROGRESS_MS;
    console.log(`${counts.passed} of ${modules}, seed ${module.seed}, ${counts.suspensions} suspensions`);
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const { suspended, suspensions, notGenerated, notValid, refused } = counts;
  console.log(
    `${seconds} s; ${suspended} modules suspended, ${suspensions} times in all; left out: ${notGenerated} that wasm-opt did not ` +
      `make, ${notValid} that this engine refuses; ${refused} refused without multiple memories`,
  );
}

/** Transforms modules that were broken on purpose. */
function transformBroken(mutations: number, firstSeed: number): void {
  const sources = mutationSources();
  const fates = { invalid: 0, refused: 0, transformed: 0 };
  const start = performance.now();
  mkdirSync(FAILURES, { recursive: true });
  for (let seed = firstSeed; seed < firstSeed + mutations; seed++) {
    const random = randomNumbers(seed);
    const bytes = mutate(sources[random(sources.length)]!, random);
    const file = path.join(FAILURES, `mutation-${seed}.wasm`);
    writeFileSync(file, bytes);
    try {
      fates[transformHostile(bytes, seed % 3 === 0 ? false : undefined)]++;
      rmSync(file);
    } catch (error) {
      counts.failed++;
      console.error(error);
      console.error(`Module ${file}; again with npm run fuzz -- --modules=0 --mutations=1 --seed=${seed}`);
    }
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const { invalid, refused, transformed } = fates;
  console.log(
    `${mutations} broken modules, ${seconds} s: ${invalid} invalid, ${refused} refused, ${transformed} transformed`,
  );
  counts.passed += invalid + refused + transformed;
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`Cannot fuzz: --${name} must be a non-negative integer, received ${text}`);
}

const { values } = parseArgs({
  options: {
    modules: { type: "string", default: "2000" },
    mutations: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
  },
});
const modules = wholeNumber("modules", values.modules);
const seed = wholeNumber("seed", values.seed);
if (modules > 0) await fuzz(modules, seed);
if (values.mutations !== "0") transformBroken(wholeNumber("mutations", values.mutations), seed);
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed === 0 ? 0 : 1;
