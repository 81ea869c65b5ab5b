/** A script engine as users see it. */

import { CurrentCall } from "../blocking/current-call.ts";
import type { BackendName } from "../backends/choose.ts";
import { requireOneOf, requireOptions } from "../link/check-options.ts";
import type { OptionNames } from "../link/check-options.ts";
import type { FunctionBridge, HostFunction, ScriptLanguage, ScriptRuntime, SourceOptions } from "./language.ts";
import { ThreadRuntime } from "./thread/thread-runtime.ts";
import { requireCount, requireLanguage, requirePath, requireRunOptions } from "./requirements.ts";
import { ScriptStoppedError } from "./script-errors.ts";
import { referenceOf, scriptFunction } from "./script-function.ts";
import type { ScriptFunction } from "./script-function.ts";
import { ScriptRun } from "./script-run.ts";
import type { RunLimits, RunOptions } from "./script-run.ts";

/** Options of an engine; those of {@link RunLimits} are for each evaluation and call that brings none of its own. */
export interface ScriptEngineOptions extends RunLimits {
  /** What suspends scripts; the first that this runtime has when left out. */
  readonly backend?: BackendName | "auto" | undefined;
  /**
   * Whether scripts run on a thread of their own: what they compute does not keep this one from going on, and functions that they call
   * take some 50 microseconds longer. `false` when left out.
   */
  readonly thread?: boolean | undefined;
  /** Bytes that the values of scripts may take; as many as the engine can have when left out. */
  readonly maxMemoryBytes?: number | undefined;
  /** Bytes of stack that each script has, which limit how deep its calls nest; 192 KiB when left out. */
  readonly stackBytes?: number | undefined;
  /** Gets each line that scripts print; `console.log` when left out. */
  readonly print?: ((text: string) => void) | undefined;
  /**
   * The source of a module that a script imports, or a promise of it. Without it nothing can be imported. A name that begins with `./` or
   * `../` is made relative to that of the importing module before.
   */
  readonly loadModule?: ((name: string) => string | Promise<string>) | undefined;
}

export interface EvalOptions extends RunOptions {
  /** What stacks and messages call the script; `"script"` when left out. */
  readonly fileName?: string | undefined;
  /** Runs it as a module: it may import others, and the result has what it exports. Not every language has them. */
  readonly module?: boolean | undefined;
}

const RUN_OPTIONS: OptionNames<RunOptions> = {
  maxOperations: true,
  timeoutMs: true,
  onProgress: true,
  signal: true,
};
const EVAL_OPTIONS: OptionNames<EvalOptions> = { ...RUN_OPTIONS, fileName: true, module: true };
const ENGINE_OPTIONS: OptionNames<ScriptEngineOptions> = {
  backend: true,
  thread: true,
  maxMemoryBytes: true,
  stackBytes: true,
  print: true,
  loadModule: true,
  maxOperations: true,
  timeoutMs: true,
  onProgress: true,
};

/** Less than what native stacks allow, which are about 1 MB: test/script/quickjs.test.ts has the deepest calls that are known. */
const DEFAULT_STACK_BYTES = 192 * 1024;

type Callee = Parameters<ScriptRuntime["call"]>[0];

/** How deep scripts and functions of the host may call each other. */
const MAX_DEPTH = 1000;
/** How many of these calls may lie above each other on the native stack, which has room for about a hundred. */
const NATIVE_DEPTH = 16;

/** For whom a host function is running. */
const current = new CurrentCall<ScriptRun>();

/**
 * Aborts when the script that has called this host function is stopped: pass it on to what the function waits for. To be asked before the
 * first `await`, or at any time where the platform has an asynchronous context (Node, Deno, Bun).
 *
 * @throws {TypeError} when no script has called
 */
export function scriptSignal(): AbortSignal {
  const run = current.get();
  if (run === undefined) throw new TypeError("Cannot get signal of script: no script has called this function");
  return run.signal;
}

/**
 * Runs scripts of one language, which share their global variables. Functions that are registered may be asynchronous: to a script they are
 * plain functions, and only the script that calls one waits for it.
 *
 * ```ts
 * import { ScriptEngine } from "stackful/script";
 * import { quickjs } from "stackful/script/quickjs";
 *
 * await using engine = await ScriptEngine.create(quickjs());
 * engine.register("fetchJson", async (url: string) => (await fetch(url)).json());
 * await engine.eval(`fetchJson("https://example.org/a.json").title`);
 * ```
 *
 * Any number of evaluations and calls may be under way, and each ends when it is done, also before one that began earlier.
 */
export class ScriptEngine {
  /** The language that it runs. */
  readonly language: string;
  readonly #runtime: ScriptRuntime;
  readonly #limits: RunLimits;
  readonly #runs = new Set<Promise<unknown>>();
  readonly #live = new Set<ScriptRun>();
  #closing: Promise<void> | undefined;

  private constructor(language: string, runtime: ScriptRuntime, limits: RunLimits) {
    this.language = language;
    this.#runtime = runtime;
    this.#limits = limits;
  }

  /**
   * Starts an engine.
   *
   * @throws {TypeError} when an option is unknown, or is not what it can be
   * @throws {Error} when the package with the engine is not installed
   */
  static async create(language: ScriptLanguage, options: ScriptEngineOptions = {}): Promise<ScriptEngine> {
    requireLanguage(language);
    requireOptions("create script engine", options, ENGINE_OPTIONS);
    requireRunOptions("create script engine", options);
    requireOneOf("create script engine", "thread", options.thread, [true, false]);
    const { backend = "auto", thread = false, maxMemoryBytes, stackBytes = DEFAULT_STACK_BYTES, loadModule } = options;
    requireCount("create script engine", "maxMemoryBytes", maxMemoryBytes);
    requireCount("create script engine", "stackBytes", stackBytes);
    // What a program prints goes where programs print to.
    // oxlint-disable-next-line no-console
    const print = options.print ?? ((text: string): void => console.log(text));
    const { maxOperations, timeoutMs, onProgress } = options;
    const limits = { maxOperations, timeoutMs, onProgress };
    // While it starts there is no function of its scripts yet.
    const started: { runtime?: ScriptRuntime } = {};
    const functions: FunctionBridge = {
      fromScript: (reference) => scriptFunction(reference, (args) => engine.#call(reference, args, {})),
      // One of another engine is a function of the host like any other.
      referenceOf: (value) => (referenceOf(value)?.runtime === started.runtime ? referenceOf(value) : undefined),
      callHost,
    };
    const runtimeOptions = { backend, maxMemoryBytes, stackBytes, print, loadModule, functions };
    const runtime = await (thread ? ThreadRuntime.start(language, runtimeOptions) : language.start(runtimeOptions));
    started.runtime = runtime;
    const engine = new ScriptEngine(language.name, runtime, limits);
    return engine;
  }

  /** Bytes that scripts take now. */
  async memoryBytes(): Promise<number> {
    this.#requireOpen("measure memory");
    return this.#runtime.memoryBytes();
  }

  /**
   * Makes a function of the host a global one of scripts. `"fs.read"` makes it `read` of the object `fs`. What it throws, or rejects with,
   * is an exception in the script.
   *
   * @throws {Error} when scripts keep it from being defined, as one that freezes its global object; with an engine on a thread the next
   *   evaluation or call rejects with that
   */
  register(name: string, callee: HostFunction): this {
    this.#requireOpen("register function");
    const path = requirePath("register function", name);
    if (typeof callee !== "function") {
      throw new TypeError(`Cannot register "${name}": expected a function, received ${typeof callee}`);
    }
    this.#runtime.define(path, callee);
    return this;
  }

  /**
   * Runs a script. Fulfils with the value of its last expression, or what it returns, as the language has it; a promise of the
   * script is waited for. What it is only the script knows: say it, or look at it.
   *
   * ```ts
   * await engine.eval<number>("6 * 7");
   * ```
   *
   * @throws {ScriptError} when the script throws
   * @throws {ScriptStoppedError} when it is stopped, and what else stops it: a `TimeoutError`, the reason of a signal
   */
  async eval<Value = unknown>(source: string, options: EvalOptions = {}): Promise<Value> {
    if (typeof source !== "string")
      throw new TypeError(`Cannot evaluate script: expected its text, received ${typeof source}`);
    requireOptions("evaluate script", options, EVAL_OPTIONS);
    const { fileName = "script", module = false, ...runOptions } = options;
    const sourceOptions: SourceOptions = { fileName, isModule: module };
    const value = this.#run("evaluate script", runOptions, (run) => this.#runtime.evaluate(source, sourceOptions, run));
    return value as Promise<Value>; // whoever calls says so
  }

  /**
   * Calls a function of a script: a global one by its name, or one that the host was given.
   *
   * @throws {ScriptError} when the function throws, or is none
   * @throws {ScriptStoppedError} when it is stopped, and what else stops it: a `TimeoutError`, the reason of a signal
   */
  call<Value = unknown>(callee: string | ScriptFunction, ...args: readonly unknown[]): Promise<Value> {
    return this.apply(callee, args);
  }

  /** {@link ScriptEngine.call} with options. */
  async apply<Value = unknown>(
    callee: string | ScriptFunction,
    args: readonly unknown[] = [],
    options: RunOptions = {},
  ): Promise<Value> {
    requireOptions("call script", options, RUN_OPTIONS);
    return this.#call(this.#target(callee), args, options) as Promise<Value>; // whoever calls says so
  }

  #call(callee: Callee, args: readonly unknown[], options: RunOptions): Promise<unknown> {
    return this.#run("call script", options, (run) => this.#runtime.call(callee, args, run));
  }

  /** Stops all scripts and frees the engine. Functions of scripts cannot be called any more. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    for (const run of this.#live) run.stop(new ScriptStoppedError("closed", "Script engine was closed"));
    await Promise.allSettled(this.#runs);
    await this.#runtime.close();
  }

  #target(callee: string | ScriptFunction): Callee {
    if (typeof callee === "string") return requirePath("call script", callee);
    const reference = referenceOf(callee);
    if (reference === undefined) throw new TypeError("Cannot call script: expected a name, or a function of a script");
    if (reference.runtime !== this.#runtime) {
      throw new TypeError(`Cannot call "${reference.name}": it is a function of another engine`);
    }
    return reference;
  }

  async #run(action: string, options: RunOptions, body: (run: ScriptRun) => Promise<unknown>): Promise<unknown> {
    this.#requireOpen(action);
    requireRunOptions(action, options);
    const parent = current.get();
    if (parent !== undefined && parent.depth >= MAX_DEPTH) {
      throw new RangeError(`Cannot ${action}: scripts and functions of the host call each other ${MAX_DEPTH} deep`);
    }
    const run = new ScriptRun({ ...this.#limits, ...withoutUndefined(options) }, parent);
    this.#live.add(run);
    const done = this.#settle(run, body);
    this.#runs.add(done);
    try {
      return await done;
    } finally {
      this.#runs.delete(done);
      this.#live.delete(run);
    }
  }

  async #settle(run: ScriptRun, body: (run: ScriptRun) => Promise<unknown>): Promise<unknown> {
    try {
      // Whoever waits for it leaves the native stack meanwhile.
      if (run.depth % NATIVE_DEPTH === 0) await Promise.resolve();
      if (run.isStopped) throw run.reason;
      const value = await body(run);
      if (run.isStopped) throw run.reason;
      return value;
    } catch (error) {
      throw run.isStopped ? run.reason : error;
    } finally {
      run.end();
    }
  }

  #requireOpen(action: string): void {
    if (this.#closing !== undefined) throw new TypeError(`Cannot ${action}: the engine is closed`);
  }
}

function callHost(callee: HostFunction, args: readonly unknown[], run: ScriptRun): unknown {
  // Its parameters are what scripts pass: only whoever registered it can say what that is.
  const call = callee as (...args: readonly unknown[]) => unknown;
  return current.run(run, () => call(...args));
}

function withoutUndefined<Options extends object>(options: Options): Partial<Options> {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Partial<Options>;
}
