/**
 * Which functions may suspend: the imports that may, their callers, the callers of those, and so on.
 *
 * A call through a table or a reference may reach every function of a fitting type whose reference is taken somewhere:
 * in an element segment, with `ref.func`, or because it is exported and JavaScript can put it into a table.
 */

import { InstructionReader } from "../binary/instructions.ts";
import type { Range } from "../binary/instructions.ts";
import { functionBody } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import { SuspendableCalls, isDirect, shapeOfType } from "./calls.ts";
import * as op from "./operations.ts";

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
}

export interface CallGraph {
  readonly calls: SuspendableCalls;
  /** Function index → the functions that call it by its index. */
  readonly callersOf: ReadonlyMap<number, readonly number[]>;
  /** Whether a function catches with `try_table`, not with the legacy form. */
  readonly usesTryTable: boolean;
  /** Indices of the imported functions that may suspend. */
  readonly suspendingImports: readonly number[];
}

/** `imports` says which imported functions may suspend, `excluded` which functions never do whatever they call. */
export function findSuspendable(module: BinaryModule, imports: FunctionFilter, excluded: FunctionFilter): CallGraph {
  const callers = findCallers(module);
  const suspendingImports: number[] = [];
  for (let index = 0; index < module.importedFunctions; index++) if (imports(index)) suspendingImports.push(index);
  const calls = suspendableCalls(module, callers, suspendingImports, excluded);
  const { ofFunction: callersOf, usesTryTable } = callers;
  return { calls, suspendingImports, callersOf, usesTryTable };
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
  const mark = (index: number): void => {
    if (functions[index] === 1 || (index >= module.importedFunctions && excluded(index))) return;
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
  return new SuspendableCalls(functions, types);
}

export function findCallers(module: BinaryModule): Callers {
  const shapes = module.types.map((type) => (type.kind === "func" ? shapeOfType(type) : ""));
  const callers: Callers = {
    ofFunction: new Map(),
    ofShape: new Map(),
    shapes,
    referenced: new Uint8Array(module.functions.length),
    usesTryTable: false,
  };
  const reader = new InstructionReader(module.bytes);
  for (const range of referencingExpressions(module)) {
    reader.enterExpression(range.start, range.end);
    while (reader.next()) if (op.KIND_OF[reader.opcode] === op.REF_FUNC) callers.referenced[reader.index()] = 1;
  }
  for (const { functions } of module.elements) functions?.forEach((index) => (callers.referenced[index] = 1));
  if (hasSharedTable(module)) {
    for (const { kind, index } of module.exports) if (kind === "function") callers.referenced[index] = 1;
  }
  for (let index = module.importedFunctions; index < module.functions.length; index++) {
    const { start, end } = functionBody(module, index);
    reader.enterBody(start, end);
    scanBody(reader, index, callers);
  }
  return callers;
}

/** Whether JavaScript can put functions into a table of the module. */
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
