/**
 * What engines allow (JavaScript Interface, "Implementation-defined Limits"; the same in V8, SpiderMonkey and JavaScriptCore).
 * A function whose copies would be beyond it is refused, instead of made into a module that no engine takes.
 */

import { CALL_OPCODE } from "./operations.ts";
import type { FirstModule } from "./first-module.ts";
import type { Construct, FunctionShape, Site } from "./function-shape.ts";
import { RESERVED } from "./first-module.ts";
import type { Homes } from "./homes.ts";
import { MEMORIES } from "./imported-memories.ts";
import type { BinaryModule } from "../binary/module.ts";
import type { FunctionType } from "../binary/extern-types.ts";
import { TransformError } from "./refusal.ts";
import type { Refuse } from "./refusal.ts";
import { unwindsByException } from "./site-writer.ts";

const MAX_LOCALS = 50_000;
/** Parameters or results of a function type. */
const MAX_VALUES = 1000;
const MAX_BODY_BYTES = 7_654_321;
/** Functions, types, imports, exports or globals. */
const MAX_ENTRIES = 1_000_000;
const MAX_TABLES = 100_000;
/** Labels of a branch table; 65,520 in all engines. */
const MAX_SITES = 65_000;
/** A resume copy has three more locals than its homes. */
const EXTRA_LOCALS = 3;

/** No engine has this one, but the memory that they take while a function is compiled is hundreds of bytes each. */
export const MAX_CONSTRUCTS = 250_000;
/** Operands of all sites of a function: a resume copy has two bytes or more for each. */
export const MAX_OPERANDS: number = Math.floor(MAX_BODY_BYTES / 2);
/** Resume copies of functions smaller than this are never too large. */
export const LARGE_BODY_BYTES = 1_000_000;
/** The function that saves a frame has a parameter for each value, and three more. A frame with more is saved in line. */
export const MAX_SAVED_BY_FUNCTION = 990;

/** @throws {TransformError} when the copies of a function cannot be within the limits */
export function checkFunction(shape: FunctionShape, homes: Homes, refuse: Refuse): void {
  const { sites, constructs, index, outlinedTypes } = shape;
  const locals = homes.locals.length + EXTRA_LOCALS;
  if (sites.length > MAX_SITES) refuse(index, CALL_OPCODE, `the function has ${sites.length} calls that may suspend`);
  if (locals > MAX_LOCALS) refuse(index, CALL_OPCODE, `the function would have ${locals} locals`);
  const values = Math.max(
    maximum(sites, valuesAtSite),
    maximum(constructs, valuesAtConstruct),
    maximum(outlinedTypes, ({ params }) => params.length),
  );
  if (values > MAX_VALUES) refuse(index, CALL_OPCODE, `${values} values would be taken or given at a time`);
}

function maximum<Item>(items: readonly Item[], measure: (item: Item) => number): number {
  return items.reduce((most, item) => Math.max(most, measure(item)), 0);
}

/** Results of the block that ends where the site continues, or parameters of the one around its call. */
function valuesAtSite({ operands, params, results }: Site): number {
  return Math.max(operands.length + results.length, unwindsByException(results) ? params.length : 0);
}

function valuesAtConstruct({ operands, params, endSite, firstSite }: Construct): number {
  return endSite > firstSite ? operands.length + params.length + 1 : 0;
}

/** @throws {TransformError} when a copy of a function is too large */
export function checkBody(functionIndex: number, bytes: number, refuse: Refuse): void {
  if (bytes > MAX_BODY_BYTES) refuse(functionIndex, CALL_OPCODE, `a copy of the function would have ${bytes} bytes`);
}

/** @throws {TransformError} when there would be no function to continue a stack with the results of the import */
export function checkImport(name: string, { results }: FunctionType): void {
  if (results.length < MAX_VALUES) return;
  throw new TransformError(
    `import ${name}`,
    "call",
    `it has ${results.length} results, one too many to be given from outside`,
  );
}

/** @throws {TransformError} when the module exports names of abi.ts, or imports what it would then, as a transformed module does */
export function checkNames({ exports, imports }: BinaryModule): void {
  const exported = exports.find(({ name }) => name.startsWith(RESERVED));
  const imported = imports.find(({ module }) => module === MEMORIES);
  const reserved = exported ? `export "${exported.name}"` : imported && `import "${imported.module}"`;
  if (reserved === undefined) return;
  throw new TransformError("the module", reserved, "the name is reserved: has it been transformed before?");
}

/** `resumeCopies`: how many functions the second module adds. @throws {TransformError} */
export function checkModule(first: FirstModule, resumeCopies: number): void {
  const { module } = first;
  const functions = module.functions.length + first.addedFunctions.length;
  const tables = module.tables.length + first.addedTables.length;
  const globals = module.globals.length + first.addedGlobals.length;
  const shared = functions + tables + globals + module.memories.length + module.tags.length + resumeCopies;
  refuseBeyond("functions", functions + resumeCopies + 1, MAX_ENTRIES);
  refuseBeyond("types", module.types.length + first.addedTypes.length, MAX_ENTRIES);
  refuseBeyond("tables", tables, MAX_TABLES);
  refuseBeyond("globals", globals, MAX_ENTRIES);
  refuseBeyond("imports and exports", shared + module.exports.length + RESERVED_EXPORTS, MAX_ENTRIES);
}

/** Whether the second module may also have a loop copy of each of them, and so many near copies. */
export function hasRoom({ module, addedFunctions }: FirstModule, resumeCopies: number, nearCopies: number): boolean {
  return module.functions.length + addedFunctions.length + 1 + 2 * resumeCopies + nearCopies <= MAX_ENTRIES;
}

/** The function that throws an exception again takes the values of any tag, which one, and what else it may be. */
export function checkTagValues(count: number): void {
  refuseBeyond("values of tags", count + 2, MAX_VALUES);
}

/** More than abi.ts adds. */
const RESERVED_EXPORTS = 1000;

function refuseBeyond(what: string, count: number, limit: number): void {
  if (count > limit) throw new TransformError("the module", what, `there would be ${count}, engines allow ${limit}`);
}

/** The analysis trusts indices and types: the engine checks them, many times faster than it could be done here. */
export function checkValid(bytes: Uint8Array): void {
  if (WebAssembly.validate(bytes as BufferSource)) return;
  // Says what is wrong.
  void new WebAssembly.Module(bytes as BufferSource);
  throw new WebAssembly.CompileError("Cannot transform module: the engine does not accept it");
}
