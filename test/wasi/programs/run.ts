/**
 * Runs real programs, unmodified, as WASI programs on each backend: what they print, their files and their exit codes have to be what is
 * written beside them, and the same on each backend. `npm run wasi` starts it, once per program.
 *
 *     --case=…     only cases whose names hold this
 *     --backend=…  on one backend only
 *     --print      what they print, too
 *     --trace      each call they make
 */

import assert from "node:assert/strict";
import path from "node:path";
import { parseArgs } from "node:util";
import { backends, compile, instantiate } from "stackful";
import type { BackendName, GuestModule } from "stackful";
import { HostError, MemoryFileSystem, TextOutput, WASI } from "stackful/wasi";
import type { SyscallEvent } from "stackful/wasi";
import { Missing } from "./program.ts";
import type { Expectation, TimedInput, WasiCase, WasiProgram } from "./program.ts";

interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly files: Readonly<Record<string, string>>;
}

interface Measured extends Outcome {
  readonly calls: number;
  readonly suspendedMs: number;
  readonly milliseconds: number;
}

/** A timer beside the program goes on while the program waits. */
const TICK_MS = 10;
/** So much of the ticks in that time has to come, at least: computers that are busy, or compile what was suspended, swallow some. */
const LEAST_TICKS = 0.2;

const TESTED: readonly BackendName[] = ["jspi", "transform"];

async function* timed(input: TimedInput): AsyncGenerator<string> {
  for (const step of input) {
    if (typeof step === "string") yield step;
    else await new Promise((resolve) => setTimeout(resolve, step));
  }
}

function directories(folders: WasiCase["folders"] = {}): Record<string, { directory: string; readOnly: true }> {
  return Object.fromEntries(
    Object.entries(folders).map(([name, directory]) => [name, { directory, readOnly: true as const }]),
  );
}

/** What is in these files; nothing for a file that is not there. */
function textsOf(files: MemoryFileSystem, paths: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const file of paths) {
    try {
      found[file] = files.text(file);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
    }
  }
  return found;
}

async function runCase(program: WasiProgram, module: GuestModule, given: WasiCase): Promise<Measured> {
  const files = new MemoryFileSystem({ ...given.files });
  const [stdout, stderr] = [new TextOutput(), new TextOutput()];
  let [calls, suspendedMs] = [0, 0];
  const wasi = new WASI({
    args: given.args,
    env: given.env,
    stdin: given.stdin === undefined ? "ignore" : timed(given.stdin),
    stdout,
    stderr,
    preopens: { "/work": files.root, ...directories(given.folders) },
    onSyscall: (event: SyscallEvent) => {
      calls++;
      suspendedMs += event.suspendedMs;
      if (values.trace) console.log("   ", event.name, event.args, event.errno, event.results);
    },
  });
  const start = performance.now();
  const instance = await instantiate(module, { ...program.imports, ...wasi.imports() });
  const exitCode = await (program.run?.(wasi, instance, given.args) ?? wasi.start(instance));
  const milliseconds = performance.now() - start;
  const after = textsOf(files, Object.keys(given.filesAfter ?? {}));
  return { exitCode, stdout: stdout.text, stderr: stderr.text, files: after, calls, suspendedMs, milliseconds };
}

function assertText(found: string, expected: Expectation, what: string): void {
  if (typeof expected === "string") assert.equal(found, expected, what);
  else assert.match(found, expected, what);
}

function assertExpected(found: Measured, given: WasiCase): void {
  assertText(found.stderr, given.stderr ?? "", "standard error");
  assertText(found.stdout, given.stdout, "standard output");
  assert.equal(found.exitCode, given.exitCode ?? 0, "exit code");
  for (const [file, expected] of Object.entries(given.filesAfter ?? {})) assertText(found.files[file]!, expected, file);
  if (given.waits !== undefined) assert.ok(found.suspendedMs >= given.waits, `suspended ${found.suspendedMs} ms only`);
}

/** How often a timer beside `work` ticked, of as many times as it could have. */
async function besideTimer<Result>(work: () => Promise<Result>): Promise<{ result: Result; ticks: number }> {
  let ticks = 0;
  const timer = setInterval(() => ticks++, TICK_MS);
  try {
    return { result: await work(), ticks };
  } finally {
    clearInterval(timer);
  }
}

async function check(program: WasiProgram, module: GuestModule, name: string, backend: BackendName): Promise<Outcome> {
  const given = program.cases[name]!;
  const { result: found, ticks } = await besideTimer(() => runCase(program, module, given));
  console.log(
    `  ${backend}, ${name}: exit code ${found.exitCode}, ${found.calls} calls, ${found.milliseconds.toFixed(0)} ms, ` +
      `${found.suspendedMs.toFixed(0)} of them suspended, ${ticks} ticks of ${TICK_MS} ms beside it`,
  );
  if (values.print) console.log(found.stdout, found.stderr);
  assertExpected(found, given);
  // A program that waits leaves the thread to others.
  if (given.waits !== undefined) assert.ok(ticks >= (given.waits / TICK_MS) * LEAST_TICKS, "a timer could not go on");
  const { exitCode, stdout, stderr, files } = found;
  return { exitCode, stdout, stderr, files };
}

/** Returns how many runs went wrong. */
async function runProgram(program: WasiProgram, names: readonly BackendName[]): Promise<number> {
  const bytes = await program.module();
  console.log(`${program.name}: ${(bytes.length / 1e6).toFixed(1)} MB`);
  const first = new Map<string, Outcome>();
  let failures = 0;
  for (const backend of names) {
    const module = await compile(bytes, { backend });
    for (const name of Object.keys(program.cases).filter((name) => name.includes(values.case))) {
      if (!(await isRight(program, module, { name, backend, first }))) failures++;
    }
  }
  return failures;
}

interface Run {
  readonly name: string;
  readonly backend: BackendName;
  /** Case → what it came to on the backend before. */
  readonly first: Map<string, Outcome>;
}

async function isRight(program: WasiProgram, module: GuestModule, { name, backend, first }: Run): Promise<boolean> {
  try {
    const outcome = await check(program, module, name, backend);
    assert.deepEqual(outcome, first.get(name) ?? outcome, "differs between backends");
    first.set(name, outcome);
    return true;
  } catch (error) {
    console.log(`  ${backend}, ${name}: FAILED`, error);
    return false;
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    case: { type: "string", default: "" },
    backend: { type: "string", default: "" },
    print: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
  },
});
const usable = backends().filter(({ name, available }) => available && TESTED.includes(name));
const chosen = usable.map(({ name }) => name).filter((name) => name.includes(values.backend));
const extension = path.extname(import.meta.filename);
for (const name of positionals) {
  const { program } = (await import(`./${name}${extension}`)) as { program: WasiProgram };
  try {
    if ((await runProgram(program, chosen)) > 0) process.exitCode = 1;
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    console.log(`${program.name}: not run, ${error.message}`);
  }
}
