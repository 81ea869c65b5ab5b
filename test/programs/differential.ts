/**
 * A real program does the same when it is suspended at every call of its host: same output, files, exit code, calls and
 * memory as it was published. `npm run differential` starts it, once per program.
 *
 *     --case=…  only cases whose names hold this
 *     --print   what they print, too
 */

import path from "node:path";
import { parseArgs } from "node:util";
import { assertSame, CallLog } from "./observation.ts";
import type { Observation } from "./observation.ts";
import { loadPlain, loadSuspending, SuspendingGuest } from "./guest.ts";
import type { Load } from "./guest.ts";
import { readInstalled } from "./program.ts";
import type { Interleaved, Program } from "./program.ts";
import { transformModule } from "#src/transform/transform-module";
import type { TransformedModule } from "#src/transform/transformed-module";

/** Orders in which interleaved runs go on. */
const SEEDS = [1, 2, 3];

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** Returns the result and how many milliseconds it took. */
async function timed<Result>(work: () => Result | Promise<Result>): Promise<[Result, number]> {
  const start = performance.now();
  const result = await work();
  return [result, performance.now() - start];
}

async function compare(program: Program, only: string): Promise<number> {
  const bytes = readInstalled(program.wasm);
  const plain = new WebAssembly.Module(bytes);
  const [transformed, transformMs] = await timed(() => transformModule(bytes));
  const [resume, resumeMs] = await timed(() => transformed.resume());
  console.log(
    `${program.name}: ${megabytes(bytes.length)} → ${megabytes(transformed.main.length)} in ${transformMs.toFixed(0)} ms, ` +
      `resume copies ${megabytes(resume.length)} in ${resumeMs.toFixed(0)} ms, ${megabytes(process.memoryUsage.rss())} resident`,
  );
  let failures = 0;
  for (const name of Object.keys(program.cases).filter((name) => name.includes(only))) {
    if (!(await compareCase(program, name, plain, transformed))) failures++;
  }
  if (program.interleaved && "interleaved".includes(only)) {
    for (const seed of SEEDS)
      if (!(await compareInterleaved(program.interleaved, seed, plain, transformed))) failures++;
  }
  return failures;
}

async function compareInterleaved(
  { alone, together }: Interleaved,
  seed: number,
  module: WebAssembly.Module,
  transformed: TransformedModule,
): Promise<boolean> {
  const log = new CallLog();
  const expected = await alone(loadPlain(module, new CallLog()));
  const [{ results, switches }, milliseconds] = await timed(() =>
    together((imports) => new SuspendingGuest(transformed, imports, log), seed),
  );
  const isSame = results.every((result, index) => result === expected[index]);
  console.log(
    `  interleaved: ${isSame ? "same" : "DIFFERS"}; ${expected.length} stacks, ${log.suspensions} suspensions, ` +
      `${switches} switches in the order of seed ${seed}; ${milliseconds.toFixed(0)} ms`,
  );
  for (const [index, result] of results.entries())
    if (result !== expected[index]) console.log(index, result, expected[index]);
  return isSame;
}

interface Run {
  readonly observation: Observation;
  readonly log: CallLog;
  readonly milliseconds: number;
}

async function observe(run: Program["cases"][string], loadWith: (log: CallLog) => Load): Promise<Run> {
  const log = new CallLog();
  const [observation, milliseconds] = await timed(() => run(loadWith(log)));
  return { observation, log, milliseconds };
}

/** What differs between two runs; null when nothing does. */
function difference(expected: Run, found: Run): unknown {
  try {
    assertSame(expected.observation, expected.log, found.observation, found.log);
    return null;
  } catch (error) {
    return error;
  }
}

async function compareCase(
  { cases }: Program,
  name: string,
  module: WebAssembly.Module,
  transformed: TransformedModule,
): Promise<boolean> {
  const run = cases[name]!;
  const plain = await observe(run, (log) => loadPlain(module, log));
  const suspended = await observe(run, (log) => loadSuspending(transformed, log));
  const { stdout, stderr, exitCode } = plain.observation;
  const found = difference(plain, suspended);
  console.log(
    `  ${name}: ${found === null ? "same" : "DIFFERS"}; ${suspended.log.suspensions} suspensions in ${suspended.log.calls} calls, ` +
      `${stdout.length} characters, exit code ${exitCode}; plain ${plain.milliseconds.toFixed(0)} ms, ` +
      `suspended ${suspended.milliseconds.toFixed(0)} ms`,
  );
  if (values.print) console.log(stdout, stderr);
  if (found === null) return true;
  console.log(found);
  const again = difference(plain, await observe(run, (log) => loadPlain(module, log)));
  if (again !== null) console.log("  but so does the plain program from run to run:", again);
  return false;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { case: { type: "string", default: "" }, print: { type: "boolean", default: false } },
});
const extension = path.extname(import.meta.filename);
for (const name of positionals) {
  const { program } = (await import(`./${name}${extension}`)) as { program: Program };
  if ((await compare(program, values.case)) > 0) process.exitCode = 1;
}
