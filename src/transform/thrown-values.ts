/**
 * Values that host functions throw into guests, for modules that throw such an exception again outside of the catch block that
 * it was caught in: WebAssembly code cannot see them on an engine where an exception is no value; see caught-exceptions.ts.
 *
 *     host function throws  ─▶ recorded here ─▶ catch_all in the guest ─▶ caught() … raise(value) ─▶ recorded, thrown again
 *
 * Between the throw and the catch nothing else runs, so the last value thrown is the one that was caught. That holds for
 * whatever comes into the guest through its imports. A function of another module, called through a table, may throw what
 * nobody has recorded.
 */

import { ModuleBuilder } from "../binary/builder.ts";
import type { FunctionType } from "../binary/extern-types.ts";
import { importedFunctions } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import { EXNREF, EXTERNREF, F32, F64, I32, I64, V128 } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import { CAUGHT, RAISE, REMEMBER } from "./caught-exceptions.ts";

type HostFunction = (...parameters: readonly unknown[]) => unknown;

/** Stands for a value that was not recorded. */
const UNKNOWN: unique symbol = Symbol("unknown exception");

let last: unknown = UNKNOWN;

/** To be called with what is about to be thrown into a guest. */
export function recordThrown(value: unknown): void {
  last = value;
}

/** To be called when a guest is entered: no exception is on its way to it then. */
export function forgetThrown(): void {
  last = UNKNOWN;
}

function caught(): unknown {
  const value = last;
  last = UNKNOWN;
  return value;
}

function raise(value: unknown): never {
  if (value !== UNKNOWN) throw recorded(value);
  throw recorded(
    new Error("Cannot throw exception again: it came neither from an import nor with a tag of the module"),
  );
}

/** Puts {@link caught} and the other functions into the table of a module, if it has one for them. */
export function addHostFunctions(table: WebAssembly.Table | undefined): void {
  if (!table) return;
  exported ??= exportFunctions();
  for (const [place, name] of NAMES) table.set(place, exported[name]);
}

const NAMES = new Map([
  [CAUGHT, "caught"],
  [REMEMBER, "remember"],
  [RAISE, "raise"],
]);
let exported: WebAssembly.Exports | undefined;

/** Tables take functions of WebAssembly only, as which a module exports what it has imported. */
function exportFunctions(): WebAssembly.Exports {
  const module = new ModuleBuilder();
  const host = { caught, remember: recordThrown, raise };
  const types: Record<keyof typeof host, FunctionType> = {
    caught: { params: [], results: [EXTERNREF] },
    remember: { params: [EXTERNREF], results: [] },
    raise: { params: [EXTERNREF], results: [] },
  };
  for (const [name, type] of Object.entries(types)) {
    module.export(name, "function", module.importFunction("host", name, type));
  }
  return new WebAssembly.Instance(new WebAssembly.Module(module.build()), { host }).exports;
}

/** The same imports, with functions that record what they throw. */
export function recordingImports(module: BinaryModule, imports: WebAssembly.Imports): WebAssembly.Imports {
  const recording: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const name of Object.keys(imports)) recording[name] = { ...imports[name] };
  for (const { module: from, name, type } of importedFunctions(module)) {
    const host = imports[from]?.[name];
    // JavaScript cannot stand between a guest and another one that it gives such values to.
    if (typeof host !== "function" || [...type.params, ...type.results].some(isForGuestsOnly)) continue;
    recording[from]![name] = recordingFunction(host as HostFunction, type);
  }
  return recording;
}

function isForGuestsOnly(type: ValueType): boolean {
  return type === V128 || type === EXNREF;
}

/** With as many parameters as the guest gives: engines call such functions faster than one that collects them. */
function recordingFunction(host: HostFunction, { params, results }: FunctionType): HostFunction {
  const convert = converterOf(results);
  switch (params.length) {
    case 0:
      return () => {
        try {
          return convert(host());
        } catch (error) {
          throw recorded(error);
        }
      };
    case 1:
      return (a) => {
        try {
          return convert(host(a));
        } catch (error) {
          throw recorded(error);
        }
      };
    case 2:
      return (a, b) => {
        try {
          return convert(host(a, b));
        } catch (error) {
          throw recorded(error);
        }
      };
    default:
      return (...all) => {
        try {
          return convert(host(...all));
        } catch (error) {
          throw recorded(error);
        }
      };
  }
}

function recorded(value: unknown): unknown {
  last = value;
  return value;
}

/** Converts results as the engine does, which may throw, too. */
function converterOf(results: readonly ValueType[]): (result: unknown) => unknown {
  if (results.length === 0) return () => undefined;
  if (results.length === 1) return converter(results[0]!);
  const converters = results.map(converter);
  return (result) => {
    const values = [...(result as Iterable<unknown>)];
    if (values.length !== results.length) {
      throw new TypeError(`Cannot convert results: expected ${results.length} values, received ${values.length}`);
    }
    return values.map((value, position) => converters[position]!(value));
  };
}

function converter(type: ValueType): (value: unknown) => unknown {
  switch (type) {
    case I32:
    case F32:
    case F64:
      return (value) => (typeof value === "number" ? value : toNumber(value));
    case I64:
      return (value) => (typeof value === "bigint" ? value : BigInt.asIntN(64, value as bigint));
    default:
      return (value) => value;
  }
}

const number = new Float64Array(1);

/** As the language does it: `Number()` takes bigints, too. */
function toNumber(value: unknown): unknown {
  // The assignment converts, or throws; TypeScript only knows of values that need no conversion.
  number[0] = value as number;
  return number[0];
}
