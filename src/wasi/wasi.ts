/** A program that was compiled to WASI preview 1, and what it is given of the world. */

import { ATOMICS_MODULE } from "../atomics/waiting-functions.ts";
import { wrapAsyncWithCaller } from "../link/host-function.ts";
import { MEMORY_MAKER } from "../link/imports.ts";
import type { MakeMemory } from "../link/imports.ts";
import type { Instance } from "../link/instance.ts";
import type { CallOptions } from "../link/linked-guest.ts";
import { isUncatchable, uncatchable } from "../link/uncatchable-trap.ts";
import { WasiExit } from "./exit.ts";
import { systemClock } from "./host/clock.ts";
import { systemRandom } from "./host/random.ts";
import { openPreopens } from "./preopens.ts";
import { DescriptorTable } from "./preview1/descriptor-table.ts";
import { encodeText } from "./preview1/guest-memory.ts";
import { hostFunction } from "./preview1/syscall.ts";
import type { Program } from "./preview1/syscall.ts";
import { PREVIEW_1, UNSTABLE } from "./preview1/snapshot.ts";
import type { Snapshot } from "./preview1/snapshot.ts";
import { observed } from "./preview1/syscall-event.ts";
import type { SyscallObserver } from "./preview1/syscall-event.ts";
import { SYSCALLS } from "./preview1/syscall-table.ts";
import { networkDescriptors } from "./network-access.ts";
import { standardDescriptors } from "./stdio.ts";
import { THREADS_MODULE, Threads } from "./threads.ts";
import { requireInstance, requireWasiOptions } from "./wasi-options.ts";
import type { WasiOptions } from "./wasi-options.ts";

/** What programs import of WASI: of preview 1, of what came before it, and to start threads. */
export type WasiImports = Readonly<Record<Snapshot["module"] | "wasi", Readonly<Record<string, unknown>>>> & {
  /** What makes the memory that a program imports. */
  readonly [MEMORY_MAKER]?: MakeMemory;
};

/** The descriptor after standard input, output and errors. */
const FIRST_PREOPEN = 3;

/** Descriptors that may be open at once: what a process may have on most systems. */
const MAX_OPEN_FILES = 1024;

const MAX_THREADS = 8192;

/**
 * One running program.
 *
 * ```ts
 * import { instantiate } from "stackful";
 * import { WASI } from "stackful/wasi";
 *
 * const wasi = new WASI({ args: ["sleep", "1"] });
 * const exitCode = await wasi.start(await instantiate(bytes, wasi.imports()));
 * ```
 */
export class WASI {
  readonly #program: Program;
  readonly #imports: WasiImports;
  readonly #threads: Threads;
  #isStarted = false;

  /**
   * @throws {TypeError} when an option is unknown or of the wrong type
   * @throws {RangeError} when a limit is no number, or too small for what the program starts with
   * @throws {Error} with a `code` when a directory cannot be opened
   */
  constructor(options: WasiOptions = {}) {
    requireWasiOptions(options);
    this.#threads = new Threads(options.maxThreads ?? MAX_THREADS);
    this.#program = programOf(options);
    this.#imports = {
      wasi_snapshot_preview1: importsOf(this.#program, options.onSyscall),
      wasi_unstable: importsOf({ ...this.#program, snapshot: UNSTABLE }, options.onSyscall),
      wasi: this.#threads.imports,
      [MEMORY_MAKER]: this.#threads.makeMemory,
    };
  }

  /** What to instantiate the program with. The memory that its threads share is made, unless it is among its imports. */
  imports(): WasiImports {
    return { ...this.#imports };
  }

  /** The same, by the name that `node:wasi` has for it. */
  getImportObject(): WasiImports {
    return this.imports();
  }

  /**
   * Runs a program: its export `_start`. May be called once.
   *
   * @returns its exit code, when all that it has written has gone
   * @throws {TypeError} when the instance is none of this library's, or has no `_start`: a library, for {@link WASI.initialize}
   * @throws whatever the program has ended with, if it was not its end or `proc_exit`; the reason of `signal`, also when the program has
   *   ended and nobody takes what it has written
   */
  async start(instance: Instance<object>, options: CallOptions = {}): Promise<number> {
    requireInstance("start program", instance);
    if (!("_start" in instance.exports)) {
      throw new TypeError("Cannot start program: it exports no function _start; initialize() prepares a library");
    }
    this.#begin("start program");
    const exitCode = await this.#run(instance, options);
    const { signal } = options;
    // A trap is how one of its tasks has ended it, by proc_exit: what was written before that goes out.
    await unlessAborted(this.#closeAll(), isUncatchable(signal?.reason) ? undefined : signal);
    return exitCode;
  }

  async #run(instance: Instance<object>, options: CallOptions): Promise<number> {
    try {
      if (hasThreads(instance)) await this.#threads.run(instance, "_start", options);
      else await instance.function("_start" as never).call([] as never, options);
      return 0;
    } catch (error) {
      if (error instanceof WasiExit) return error.code;
      // Nobody may read what it has written: that is not waited for.
      void this.#closeAll();
      throw error;
    }
  }

  /**
   * Prepares a library for calls of its exports: calls `_initialize` if there is one. May be called once.
   *
   * @throws {TypeError} when the instance is none of this library's
   */
  async initialize(instance: Instance<object>, options: CallOptions = {}): Promise<void> {
    requireInstance("initialize library", instance);
    this.#begin("initialize library");
    if ("_initialize" in instance.exports) await instance.function("_initialize" as never).call([] as never, options);
  }

  /**
   * Closes all that is open, when all that was written has gone. `start` does so itself; a library does not end otherwise, nor does what is
   * never started: its directories are open from the beginning.
   *
   * @param options.signal ends the wait for streams that nobody takes anything from: they are left as they are
   * @throws the reason of `signal`, if that aborts before
   */
  async close({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    await unlessAborted(this.#closeAll(), signal);
  }

  /** {@link WASI.close}: `await using wasi = new WASI({ … })`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #begin(action: string): void {
    if (this.#isStarted) throw new TypeError(`Cannot ${action}: this WASI has started one already; make another`);
    this.#isStarted = true;
  }

  async #closeAll(): Promise<void> {
    await Promise.allSettled(this.#program.descriptors.drain().map(async (descriptor) => descriptor.close()));
  }
}

/** Or could have: a program whose only thread waits for itself is to be told so, too. */
function hasThreads({ module }: Instance<object>): boolean {
  return module.imports.some((entry) => entry.module === THREADS_MODULE || entry.module === ATOMICS_MODULE);
}

/** Rejects when `signal` aborts before `end`. */
async function unlessAborted(end: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return end;
  signal.throwIfAborted();
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener("abort", stop);
  });
  try {
    await Promise.race([end, aborted]);
  } finally {
    signal.removeEventListener("abort", stop!);
  }
}

/** Made one by one when they are asked for: no program imports all of them, and there may be ten thousand programs. */
function importsOf(program: Program, observer: SyscallObserver | undefined): Readonly<Record<string, unknown>> {
  const made: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  const find = (name: string | symbol): unknown => {
    if (typeof name === "symbol" || !Object.hasOwn(SYSCALLS, name)) return undefined;
    made[name] ??= importOf(program, name, observer);
    return made[name];
  };
  return new Proxy(made, {
    get: (_made, name) => find(name),
    has: (_made, name) => Object.hasOwn(SYSCALLS, name),
    ownKeys: () => Object.keys(SYSCALLS),
    getOwnPropertyDescriptor: (_made, name) => {
      const value = find(name);
      return value === undefined ? undefined : { value, enumerable: true, configurable: true, writable: false };
    },
    set: () => false,
    defineProperty: () => false,
    deleteProperty: () => false,
  });
}

function importOf(program: Program, name: string, observer: SyscallObserver | undefined): unknown {
  const body = SYSCALLS[name]!;
  if (observer === undefined) return wrapAsyncWithCaller(hostFunction(program, body));
  const make = (onFailure: (error: unknown) => void) => hostFunction(program, body, onFailure);
  return wrapAsyncWithCaller(observed(name, make, observer, program.snapshot));
}

function programOf(options: WasiOptions): Program {
  const { args = [], env = {}, clock = systemClock, random = systemRandom } = options;
  const network = networkDescriptors(options);
  const descriptors = new DescriptorTable(maxOpenFilesOf(options, network.length));
  for (const descriptor of standardDescriptors(options)) descriptors.add(descriptor);
  const variables = Object.entries(env).filter(([, value]) => value !== undefined);
  const program = {
    args: args.map((text) => terminated("args", text)),
    env: variables.map(([name, value]) => terminated("env", `${name}=${value}`)),
    clock,
    random,
    descriptors,
    snapshot: PREVIEW_1,
    exit: (code: number) => uncatchable(new WasiExit(code)),
  };
  // Last, when nothing can fail any more: what is open has to be closed.
  for (const descriptor of openPreopens(options.preopens ?? {})) program.descriptors.add(descriptor, FIRST_PREOPEN);
  for (const descriptor of network) program.descriptors.add(descriptor, FIRST_PREOPEN);
  return program;
}

/** @throws {RangeError} when there is no room for what is open from the beginning */
function maxOpenFilesOf({ maxOpenFiles, preopens = {} }: WasiOptions, sockets: number): number {
  const atStart = FIRST_PREOPEN + Object.keys(preopens).length + sockets;
  if (maxOpenFiles === undefined) return Math.max(MAX_OPEN_FILES, atStart);
  if (typeof maxOpenFiles === "number" && maxOpenFiles >= atStart) return maxOpenFiles;
  throw new RangeError(
    `Cannot make WASI: maxOpenFiles must be a number from ${atStart}, which are open from the beginning, received ${String(maxOpenFiles)}`,
  );
}

/** As C strings are. `node:wasi` makes text of numbers, too. */
function terminated(option: string, text: string): Uint8Array {
  const string = `${text}\0`;
  if (string.indexOf("\0") === string.length - 1) return encodeText(string);
  throw new TypeError(`Cannot make WASI: ${option} has a null character in "${text}"`);
}
