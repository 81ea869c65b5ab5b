/**
 * QuickJS as a `ScriptRuntime`: one runtime with one context, in an instance of its own.
 *
 * An evaluation has ended when its value is there and the jobs of its promises have been done. What may run code of scripts enters through
 * `engine.enter`, as an activation that can wait; plain calls are for what runs none.
 */

import type { FunctionReference, HostFunction, RuntimeOptions, ScriptRuntime, SourceOptions } from "../language.ts";
import { ScriptError } from "../script-errors.ts";
import { STOPPED } from "../script-run.ts";
import type { ScriptRun } from "../script-run.ts";
import { encodeWire } from "../wire.ts";
import { lookForGarbage } from "./counted-memory.ts";
import { QuickJSEngine } from "./quickjs-engine.ts";
import { QuickJSHostCalls } from "./quickjs-host-calls.ts";
import { QuickJSInstance } from "./quickjs-instance.ts";
import { quickJSPackage } from "./quickjs-package.ts";
import type { QuickJSOptions } from "./quickjs-package.ts";
import { HostReferences } from "../host-references.ts";
import { NOT_SIMPLE } from "./quickjs-values.ts";

const MODULE_FLAG = 1;
/** As many as there are. */
const ALL_JOBS = -1;

/** A promise of a script that the host waits for. */
interface Ticket {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export class QuickJSRuntime implements ScriptRuntime {
  readonly #engine: QuickJSEngine;
  readonly #tickets = new Map<number, Ticket>();

  private constructor(
    instance: QuickJSInstance,
    calls: QuickJSHostCalls,
    references: HostReferences,
    options: RuntimeOptions,
  ) {
    this.#engine = new QuickJSEngine(instance, references, {
      ...options,
      fromScript: (id, name) => options.functions.fromScript({ runtime: this, id, name }),
      settled: (_, args) => this.#settled(args),
    });
    calls.attach(this.#engine);
    const { functions, runtime } = instance;
    functions.QTS_RuntimeEnableInterruptHandler(runtime);
    functions.QTS_RuntimeEnableModuleLoader(runtime, 1);
    const { maxMemoryBytes } = options;
    if (maxMemoryBytes !== undefined) instance.limit.start(maxMemoryBytes, functions);
    const { gcThreshold } = this.#engine;
    if (gcThreshold !== undefined) lookForGarbage(instance, gcThreshold, maxMemoryBytes);
    for (const path of PRINTERS)
      this.define(path, (...values: unknown[]) => options.print(values.map(describe).join(" ")));
  }

  static async start(source: QuickJSOptions, options: RuntimeOptions): Promise<QuickJSRuntime> {
    const references = new HostReferences();
    const calls = new QuickJSHostCalls(options, references);
    const instance = await QuickJSInstance.start(await quickJSPackage(source), options, calls);
    return new QuickJSRuntime(instance, calls, references, options);
  }

  define(path: readonly string[], callee: HostFunction): void {
    const { values, references } = this.#engine;
    const args = [values.make(references.keep({ callee }))!, ...path.map((part) => values.makeString(part))];
    this.#checkPlain(this.#engine.plainCall("register", args), `define ${path.join(".")}`);
  }

  async evaluate(source: string, { fileName, isModule }: SourceOptions, run: ScriptRun): Promise<unknown> {
    const { instance } = this.#engine;
    const text = instance.memory.copyText(source);
    const name = instance.memory.copyText(fileName);
    let value: number;
    try {
      const args = [instance.context, text.address, text.bytes, name.address, 0, isModule ? MODULE_FLAG : 0];
      value = await this.#engine.enter("QTS_Eval", args, run);
    } finally {
      instance.functions.free(text.address);
      instance.functions.free(name.address);
    }
    const { values } = this.#engine;
    const simple = values.isException(value) ? NOT_SIMPLE : values.read(value);
    if (simple === NOT_SIMPLE) {
      const isThrown = values.isException(value);
      return this.#finish(isThrown ? value : await this.#engine.preludeCall("finish", [value], run), run);
    }
    values.free(value);
    await this.#runJobs(run);
    return simple;
  }

  async call(
    callee: readonly string[] | FunctionReference,
    args: readonly unknown[],
    run: ScriptRun,
  ): Promise<unknown> {
    const { values, target } = this.#engine;
    const wire = encodeWire(args, target);
    const name = "id" in callee ? values.make(callee.id)! : values.makeString(callee.join("."));
    const finished = await this.#engine.preludeCall("invoke", [name, ...values.makeWire(wire)], run);
    return this.#finish(finished, run);
  }

  release({ id }: FunctionReference): void {
    if (this.#engine.broken !== undefined) return;
    const { values } = this.#engine;
    try {
      const released = this.#engine.plainCall("release", [values.make(id)!]);
      values.free(values.isException(released) ? this.#engine.takeThrown(released) : released);
    } catch {
      // Nobody could be told: a function of the host was collected. Where there is no memory the script keeps its own a little longer.
    }
  }

  memoryBytes(): number {
    const { instance, values } = this.#engine;
    const usage = instance.functions.QTS_RuntimeComputeMemoryUsage(instance.runtime, instance.context);
    const wire = this.#engine.plainCall("encode", [usage]);
    if (values.isException(wire)) return 0;
    return (this.#engine.takeWire(wire) as { readonly memory_used_size: number }).memory_used_size;
  }

  /** The instance goes with whoever has it: freeing value by value what it holds would take longer, and change nothing. */
  close(): void {
    this.#engine.broken = new TypeError("The engine was closed");
    for (const ticket of this.#tickets.values()) ticket.reject(this.#engine.broken);
    this.#tickets.clear();
  }

  /** Takes what the prelude's `finish` has made, or an exception. */
  async #finish(finished: number, run: ScriptRun): Promise<unknown> {
    const { values } = this.#engine;
    if (values.isException(finished)) return this.#fail(finished, run);
    const ticket = values.read(finished);
    if (typeof ticket === "number") {
      values.free(finished);
      return this.#redeem(ticket, run);
    }
    const result = this.#engine.takeWire(finished);
    await this.#runJobs(run);
    return result;
  }

  async #redeem(ticket: number, run: ScriptRun): Promise<unknown> {
    const promise = new Promise<unknown>((resolve, reject) => this.#tickets.set(ticket, { resolve, reject }));
    // It may reject while other jobs wait, before anybody looks at it.
    promise.catch(() => {});
    try {
      await this.#runJobs(run);
      const value = await run.waitFor(promise);
      if (value === STOPPED) throw run.reason;
      return value;
    } finally {
      this.#tickets.delete(ticket);
    }
  }

  /** A promise of a script has settled: (ticket, whether it was fulfilled, wire). */
  #settled(args: number): number {
    const { values } = this.#engine;
    const ticket = this.#tickets.get(Number(values.read(args)));
    const isFulfilled = values.read(values.argument(args, 1)) === true;
    try {
      const value = this.#engine.readWire(values.argument(args, 2));
      if (isFulfilled) ticket?.resolve(value);
      else ticket?.reject(thrownError(value));
    } catch (error) {
      ticket?.reject(error);
    }
    return 0;
  }

  /** The engine keeps what reacts to promises as jobs until somebody has them done. */
  async #runJobs(run: ScriptRun): Promise<void> {
    const { instance, values } = this.#engine;
    const { functions, runtime } = instance;
    const context = instance.memory.allocate(4);
    try {
      while (!run.isStopped && this.#engine.broken === undefined && functions.QTS_IsJobPending(runtime) !== 0) {
        const result = await this.#engine.enter("QTS_ExecutePendingJob", [runtime, ALL_JOBS, context], run);
        values.free(values.isException(result) ? this.#engine.takeThrown(result) : result);
      }
    } finally {
      functions.free(context);
    }
  }

  /** The script has thrown: rejects with that. */
  async #fail(exception: number, run: ScriptRun): Promise<never> {
    const { instance, values } = this.#engine;
    const error = this.#engine.takeThrown(exception);
    const wasFull = instance.limit.takeRefusal();
    if (run.isStopped) {
      values.free(error);
      throw run.reason;
    }
    // What the engine throws where it has no memory left for an error.
    const isNull = values.read(error) === null;
    const wire = await this.#engine.preludeCall("encode", [error], run);
    if (run.isStopped) throw run.reason;
    if (isNull && wasFull) throw outOfMemory();
    if (!values.isException(wire)) throw thrownError(this.#engine.takeWire(wire));
    values.free(this.#engine.takeThrown(wire));
    if (instance.limit.takeRefusal()) throw outOfMemory();
    throw new ScriptError("The script has thrown something that the host cannot be given");
  }

  /** Frees the result of a plain call. */
  #checkPlain(value: number, action: string): void {
    const { values } = this.#engine;
    const isFailed = values.isException(value);
    values.free(isFailed ? this.#engine.takeThrown(value) : value);
    if (isFailed) throw new Error(`Cannot ${action}: the script has no memory left, or keeps it from being done`);
  }
}

/** What scripts print with. */
const PRINTERS = [["print"], ...["log", "info", "warn", "error", "debug"].map((name) => ["console", name])];

/** As the engine itself calls it. */
function outOfMemory(): ScriptError {
  return new ScriptError("out of memory", { scriptName: "InternalError" });
}

function thrownError(value: unknown): ScriptError {
  if (value instanceof ScriptError) return value;
  return new ScriptError(describe(value), { scriptName: typeof value, value });
}

function describe(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof ScriptError) return `${value.scriptName}: ${value.message}`;
  if (typeof value === "object" && value !== null) {
    try {
      return JSON.stringify(value);
    } catch {
      return "an object";
    }
  }
  return typeof value === "function" ? `function ${value.name}` : String(value);
}
