/**
 * What a script engine is to this library: a `ScriptLanguage` starts runtimes, and a `ScriptRuntime` runs scripts that call functions of
 * the host.
 *
 * A runtime knows nothing of limits and of who waits for whom: that is a `ScriptRun`, one for each evaluation and call, which it asks from
 * time to time (`tick`) and whenever a script waits (`waitFor`). What every language has to do is in test/script/, one suite over all.
 */

import type { BackendName } from "../backends/choose.ts";
import type { ScriptRun } from "./script-run.ts";

/** A language that {@link ScriptEngine} can run: what `quickjs()`, `lua()` and others give. */
export interface ScriptLanguage {
  readonly name: string;
  /** Where another thread finds it: a module, the name of a function that it exports, and its argument, which can be cloned. */
  readonly origin: ScriptLanguageOrigin;
  start(options: RuntimeOptions): Promise<ScriptRuntime>;
}

export interface ScriptLanguageOrigin {
  readonly module: string;
  readonly factory: string;
  readonly options: unknown;
}

export interface RuntimeOptions {
  readonly backend: BackendName | "auto";
  /** Bytes that values and code of scripts may take; `undefined`: what the engine can have. */
  readonly maxMemoryBytes: number | undefined;
  /** Bytes of stack for each script that runs. */
  readonly stackBytes: number;
  /** Gets what scripts print, without the end of the line. */
  readonly print: (text: string) => void;
  /** The source of a module that a script imports, or a promise of it. */
  readonly loadModule: ((name: string) => string | Promise<string>) | undefined;
  readonly functions: FunctionBridge;
}

/** How functions cross between a runtime and its host. */
export interface FunctionBridge {
  /** What the host gets for a function of a script. */
  fromScript(reference: FunctionReference): unknown;
  /** The function of a script that `value` stands for; `undefined` if it is one of the host. */
  referenceOf(value: unknown): FunctionReference | undefined;
  /** Calls a function of the host on behalf of a script. Throws, or returns a promise that rejects, what the function does. */
  callHost(callee: HostFunction, args: readonly unknown[], run: ScriptRun): unknown;
}

/** A function of the host as scripts call it: it may return a promise, and the script waits. */
export type HostFunction = (...args: never[]) => unknown;

/** A function of a script that the host has. */
export interface FunctionReference {
  readonly runtime: ScriptRuntime;
  readonly id: number;
  readonly name: string;
}

export interface SourceOptions {
  /** What stacks and messages call it. */
  readonly fileName: string;
  /** Whether it is a module: it may import others, and gives what it exports. */
  readonly isModule: boolean;
}

/**
 * One engine with its global variables. Any number of evaluations and calls may be under way, and end in any order; a runtime that cannot
 * do that has them wait for each other.
 */
export interface ScriptRuntime {
  /** Makes a function of the host a global one of scripts; `path` has the names of objects around it first. */
  define(path: readonly string[], callee: HostFunction): void;
  /**
   * Runs a script. Rejects with a {@link ScriptError} if it throws, with anything if it is stopped: what is said of that the run knows.
   */
  evaluate(source: string, options: SourceOptions, run: ScriptRun): Promise<unknown>;
  /** Calls a global function, named as `define` names them, or one that the host has. */
  call(callee: readonly string[] | FunctionReference, args: readonly unknown[], run: ScriptRun): Promise<unknown>;
  /** The host has no use for a function any more. Never throws: it is called when a function was collected. */
  release(reference: FunctionReference): void;
  /** Bytes that scripts take now. */
  memoryBytes(): number | Promise<number>;
  /** Frees everything; nothing runs any more. */
  close(): void | Promise<void>;
}
