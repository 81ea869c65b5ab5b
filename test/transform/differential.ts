/**
 * Runs a module twice, as it is and transformed with a suspension at every call of an import, and compares all that can be
 * seen: what imports were called with, results, traps, memories and globals.
 */
import assert from "node:assert/strict";
import { functionType } from "#src/binary/module";
import type { GlobalType } from "#src/binary/extern-types";
import type { BinaryModule } from "#src/binary/module";
import { F32, F64, I32, I64, isDefaultable, isReference, valueTypeName } from "#src/binary/value-types";
import type { ValueType } from "#src/binary/value-types";
import { decodeModule } from "#src/binary/decode-module";
import { ABI } from "#src/transform/abi";
import { SuspendableInstance } from "#src/transform/suspendable-instance";
import type { Outcome } from "#src/transform/suspended-stack";
import { transformModule } from "#src/transform/transform-module";

/** What a run did, in order. */
export type Trace = unknown[];

/** Numbers that look random, the same in each run. */
class Values {
  #state: number;
  readonly #throwEvery: number;
  #calls = 0;

  constructor(seed: number, throwEvery = 0) {
    this.#state = seed;
    this.#throwEvery = throwEvery;
  }

  /** What the next call of an import throws; null when it returns. */
  nextError(): Error | null {
    this.#calls++;
    return this.#throwEvery > 0 && this.#calls % this.#throwEvery === 0
      ? new Error(`thrown by call ${this.#calls}`)
      : null;
  }

  next(): number {
    this.#state = (Math.imul(this.#state, 1_103_515_245) + 12_345) | 0;
    return this.#state >> 8;
  }

  of(type: ValueType): unknown {
    const number = this.next() & 31;
    if (type === I32) return number;
    if (type === I64) return BigInt(number);
    if (type === F32 || type === F64) return number / 4;
    return isDefaultable(type) ? null : "text";
  }
}

export interface RunOptions {
  readonly seed?: number;
  /** Every so many calls of imports throw; none when left out. */
  readonly throwEvery?: number;
  /** Whether the transformed module may have more than one memory. */
  readonly multiMemory?: boolean;
  /** Whether it may have the standard form of exceptions. */
  readonly tryTable?: boolean;
  /** Exports that are not called. */
  readonly skip?: readonly string[];
  /** What the module needs besides the imports that are compared. */
  readonly added?: AddedHost;
}

/** A host for an import that an edit has added. */
export interface AddedHost {
  readonly imports: WebAssembly.Imports;
  /** Called as soon as there is an instance. */
  readonly attach: (exports: WebAssembly.Exports) => void;
  /** Called by the import; the guest is suspended meanwhile if it can be. */
  suspend: (() => unknown) | undefined;
}

/** What a suspension by an added import gives to the driver. */
export const ADDED = "added";

export interface Comparison {
  readonly calls: number;
  readonly suspensions: number;
}

/** @throws {assert.AssertionError} when the two runs differ */
export function compareRuns(bytes: Uint8Array, options: RunOptions = {}): Comparison {
  const module = decodeModule(bytes);
  const { multiMemory, tryTable } = options;
  const transformed = transformModule(bytes, {
    ...(multiMemory === undefined ? {} : { multiMemory }),
    ...(tryTable === undefined ? {} : { tryTable }),
  });
  const plain: Trace = [];
  const suspended: Trace = [];
  runPlain(bytes, module, plain, options);
  const suspensions = runSuspended(module, transformed, suspended, options);
  if (plain.some(isStackOverflow) || suspended.some(isStackOverflow)) return { calls: 0, suspensions: 0 };
  assert.deepEqual(suspended, plain);
  return { calls: plain.length, suspensions };
}

export function isStackOverflow(entry: unknown): boolean {
  return typeof entry === "string" && entry.includes("Maximum call stack");
}

/** The imports of a module; `answer` is what its functions do. */
function makeImports(
  module: BinaryModule,
  answer: (name: string, results: readonly ValueType[], parameters: readonly unknown[]) => unknown,
): WebAssembly.Imports {
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module: from, name, kind, index } of module.imports) {
    const space = (imports[from] ??= {});
    if (kind === "function") {
      const { results } = functionType(module, index);
      space[name] = (...parameters: unknown[]) => answer(name, results, parameters);
    } else if (kind === "memory") {
      const { minimum, maximum = 65_536 } = module.memories[index]!;
      space[name] = new WebAssembly.Memory({ initial: minimum, maximum });
    } else if (kind === "table") {
      space[name] = new WebAssembly.Table({ element: "anyfunc", initial: module.tables[index]!.minimum });
    } else if (kind === "tag") {
      space[name] = new (WebAssembly as unknown as { Tag: new (type: unknown) => WebAssembly.ImportValue }).Tag({
        parameters: tagParams(module, index).map(valueTypeName),
      });
    } else {
      space[name] = makeGlobal(module.globals[index]!);
    }
  }
  return imports;
}

/** A reference can be given as it is, without a WebAssembly.Global around it. */
function makeGlobal({ type, mutable }: GlobalType): WebAssembly.ImportValue {
  if (isReference(type) && mutable) return new WebAssembly.Global({ value: "externref", mutable }, null);
  if (isReference(type)) return (isDefaultable(type) ? null : "text") as never;
  return new WebAssembly.Global({ value: valueTypeName(type) as "i32", mutable }, (type === I64 ? 7n : 7) as number);
}

function tagParams(module: BinaryModule, tag: number): readonly ValueType[] {
  const type = module.types[module.tags[tag]!];
  return type?.kind === "func" ? type.params : [];
}

function answers(values: Values, results: readonly ValueType[]): unknown {
  const all = results.map((type) => values.of(type));
  return all.length > 1 ? all : all[0];
}

/** Calls every exported function twice with the same arguments in each run. */
function callExports(
  module: BinaryModule,
  { seed = 1, skip = [] }: RunOptions,
  trace: Trace,
  { call, exports }: { call: (name: string, parameters: unknown[]) => unknown; exports: WebAssembly.Exports },
): void {
  const values = new Values(seed);
  for (const { name, kind, index } of [...module.exports, ...module.exports]) {
    if (kind !== "function" || skip.includes(name)) continue;
    const { params } = functionType(module, index);
    const parameters = params.map((type) => values.of(type));
    try {
      trace.push(["returned", name, describe(call(name, parameters))]);
    } catch (error) {
      trace.push(`${name} threw ${String(describe(error))}`);
    }
    for (const entry of module.exports) trace.push(...observe(entry, exports));
  }
}

function observe({ name, kind }: { name: string; kind: string }, exports: WebAssembly.Exports): unknown[] {
  const value = exports[name] as { buffer?: ArrayBuffer; value?: unknown };
  if (kind === "memory") return [`${name}: ${hash(new Uint8Array(value.buffer!))}`];
  if (kind !== "global") return [];
  try {
    return [describe(value.value)];
  } catch {
    return []; // v128
  }
}

function hash(bytes: Uint8Array): number {
  let value = bytes.length;
  const end = Math.min(bytes.length, 100_000);
  for (let offset = 0; offset < end; offset++) value = (Math.imul(value, 31) + bytes[offset]!) | 0;
  return value;
}

function describe(value: unknown): unknown {
  if (value instanceof Error) return `${value.constructor.name}: ${value.message}`;
  if (Array.isArray(value)) return value.map(describe);
  if (typeof value === "function") return "function";
  if (value !== null && typeof value === "object") return Object.prototype.toString.call(value);
  return value;
}

export function runPlain(bytes: Uint8Array, module: BinaryModule, trace: Trace, options: RunOptions): void {
  const values = new Values((options.seed ?? 1) + 1, options.throwEvery);
  const imports = makeImports(module, (name, results, parameters) => {
    trace.push(["called", name, parameters.map(describe)]);
    const error = values.nextError();
    if (error) throw error;
    return answers(values, results);
  });
  let instance: WebAssembly.Instance;
  try {
    Object.assign(imports, options.added?.imports);
    instance = new WebAssembly.Instance(new WebAssembly.Module(bytes as BufferSource), imports);
    options.added?.attach(instance.exports);
  } catch (error) {
    trace.push(describe(error));
    return;
  }
  const call = (name: string, parameters: unknown[]): unknown =>
    (instance.exports[name] as (...given: unknown[]) => unknown)(...parameters);
  callExports(module, options, trace, { call, exports: instance.exports });
}

export function runSuspended(
  module: BinaryModule,
  transformed: ReturnType<typeof transformModule>,
  trace: Trace,
  options: RunOptions,
): number {
  const values = new Values((options.seed ?? 1) + 1, options.throwEvery);
  let suspensions = 0;
  let guest: SuspendableInstance | undefined;
  const imports = makeImports(module, (name, results, parameters) => {
    trace.push(["called", name, parameters.map(describe)]);
    return guest!.suspend(results);
  });
  const finish = (first: Outcome): unknown => {
    let outcome = first;
    while (!outcome.done) {
      if (outcome.value === ADDED) {
        outcome = outcome.stack.resume();
        continue;
      }
      suspensions++;
      const error = values.nextError();
      if (error) {
        outcome = outcome.stack.throw(error);
        continue;
      }
      const given = answers(values, outcome.value as ValueType[]);
      outcome = outcome.stack.resume(...((outcome.value as ValueType[]).length > 1 ? (given as unknown[]) : [given]));
    }
    return outcome.values.length > 1 ? outcome.values : outcome.values[0];
  };
  try {
    const { added } = options;
    guest = new SuspendableInstance(transformed, { ...imports, ...added?.imports });
    if (added) {
      added.suspend = () => guest!.suspend(ADDED);
      added.attach(guest.instance.exports);
    }
    if (guest.hasStart) finish(guest.start(ABI.start));
  } catch (error) {
    trace.push(describe(error));
    return suspensions;
  }
  const { exports } = guest.instance;
  callExports(module, options, trace, { call: (name, given) => finish(guest.start(name, ...given)), exports });
  return suspensions;
}
