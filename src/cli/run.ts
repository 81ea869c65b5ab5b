/** `stackful run program.wasm`: a program that was written to block, on the event loop. */

import type { NodeListener } from "../wasi/host/node-network.ts";
import type { WasiOptions } from "../wasi/wasi-options.ts";
import type { Command } from "./command.ts";
import { readInput } from "./files.ts";
import { addressText } from "./quantities.ts";
import { Copies } from "./run-copies.ts";
import { failureOf, failureText } from "./run-failure.ts";
import { RUN_OPTIONS, runOptions } from "./run-options.ts";
import type { RunOptions } from "./run-options.ts";
import { Program } from "./run-program.ts";
import { openListeners, worldFor } from "./run-world.ts";
import { StopRequests } from "./stopped.ts";
import { traceLine } from "./trace-line.ts";

export const runCommand: Command = {
  name: "run",
  summary: "Run a WASI program, whose calls that wait do not block the thread",
  positionals: ["program.wasm"],
  rest: "args",
  options: RUN_OPTIONS,
  details: `All that stands behind the program is for the program. '-' as program is standard input, which the program then does not have.

The exit code is that of the program; of copies, the highest. 134: a trap, 124: --timeout, 130: Ctrl-C, which unwinds the program; a second one
kills it. What is made of a program is kept where STACKFUL_CACHE_DIR says, or the platform has its caches.`,
  async run(given) {
    const options = runOptions(given);
    const file = given.positionals[0]!;
    const program = await Program.compile(file, await readInput(file), options);
    const requests = new StopRequests();
    const listeners = await openListeners(options.listen);
    try {
      tellAddresses(options, listeners);
      // Whoever listens keeps them from killing a program that nothing else ends.
      if (program.isInterruptible) requests.listen();
      if (options.timeout !== undefined) requests.limitTime(options.timeout.milliseconds, options.timeout.text);
      return await run(program, given.rest, { options, requests, listeners, hasInput: file !== "-" });
    } finally {
      requests.close();
      for (const listener of listeners) listener.close();
    }
  },
};

/** Which ports were free. */
function tellAddresses({ listen }: RunOptions, listeners: readonly NodeListener[]): void {
  for (const [position, { address }] of listeners.entries()) {
    if (listen[position]?.port === 0) process.stderr.write(`listening on ${addressText(address)}\n`);
  }
}

interface Run {
  readonly options: RunOptions;
  readonly requests: StopRequests;
  readonly listeners: readonly NodeListener[];
  /** Whether standard input is for the program. */
  readonly hasInput: boolean;
}

async function run(
  program: Program,
  words: readonly string[],
  { options, requests, listeners, hasInput }: Run,
): Promise<number> {
  const { copies } = options;
  const { signal } = requests;
  const makeWorld = worldFor(options, { requests, listeners, hasInput: hasInput && copies === undefined });
  if (copies === undefined) return runOne(() => program.run(traced(makeWorld(), options), words, signal));
  const runCopy = async (number: number): Promise<number> => {
    const world = makeWorld({ STACKFUL_COPY: String(number), STACKFUL_COPIES: String(copies) });
    return program.run(traced(world, options, `[${number}] `), words, signal);
  };
  const exitCode = await new Copies(copies, runCopy, { terminal: process.stderr, signal }).runAll();
  return signal.aborted ? runOne(() => Promise.reject(signal.reason)) : exitCode;
}

async function runOne(start: () => Promise<number>): Promise<number> {
  try {
    return exitStatus(await start());
  } catch (error) {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    process.stderr.write(failureText(failure));
    return failure.exitCode;
  }
}

/** What a parent process is told: eight bits. */
function exitStatus(code: number): number {
  return code & 0xff;
}

function traced(world: WasiOptions, { isTraced }: RunOptions, label?: string): WasiOptions {
  return isTraced ? { ...world, onSyscall: (event) => process.stderr.write(traceLine(event, label)) } : world;
}
