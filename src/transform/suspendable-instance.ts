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

import { functionType, importedFunctions } from "../binary/module.ts";
import { ModuleNames } from "../binary/names.ts";
import { F32, F64, I32, I64, isDefaultable } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import { ABI, resumeExport } from "./abi.ts";
import { AreaMemory } from "./area-memory.ts";
import { Callee } from "./callee.ts";
import { CompiledModules } from "./compiled-modules.ts";
import { FIRST_MODULE } from "./first-module.ts";
import { MEMORIES, importedMemories } from "./imported-memories.ts";
import { ResumeCopies } from "./resume-copies.ts";
import { AreaExhaustedError, ExcludedFunctionError } from "./run-errors.ts";
import { unwindsByException } from "./site-writer.ts";
import { addHostFunctions, forgetThrown, recordThrown, recordingImports } from "./thrown-values.ts";
import { framesInArea } from "./saved-frames.ts";
import { SuspendedStack } from "./suspended-stack.ts";
import type { Outcome, Step } from "./suspended-stack.ts";
import type { TransformedModule } from "./transformed-module.ts";
import { Suspending, importedValues, wrapsSuspending } from "./wrap-import.ts";
import type { HostFunction, WrapImport } from "./wrap-import.ts";

export interface InstanceOptions {
  /** Bytes that the frames of one stack may take; rounded down to a power of two. */
  readonly maximumStackBytes?: number;
  /** Makes what is imported of a host function that may suspend; left out: one that suspends with {@link SuspendableInstance.suspend}. */
  readonly wrapImport?: WrapImport;
}

/** What TypeScript does not know of the JavaScript interface. */
interface ExceptionInterface {
  readonly Exception: new (tag: object, payload: readonly unknown[]) => { is(tag: object): boolean };
}
const Exceptions = WebAssembly as unknown as ExceptionInterface;

/** An import that may suspend. */
interface SuspendableImport {
  readonly name: string;
  readonly results: readonly ValueType[];
  /** What the host function returns to the guest, whose frames are being saved then. */
  readonly zero: unknown;
  /** Whether it throws to the guest instead. */
  readonly isThrowing: boolean;
  /** Continues a stack that was suspended in it; known when the module is instantiated. */
  step: Step | undefined;
}

const NOTHING_CATCHES = -1;
const DEFAULT_MAXIMUM_STACK_BYTES = 2 ** 24;

export class SuspendableInstance {
  readonly instance: WebAssembly.Instance;
  /** Those of the instance, and of its runtime. */
  readonly exports: WebAssembly.Exports;
  readonly #transformed: TransformedModule;
  readonly #modules: CompiledModules;
  readonly #exports: Record<string, Step>;
  // Those that every suspension needs, so that none has to be looked up by its name.
  readonly #begin: Step;
  readonly #leave: Step;
  readonly #suspend: Step;
  /** The exported functions. */
  readonly #callees = new Map<string, Callee>();
  readonly #unwindTag: object | undefined;
  readonly #suspending = new Suspending();
  /** Whether the innermost activation may suspend; false outside of the guest. */
  #maySuspend = false;
  #isResumable = false;
  #value: unknown;
  #thrown: unknown;
  /** How often a stack was continued, as far as it has begun; the global of the same name follows when it is entered. */
  #resumptions = 0;
  /** Whether that may be wrong, since an error has not been looked at: the native stack had no room for it. */
  #isUncounted = false;
  /** Continues the stack that is being suspended. */
  #resumeWith: Step | undefined;

  constructor(transformed: TransformedModule, imports: WebAssembly.Imports, options: InstanceOptions = {}) {
    this.#transformed = transformed;
    this.#modules = CompiledModules.now(transformed);
    const suspendable: SuspendableImport[] = [];
    const wrapped = this.#wrapImports(imports, suspendable, options.wrapImport);
    const areas = AreaMemory.withRoom();
    const memories = { [MEMORIES]: importedMemories(transformed, areas.memory) };
    this.instance = new WebAssembly.Instance(this.#modules.main, { ...wrapped, ...memories });
    this.exports = this.#instantiateRuntime(memories);
    // All that the areas are used for is done by methods of this object, and the guest's imports keep it.
    this.#global(ABI.record).value = areas.admit(this);
    this.#exports = this.exports as Record<string, Step>;
    addHostFunctions(this.instance.exports[ABI.hostFunctions] as WebAssembly.Table | undefined);
    this.#begin = this.#exports[ABI.begin]!;
    this.#leave = this.#exports[ABI.leave]!;
    this.#suspend = this.#exports[ABI.suspend]!;
    for (const entry of suspendable) entry.step = this.#exports[resumeExport(entry.results)];
    for (const { name, kind, index } of transformed.module.exports) {
      if (kind === "function") this.#addCallee(name, functionType(transformed.module, index).results);
    }
    this.#unwindTag = this.instance.exports[ABI.unwind];
    if (this.hasStart) this.#addCallee(ABI.start, []);
    this.#global(ABI.maximum).value = options.maximumStackBytes ?? DEFAULT_MAXIMUM_STACK_BYTES;
  }

  /** Whether the module has a start function that was left to the caller; `start(ABI.start)` runs it. */
  get hasStart(): boolean {
    return ABI.start in this.#exports;
  }

  /** Suspends the running stack: what a host function returns that is called by {@link start} or a resumed stack. */
  suspend(value?: unknown): unknown {
    this.#suspending.value = value;
    return this.#suspending;
  }

  /** Calls an export on a stack of its own. */
  start(name: string, ...parameters: readonly unknown[]): Outcome {
    return this.startOn(new SuspendedStack(this), name, parameters);
  }

  /** Calls an export on `stack`, which was never suspended. */
  startOn(stack: SuspendedStack, name: string, parameters: readonly unknown[]): Outcome {
    return this.#enter(stack, this.#callee(name), parameters);
  }

  /** Calls a function of the guest that is not exported, but came out of a table: on a stack of its own. */
  startFunction(guestFunction: HostFunction, ...parameters: readonly unknown[]): Outcome {
    // The JavaScript interface names functions of a module by their indices.
    const { results } = functionType(this.#transformed.module, Number(guestFunction.name));
    return this.#enter(new SuspendedStack(this), new Callee(guestFunction, results, this.#exports), parameters);
  }

  /** Calls an export that must not suspend. */
  call(name: string, ...parameters: readonly unknown[]): readonly unknown[] {
    const outcome = this.#enter(undefined, this.#callee(name), parameters);
    return outcome.done ? outcome.values : [];
  }

  #addCallee(name: string, results: readonly ValueType[]): void {
    this.#callees.set(name, new Callee(this.#exports[name]!, results, this.#exports));
  }

  #callee(name: string): Callee {
    const callee = this.#callees.get(name);
    if (!callee) throw new TypeError(`Cannot call export ${name}: the module has no such function`);
    return callee;
  }

  /** `stack`: for when it suspends; `undefined` if it must not. */
  #enter(stack: SuspendedStack | undefined, callee: Callee, parameters: readonly unknown[]): Outcome {
    const outer = this.#maySuspend;
    this.#takeArea();
    forgetThrown();
    this.#maySuspend = stack !== undefined;
    let values: unknown;
    let area: number;
    try {
      values = callee.call(...parameters);
    } catch (error) {
      this.#checkExhausted();
      if (!this.#isUnwinding(error)) throw error;
    } finally {
      this.#maySuspend = outer;
      area = this.#leave();
    }
    if (area === 0 || stack === undefined) return { done: true, values: callee.listed(values) };
    stack.callee = callee;
    return this.#suspended(stack, area);
  }

  /** @throws {AreaExhaustedError} when the memory has no room for another one */
  #takeArea(): void {
    try {
      this.#begin();
    } catch (error) {
      this.#checkExhausted();
      throw error;
    }
  }

  #suspended(stack: SuspendedStack, area: number): Outcome {
    stack.area = area;
    stack.step = this.#resumeWith!;
    return { done: false, value: this.#value, stack };
  }

  /**
   * For {@link SuspendedStack}: goes on with its area, which is in no other hands any more. This is what each suspension
   * costs on the host's side: no arrays, no look-ups by name.
   */
  proceed(stack: SuspendedStack, area: number, value: unknown, moreValues: readonly unknown[]): Outcome {
    if (!this.#isResumable) this.#loadResumeCopies();
    if (this.#isUncounted) this.#wasEntered();
    const { step } = stack;
    const outer = this.#maySuspend;
    let next: number;
    forgetThrown();
    this.#maySuspend = true;
    this.#resumptions = (this.#resumptions + 1) | 0;
    try {
      next = moreValues.length === 0 ? step(area, value) : step(area, value, ...moreValues);
    } catch (error) {
      this.#isUncounted = true;
      next = this.#wasEntered() ? this.#deliver(error) : this.#throwInto(area, error);
    } finally {
      this.#maySuspend = outer;
    }
    return next === 0 || next === NOTHING_CATCHES ? this.#ended(stack, next) : this.#suspended(stack, next);
  }

  /** For {@link SuspendedStack}: throws `error` in its innermost frame that has a handler. */
  proceedThrowing(stack: SuspendedStack, area: number, error: unknown): Outcome {
    this.#thrown = error;
    stack.step = this.#exports[ABI.resumeThrow]!;
    return this.proceed(stack, area, undefined, []);
  }

  /** For {@link SuspendedStack}. */
  drop(area: number): void {
    this.#exports[ABI.drop]!(area);
  }

  /** For {@link SuspendedStack}. Tail calls leave no frame, nor does a function that only passes a result on. */
  framesOf(area: number): readonly string[] {
    const { module, withFrames } = this.#transformed;
    // The area that was in use last is only written back when another one is.
    this.#takeArea();
    this.#leave();
    const names = new ModuleNames(module);
    const numbers = framesInArea(this.exports[ABI.memory] as WebAssembly.Memory, area);
    return numbers.map((number) => names.describeFunction(withFrames[number]!));
  }

  #ended({ callee }: SuspendedStack, next: number): Outcome {
    if (next === NOTHING_CATCHES) throw this.#thrown;
    return { done: true, values: callee!.takeResults() };
  }

  /** False when a value did not fit the result of the import: the stack is as it was then. */
  #wasEntered(): boolean {
    const { value } = this.#global(ABI.resumptions);
    const isEntered = value === this.#resumptions;
    this.#resumptions = value;
    this.#isUncounted = false;
    return isEntered;
  }

  /** As if the import had thrown. */
  #throwInto(area: number, error: unknown): number {
    this.#thrown = error;
    this.#resumptions = (this.#resumptions + 1) | 0;
    try {
      return this.#exports[ABI.resumeThrow]!(area);
    } catch (next) {
      this.#isUncounted = true;
      if (this.#wasEntered()) return this.#deliver(next);
      // The caller has used up the native stack: what is in use now is another's.
      this.drop(area);
      throw next;
    }
  }

  /** A step has thrown: throws in the frames further out that have handlers, until one goes on or there is none left. */
  #deliver(error: unknown): number {
    let thrown = error;
    for (;;) {
      this.#leaveIfExhausted();
      if (this.#isUnwinding(thrown)) return this.#leave();
      if (!hasNativeStack()) {
        // No handler could run, nor would continueThrow() take a frame off.
        this.#leave();
        throw thrown;
      }
      this.#thrown = thrown;
      try {
        return this.#exports[ABI.continueThrow]!();
      } catch (next) {
        thrown = next;
      }
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
      this.#leave();
      throw error;
    }
  }

  #checkExhausted(): void {
    const needed = this.#global(ABI.needed);
    const { value } = needed;
    if (value === 0) return;
    needed.value = 0;
    const refused = this.#global(ABI.refused);
    if (refused.value === 0) throw new AreaExhaustedError(value, this.#global(ABI.maximum).value);
    const index = refused.value - 1;
    refused.value = 0;
    throw new ExcludedFunctionError(new ModuleNames(this.#transformed.module).describeFunction(index));
  }

  #global(name: string): WebAssembly.Global<"i32"> {
    return this.instance.exports[name] as WebAssembly.Global<"i32">;
  }

  #loadResumeCopies(): void {
    if (this.#isResumable) return;
    this.#isResumable = true;
    const raise = (): never => {
      recordThrown(this.#thrown);
      throw this.#thrown;
    };
    void new ResumeCopies(this.#modules, { first: this.instance.exports, exports: this.exports, raise });
  }

  #instantiateRuntime(memories: WebAssembly.Imports): WebAssembly.Exports {
    const { exports } = this.instance;
    const { runtime } = this.#modules;
    if (runtime === undefined) return exports;
    return { ...exports, ...new WebAssembly.Instance(runtime, { [FIRST_MODULE]: exports, ...memories }).exports };
  }

  #wrapImports(
    imports: WebAssembly.Imports,
    suspendable: SuspendableImport[],
    wrap: WrapImport = wrapsSuspending(this.#suspending),
  ): WebAssembly.Imports {
    const { module, calls } = this.#transformed;
    const wrapped = importedValues(module, imports);
    for (const entry of importedFunctions(module)) {
      const host = wrapped[entry.module]?.[entry.name];
      if (calls.functions[entry.index] === 0 || typeof host !== "function") continue;
      const { params, results } = entry.type;
      const zeros = results.map(zeroFor);
      const zero = zeros.length > 1 ? zeros : zeros[0];
      const own: SuspendableImport = {
        name: `${entry.module}.${entry.name}`,
        results,
        zero,
        isThrowing: unwindsByException(results),
        step: undefined,
      };
      suspendable.push(own);
      const suspend = (value: unknown): unknown => this.#beginUnwinding(own, value);
      const named = { module: entry.module, name: entry.name, paramCount: params.length };
      wrapped[entry.module]![entry.name] = wrap(host as HostFunction, named, suspend) as WebAssembly.ImportValue;
    }
    return this.#transformed.asksForExceptions ? recordingImports(module, wrapped) : wrapped;
  }

  /** Returns what the import has to return then. */
  #beginUnwinding(entry: SuspendableImport, value: unknown): unknown {
    if (!this.#maySuspend) {
      throw new Error(`Cannot suspend in ${entry.name}: the guest was not entered by start()`);
    }
    this.#value = value;
    this.#resumeWith = entry.step;
    this.#suspend();
    if (entry.isThrowing) throw new Exceptions.Exception(this.#unwindTag!, []);
    return entry.zero;
  }
}

/** As many arguments as there have to be words of 8 bytes: more than it takes on our side to continue a frame. */
const FILLER: readonly unknown[] = Array.from({ length: 256 }, () => 0);

/** Whether there is some of the native stack left; only asked when something has failed. */
function hasNativeStack(): boolean {
  try {
    Reflect.apply(takeAll, undefined, FILLER);
    return true;
  } catch {
    return false;
  }
}

function takeAll(): void {}

/** A value that converts to the type; nobody looks at it. */
function zeroFor(type: ValueType): unknown {
  if (type === I64) return 0n;
  return type === I32 || type === F32 || type === F64 || !isDefaultable(type) ? 0 : null;
}
