/** What `WASI` is given, and checks of it: some comes from programs without types, or that were written for `node:wasi`. */

import { describe, requireOneOf, requireOptions } from "../link/check-options.ts";
import type { OptionNames } from "../link/check-options.ts";
import type { Instance } from "../link/instance.ts";
import type { Clock } from "./host/clock.ts";
import type { Random } from "./host/random.ts";
import type { NetworkAccess } from "./network-access.ts";
import type { Preopens } from "./preopens.ts";
import type { SyscallObserver } from "./preview1/syscall-event.ts";
import type { StandardStreams } from "./stdio.ts";

/** Names and meanings are those of `node:wasi`, as far as it has them. */
export interface WasiOptions extends StandardStreams, NetworkAccess {
  /** As `node:wasi` has it. It makes no difference: programs of both versions are offered what they import. */
  readonly version?: "preview1" | "unstable" | undefined;
  /** Programs never end the process: `start()` resolves with their exit code. Here for what was written for `node:wasi`. */
  readonly returnOnExit?: true | undefined;
  /** The program's arguments; the first one is its own name. */
  readonly args?: readonly string[] | undefined;
  /** Its environment; nothing when left out. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** The directories it may use, by the names that it has for them; none when left out. */
  readonly preopens?: Preopens | undefined;
  /** What time it is for the program. */
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  /** Descriptors that may be open at once, those that it starts with included; 1024 when left out. */
  readonly maxOpenFiles?: number | undefined;
  /** Threads that the program may have at once beside its main one; 8192 when left out. */
  readonly maxThreads?: number | undefined;
  /** Is told of each call of the program when it has ended: its arguments, its error number, how long the program waited in it. */
  readonly onSyscall?: SyscallObserver | undefined;
}

const ACTION = "make WASI";

const WASI_OPTIONS: OptionNames<WasiOptions> = {
  version: true,
  args: true,
  env: true,
  preopens: true,
  stdin: true,
  stdout: true,
  stderr: true,
  returnOnExit: true,
  maxOutputBytes: true,
  maxOpenFiles: true,
  maxThreads: true,
  listeners: true,
  allowConnect: true,
  network: true,
  clock: true,
  random: true,
  onSyscall: true,
};

/**
 * What streams, preopened directories and listeners are is checked where they are opened, and limits where they are set.
 *
 * @throws {TypeError} when an option is unknown, or of the wrong type
 */
export function requireWasiOptions(options: WasiOptions): void {
  requireOptions(ACTION, options, WASI_OPTIONS);
  const { version, returnOnExit, args, env, preopens, listeners, allowConnect, onSyscall } = options;
  requireOneOf(ACTION, "version", version, ["preview1", "unstable"]);
  requireReturn(returnOnExit);
  for (const [name, list] of Object.entries({ args, listeners, allowConnect })) requireArray(name, list);
  for (const [name, record] of Object.entries({ env, preopens })) requireRecord(name, record);
  requireMethods("clock", options.clock, ["realtime", "monotonic", "wakeAfter"]);
  requireMethods("random", options.random, ["fill"]);
  requireMethods("network", options.network, ["connect"]);
  if (onSyscall !== undefined && typeof onSyscall !== "function") throw mistake("onSyscall", "a function", onSyscall);
}

function mistake(name: string, expected: string, value: unknown): TypeError {
  return new TypeError(`Cannot ${ACTION}: ${name} must be ${expected}, received ${describe(value)}`);
}

function requireReturn(value: unknown): void {
  if (value === undefined || value === true) return;
  throw new TypeError(`Cannot ${ACTION}: returnOnExit is always true: start() resolves with the exit code`);
}

function requireArray(name: string, value: unknown): void {
  if (value !== undefined && !Array.isArray(value)) throw mistake(name, "an array", value);
}

function requireRecord(name: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw mistake(name, "an object", value);
}

function requireMethods(name: string, value: unknown, methods: readonly string[]): void {
  if (value === undefined) return;
  const found = value as Readonly<Record<string, unknown>> | null;
  if (typeof found === "object" && found !== null && methods.every((method) => typeof found[method] === "function"))
    return;
  throw mistake(name, `an object with ${methods.map((method) => `${method}()`).join(", ")}`, value);
}

/** @throws {TypeError} when `value` is not what `instantiate()` of this library makes; `node:wasi` takes those of the engine */
export function requireInstance(action: string, value: unknown): asserts value is Instance<object> {
  const made = "an instance that instantiate() of stackful has made";
  const given = value as { readonly function?: unknown; readonly then?: unknown } | null | undefined;
  if (typeof given?.function === "function") return;
  const isPlain = value instanceof WebAssembly.Instance;
  const received = isPlain ? "a WebAssembly.Instance, whose calls cannot wait" : describe(value);
  const found = typeof given?.then === "function" ? "a promise: await it first" : received;
  throw new TypeError(`Cannot ${action}: expected ${made}, received ${found}`);
}
