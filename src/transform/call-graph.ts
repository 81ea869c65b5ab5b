/**
 * Which functions may suspend: the imports that may, their callers, the callers of those, and so on.
 *
 * A call through a table or a reference may reach every function of a fitting type whose reference is taken somewhere:
 * in an element segment, with `ref.func`, or because it is exported and JavaScript can hand it back in.
 */

import { InstructionReader } from "../binary/instructions.ts";
import type { Range } from "../binary/instructions.ts";
import type { ExternKind, FunctionType } from "../binary/extern-types.ts";
import { functionBody, functionType } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import { heapTypeOf, isReference } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import { SuspendableCalls, isDirect, shapeOfType } from "./calls.ts";
import * as op from "./operations.ts";

/** Code of the abstract heap type. */
const FUNC_HEAP = -16;

/** Decides by index whether a function may suspend at all; used for imports and for exclusions. */
export type FunctionFilter = (functionIndex: number) => boolean;

/** Who calls what in a module: found in one pass over its code. */
export interface Callers {
  readonly ofFunction: Map<number, number[]>;
  readonly ofShape: Map<string, number[]>;
  /** The shape of each type; empty for what is no function type. */
  readonly shapes: readonly string[];
  /** Functions whose reference is taken. */
  readonly referenced: Uint8Array;
  usesTryTable: boolean;
  usesLegacyCatch: boolean;
  usesTry: boolean;
}

export interface CallGraph {
  readonly calls: SuspendableCalls;
  /** Function index → the functions that call it by its index. */
  readonly callersOf: ReadonlyMap<number, readonly number[]>;
  /** Whether a function catches with `try_table`, not with the legacy form. */
  readonly usesTryTable: boolean;
  /** Whether a function has a catch block of the legacy form. */
  readonly usesLegacyCatch: boolean;
  /** Whether a function catches with `try`, the legacy form. */
  readonly usesTry: boolean;
  /** Indices of the imported functions that may suspend. */
  readonly suspendingImports: readonly number[];
  /** Whether the host can call functions that are in a table. */
  readonly sharesTable: boolean;
}

/** `imports` says which imported functions may suspend, `excluded` which functions never do whatever they call. */
export function findSuspendable(module: BinaryModule, imports: FunctionFilter, excluded: FunctionFilter): CallGraph {
  const callers = findCallers(module);
  const suspendingImports: number[] = [];
  for (let index = 0; index < module.importedFunctions; index++) if (imports(index)) suspendingImports.push(index);
  const calls = suspendableCalls(module, callers, suspendingImports, excluded);
  const { ofFunction: callersOf, usesTryTable, usesLegacyCatch, usesTry } = callers;
  const sharesTable = hasSharedTable(module);
  return { calls, suspendingImports, callersOf, usesTryTable, usesLegacyCatch, usesTry, sharesTable };
}

/** What may suspend because of `imports`, indices of functions. */
export function suspendableCalls(
  module: BinaryModule,
  { ofFunction, ofShape, referenced, shapes }: Callers,
  imports: readonly number[],
  excluded: FunctionFilter,
): SuspendableCalls {
  const functions = new Uint8Array(module.functions.length);
  const suspendableShapes = new Set<string>();
  const work = [...imports];
  const guarded = new Set<number>();
  const mark = (index: number): void => {
    if (functions[index] === 1 || guarded.has(index)) return;
    if (index >= module.importedFunctions && excluded(index)) return void guarded.add(index);
    functions[index] = 1;
    work.push(index);
  };
  for (const index of imports) functions[index] = 1;
  for (let index = work.pop(); index !== undefined; index = work.pop()) {
    ofFunction.get(index)?.forEach(mark);
    const shape = shapes[module.functions[index]!]!;
    if (referenced[index] === 0 || suspendableShapes.has(shape)) continue;
    suspendableShapes.add(shape);
    ofShape.get(shape)?.forEach(mark);
  }
  const types = Uint8Array.from(shapes, (shape) => (suspendableShapes.has(shape) ? 1 : 0));
  return new SuspendableCalls(functions, types, guarded);
}

export function findCallers(module: BinaryModule): Callers {
  const shapes = module.types.map((type) => (type.kind === "func" ? shapeOfType(type) : ""));
  const callers: Callers = {
    ofFunction: new Map(),
    ofShape: new Map(),
    shapes,
    referenced: new Uint8Array(module.functions.length),
    usesTryTable: false,
    usesLegacyCatch: false,
    usesTry: false,
  };
  const reader = new InstructionReader(module.bytes);
  for (const range of referencingExpressions(module)) {
    reader.enterExpression(range.start, range.end);
    while (reader.next()) if (op.KIND_OF[reader.opcode] === op.REF_FUNC) callers.referenced[reader.index()] = 1;
  }
  for (const { functions } of module.elements) functions?.forEach((index) => (callers.referenced[index] = 1));
  if (takesFunctions(module)) {
    for (const { kind, index } of module.exports) if (kind === "function") callers.referenced[index] = 1;
  }
  for (let index = module.importedFunctions; index < module.functions.length; index++) {
    const { start, end } = functionBody(module, index);
    reader.enterBody(start, end);
    scanBody(reader, index, callers);
  }
  return callers;
}

/** Whether JavaScript can hand functions of the module back to it: through a table, or as a value. */
function takesFunctions(module: BinaryModule): boolean {
  const isFunction = (type: ValueType): boolean => isFunctionReference(module, type);
  const takes = ({ kind, index }: { kind: ExternKind; index: number }, given: keyof FunctionType): boolean => {
    if (kind === "function") return functionType(module, index)[given].some(isFunction);
    if (kind === "global") return isFunction(module.globals[index]!.type);
    if (kind === "tag") return tagType(module, index).params.some(isFunction);
    return kind === "table" && isFunction(module.tables[index]!.element);
  };
  return (
    module.imports.some((entry) => takes(entry, "results")) || module.exports.some((entry) => takes(entry, "params"))
  );
}

function isFunctionReference({ types }: BinaryModule, type: ValueType): boolean {
  if (!isReference(type)) return false;
  const heap = heapTypeOf(type);
  return heap === FUNC_HEAP || types[heap]?.kind === "func";
}

function tagType({ tags, types }: BinaryModule, tag: number): FunctionType {
  const type = types[tags[tag]!];
  return type?.kind === "func" ? type : { params: [], results: [] };
}

/** Whether JavaScript can take functions out of a table of the module. */
function hasSharedTable({ imports, exports }: BinaryModule): boolean {
  return [...imports, ...exports].some(({ kind }) => kind === "table");
}

/** Constant expressions that may take references. */
function referencingExpressions(module: BinaryModule): Range[] {
  const ranges = module.elements.flatMap(({ expressions }) => expressions ?? []);
  for (const { initial } of [...module.globals, ...module.tables]) if (initial) ranges.push(initial);
  return ranges;
}

function scanBody(reader: InstructionReader, caller: number, callers: Callers): void {
  while (reader.next()) {
    const kind = op.KIND_OF[reader.opcode]!;
    if (kind === op.REF_FUNC) callers.referenced[reader.index()] = 1;
    if (kind === op.TRY_TABLE) callers.usesTryTable = true;
    if (kind === op.CATCH) callers.usesLegacyCatch = true;
    if (kind === op.TRY) callers.usesTry = true;
    if (kind !== op.CALL && kind !== op.RETURN_CALL) continue;
    const index = reader.index();
    if (isDirect(reader.opcode)) addCaller(callers.ofFunction, index, caller);
    else addCaller(callers.ofShape, callers.shapes[index] ?? "", caller);
  }
}

function addCaller<Key>(callers: Map<Key, number[]>, called: Key, caller: number): void {
  const known = callers.get(called);
  if (!known) callers.set(called, [caller]);
  else if (known.at(-1) !== caller) known.push(caller);
}
