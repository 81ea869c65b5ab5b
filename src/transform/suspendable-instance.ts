/**
 * Drives a transformed module: the host's side of abi.ts, as small as it can be. Shadow stacks, promises and coroutines
 * are the business of the layers above.
 *
 *     const transformed = transformModule(bytes);
 *     const guest = new SuspendableInstance(transformed, { env: { read: () => guest.suspend("read") } });
 *     let outcome = guest.start("main");
 *     while (!outcome.done) outcome = outcome.stack.resume(answerTo(outcome.value));
 *     outcome.values;
 */

import type { FunctionType } from "../binary/extern-types.ts";
import { functionType, importedFunctions } from "../binary/module.ts";
import { F32, F64, I32, I64, isDefaultable } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import { ABI, resultsExport, resumeExport } from "./abi.ts";
import { CompiledModules } from "./compiled-modules.ts";
import { FIRST_MODULE } from "./first-module.ts";
import { RAISE } from "./resume-module.ts";
import { unwindsByException } from "./site-writer.ts";
import type { TransformedModule } from "./transform-module.ts";

/** What a run of the guest came to: its end, or a suspension with the value given to {@link SuspendableInstance.suspend}. */
export type Outcome =
  | { readonly done: true; readonly values: readonly unknown[] }
  | { readonly done: false; readonly value: unknown; readonly stack: SuspendedStack };

/** The frames of one suspended stack need more bytes than they may have. The stack is gone; others are not touched. */
export class AreaExhaustedError extends RangeError {
  override readonly name = "AreaExhaustedError";
  readonly needed: number;
  readonly limit: number;

  constructor(needed: number, limit: number) {
    super(`Cannot suspend: the frames of this stack need ${needed} bytes, the limit is ${limit}`);
    this.needed = needed;
    this.limit = limit;
  }
}

export interface InstanceOptions {
  /** Bytes that the frames of one stack may take; rounded down to a power of two. */
  readonly maximumStackBytes?: number;
}

/** What TypeScript does not know of the JavaScript interface. */
interface ExceptionInterface {
  readonly Exception: new (tag: object, payload: readonly unknown[]) => { is(tag: object): boolean };
}
const Exceptions = WebAssembly as unknown as ExceptionInterface;

type HostFunction = (...parameters: readonly unknown[]) => unknown;
/** Exports of the ABI that give the address of an area. */
type Step = (...parameters: readonly unknown[]) => number;

/** What a host function returns to suspend. */
const SUSPENSION: unique symbol = Symbol("suspension");

const NOTHING_CATCHES = -1;
const DEFAULT_MAXIMUM_STACK_BYTES = 2 ** 24;

export class SuspendableInstance {
  readonly instance: WebAssembly.Instance;
  /** Those of the instance, and of its runtime. */
  readonly exports: WebAssembly.Exports;
  readonly #transformed: TransformedModule;
  readonly #modules: CompiledModules;
  readonly #exports: Record<string, Step>;
  /** Function types of the exports. */
  readonly #types = new Map<string, FunctionType>();
  /** Whether the innermost activation may suspend; empty outside of the guest. */
  readonly #activations: boolean[] = [];
  readonly #unwindTag: object | undefined;
  #isResumable = false;
  #value: unknown;
  #thrown: unknown;
  /** Continues the stack that is being suspended. */
  #resumeWith: Step | undefined;

  constructor(transformed: TransformedModule, imports: WebAssembly.Imports, options: InstanceOptions = {}) {
    this.#transformed = transformed;
    this.#modules = CompiledModules.now(transformed);
    this.instance = new WebAssembly.Instance(this.#modules.main, this.#wrapImports(imports));
    this.exports = { ...this.instance.exports, ...this.#instantiateRuntime() };
    this.#exports = this.exports as Record<string, Step>;
    for (const { name, kind, index } of transformed.module.exports) {
      if (kind === "function") this.#types.set(name, functionType(transformed.module, index));
    }
    this.#unwindTag = this.instance.exports[ABI.unwind];
    this.#types.set(ABI.start, { params: [], results: [] });
    this.#global(ABI.maximum).value = options.maximumStackBytes ?? DEFAULT_MAXIMUM_STACK_BYTES;
  }

  /** Whether the module has a start function that was left to the caller; `start(ABI.start)` runs it. */
  get hasStart(): boolean {
    return ABI.start in this.#exports;
  }

  /** Suspends the running stack: what a host function returns that is called by {@link start} or a resumed stack. */
  suspend(value?: unknown): unknown {
    this.#value = value;
    return SUSPENSION;
  }

  /** Calls an export on a stack of its own. */
  start(name: string, ...parameters: readonly unknown[]): Outcome {
    return this.#enter(name, parameters, true);
  }

  /** Calls an export that must not suspend. */
  call(name: string, ...parameters: readonly unknown[]): readonly unknown[] {
    const outcome = this.#enter(name, parameters, false);
    return outcome.done ? outcome.values : [];
  }

  #enter(name: string, parameters: readonly unknown[], maySuspend: boolean): Outcome {
    const type = this.#types.get(name);
    if (!type) throw new TypeError(`Cannot call export ${name}: the module has no such function`);
    this.#exports[ABI.begin]!();
    this.#activations.push(maySuspend);
    let values: unknown;
    let area: number;
    try {
      values = this.#exports[name]!(...parameters);
    } catch (error) {
      this.#checkExhausted();
      if (!this.#isUnwinding(error)) throw error;
    } finally {
      this.#activations.pop();
      area = this.#exports[ABI.leave]!();
    }
    if (area !== 0) return this.#suspended(new SuspendedStack(this, type.results), area);
    return { done: true, values: asList(values, type.results) };
  }

  #suspended(stack: SuspendedStack, area: number): Outcome {
    stack.area = area;
    stack.resumeWith = this.#resumeWith;
    return { done: false, value: this.#value, stack };
  }

  /** For {@link SuspendedStack}: goes on with `step`, delivering what is thrown to the frames further out. */
  proceed(stack: SuspendedStack, step: Step, parameters: readonly unknown[]): Outcome {
    this.#loadResumeCopies();
    let area: number;
    this.#activations.push(true);
    try {
      area = this.#stepUntilCaught(step, parameters);
    } finally {
      this.#activations.pop();
    }
    if (area !== 0) return this.#suspended(stack, area);
    const values = this.#exports[resultsExport(stack.results)]!();
    return { done: true, values: asList(values, stack.results) };
  }

  /** For {@link SuspendedStack}. */
  proceedThrowing(stack: SuspendedStack, error: unknown): Outcome {
    this.#thrown = error;
    return this.proceed(stack, this.#exports[ABI.resumeThrow]!, [stack.area]);
  }

  /** For {@link SuspendedStack}. */
  drop(area: number): void {
    this.#exports[ABI.drop]!(area);
  }

  #stepUntilCaught(first: Step, firstParameters: readonly unknown[]): number {
    let step = first;
    let parameters = firstParameters;
    for (;;) {
      try {
        const area = step(...parameters);
        if (area !== NOTHING_CATCHES) return area;
      } catch (error) {
        this.#leaveIfExhausted();
        if (this.#isUnwinding(error)) return this.#exports[ABI.leave]!();
        this.#thrown = error;
        step = this.#exports[ABI.continueThrow]!;
        parameters = [];
        continue;
      }
      throw this.#thrown;
    }
  }

  /** Whether it is the exception by which functions suspend that cannot return zeros. */
  #isUnwinding(error: unknown): boolean {
    return this.#unwindTag !== undefined && error instanceof Exceptions.Exception && error.is(this.#unwindTag);
  }

  #leaveIfExhausted(): void {
    try {
      this.#checkExhausted();
    } catch (error) {
      this.#exports[ABI.leave]!();
      throw error;
    }
  }

  #checkExhausted(): void {
    const needed = this.#global(ABI.needed);
    if (needed.value === 0) return;
    const error = new AreaExhaustedError(needed.value, this.#global(ABI.maximum).value);
    needed.value = 0;
    throw error;
  }

  #global(name: string): WebAssembly.Global<"i32"> {
    return this.instance.exports[name] as WebAssembly.Global<"i32">;
  }

  #loadResumeCopies(): void {
    if (this.#isResumable) return;
    this.#isResumable = true;
    const raise = (): never => {
      throw this.#thrown;
    };
    const imports = { [FIRST_MODULE]: { ...this.instance.exports, [RAISE]: raise } };
    void new WebAssembly.Instance(this.#modules.resume, imports);
  }

  #instantiateRuntime(): WebAssembly.Exports {
    const { runtime } = this.#modules;
    const imports = { [FIRST_MODULE]: this.instance.exports };
    return runtime ? new WebAssembly.Instance(runtime, imports).exports : {};
  }

  #wrapImports(imports: WebAssembly.Imports): WebAssembly.Imports {
    const { module, calls } = this.#transformed;
    const wrapped: Record<string, Record<string, WebAssembly.ImportValue>> = {};
    for (const name of Object.keys(imports)) wrapped[name] = { ...imports[name] };
    for (const entry of importedFunctions(module)) {
      const host = imports[entry.module]?.[entry.name];
      if (calls.functions[entry.index] === 0 || typeof host !== "function") continue;
      wrapped[entry.module]![entry.name] = this.#wrapImport(host as HostFunction, entry.type, entry);
    }
    return wrapped;
  }

  #wrapImport(host: HostFunction, { results }: FunctionType, entry: { module: string; name: string }): HostFunction {
    const zeros = results.map(zeroFor);
    const zero = zeros.length > 1 ? zeros : zeros[0];
    const resumeName = resumeExport(results);
    const byException = unwindsByException(results);
    return (...parameters) => {
      const result = host(...parameters);
      if (result !== SUSPENSION) return result;
      if (this.#activations.at(-1) !== true) {
        throw new Error(`Cannot suspend in ${entry.module}.${entry.name}: the guest was not entered by start()`);
      }
      this.#resumeWith = this.#exports[resumeName];
      this.#exports[ABI.suspend]!();
      if (byException) throw new Exceptions.Exception(this.#unwindTag!, []);
      return zero;
    };
  }
}

/** The stack of a call that is suspended. It can be continued once; the next suspension makes it usable again. */
export class SuspendedStack {
  readonly results: readonly ValueType[];
  /** Address of its area; 0 when it is not suspended. */
  area = 0;
  resumeWith: Step | undefined;
  readonly #owner: SuspendableInstance;

  constructor(owner: SuspendableInstance, results: readonly ValueType[]) {
    this.#owner = owner;
    this.results = results;
  }

  /** The call of the import that suspended returns these values. */
  resume(...values: readonly unknown[]): Outcome {
    return this.#owner.proceed(this, this.resumeWith!, [this.#takeArea(), ...values]);
  }

  /** The call of the import that suspended throws `error`. */
  throw(error: unknown): Outcome {
    const area = this.#takeArea();
    this.area = area;
    return this.#owner.proceedThrowing(this, error);
  }

  /** Forgets the stack; none of its handlers run. */
  drop(): void {
    this.#owner.drop(this.#takeArea());
  }

  #takeArea(): number {
    const { area } = this;
    if (area === 0) throw new Error("Cannot continue the stack: it is not suspended");
    this.area = 0;
    return area;
  }
}

function asList(values: unknown, results: readonly ValueType[]): readonly unknown[] {
  if (results.length === 0) return [];
  return results.length === 1 ? [values] : (values as readonly unknown[]);
}

/** A value that converts to the type; nobody looks at it. */
function zeroFor(type: ValueType): unknown {
  if (type === I64) return 0n;
  if (type === I32 || type === F32 || type === F64) return 0;
  return isDefaultable(type) ? null : 0;
}
