/**
 * Puts a shim into a prepared guest for each function that it imports: a few instructions that test what the host function has answered.
 *
 * A host function that answers at once costs about as much as a plain import: no suspension, no promise, no microtask. That is not
 * what `WebAssembly.Suspending` does, which suspends whatever the function returns. The shims are the guest's own, so that
 * the engine inlines them; from another module each call would pass through two instances (1.26 times a plain import by itself).
 *
 * The import keeps its index and gets the type of what crosses (see {@link Crossing}); everything that named it names the shim:
 *
 *     (func $shim (param P…) (result R…)
 *       (block $expected
 *         (br_if $expected (i32.gt_s (global.get $awaits) (i32.const 0)))    ;; its last answer was a promise: expect another
 *         (call $host (local.get P…))
 *         <return if that is an answer>
 *         (return_call_indirect $judge_i …))
 *       (return_call_indirect $await_i (local.get P…)))
 *
 * `$await_i` and `$judge_i` need the guest, so they are in the module that is made after it, entry-shims.ts: it fills the table.
 * The tail calls keep the shim off the suspended stack.
 */

import type { Code } from "../binary/code.ts";
import type { FunctionBuilder } from "../binary/definitions.ts";
import { decodeModule } from "../binary/decode-module.ts";
import { ModuleEditor } from "../binary/editor.ts";
import type { FunctionType } from "../binary/extern-types.ts";
import { functionType } from "../binary/module.ts";
import type { BinaryModule, Import } from "../binary/module.ts";
import { redirectFunctions } from "../binary/redirect.ts";
import {
  ANYREF,
  EXNREF,
  EXTERNREF,
  F32,
  F64,
  FUNCREF,
  I32,
  I64,
  V128,
  heapTypeOf,
  isDefaultable,
  isReference,
  referenceType,
} from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import { addForwarders } from "./plain-exports.ts";
import { suspendableImports } from "./suspendable-imports.ts";

/** One function that a guest imports, and its shim. */
export interface ShimmedImport {
  /** Among all imports of the guest. */
  readonly position: number;
  /** Among all functions. */
  readonly index: number;
  readonly type: FunctionType;
  /** `module.name`, for stack traces. */
  readonly name: string;
  /** Index of the function that takes its place. */
  readonly shim: number;
}

/** Names under which the guest exports a table for the functions that its shims call, and what each import is expected to do. */
export const WAITS = "stackful:waits";
export const AWAITS = "stackful:awaits.";

/**
 * How the answer of an import crosses from JavaScript to its shim.
 *
 * - `"nothing"`: as `externref`, which is null, unless it has to be waited for
 * - `"integer"`: as `externref`; a small integer is recognised as an `i31ref`, so that no JavaScript of ours is needed
 * - `"values"`: as its results; {@link MARK}, or whatever stands for it, as the first of them says that JavaScript may have kept
 *   something to wait for
 */
export type Crossing = "nothing" | "integer" | "values";

export function crossingOf(results: readonly unknown[]): Crossing {
  if (results.length === 0) return "nothing";
  return results.length === 1 && (results[0] === I32 || results[0] === "i32") ? "integer" : "values";
}

/** A number that is exact as f32 and as i31, and that hardly any host function answers; if one does, it is asked after in vain. */
export const MARK = 0x2f0c3a40;

/** The type of a function that judges what has crossed. */
export function judgeType({ results }: FunctionType): FunctionType {
  return { params: crossingTypes(results), results };
}

function crossingTypes(results: readonly ValueType[]): ValueType[] {
  return crossingOf(results) === "values" ? results.map(withDefault) : [EXTERNREF];
}

/** The type that also has a value while there is no answer yet. */
function withDefault(type: ValueType): ValueType {
  return isDefaultable(type) ? type : referenceType(true, heapTypeOf(type));
}

/**
 * Whether a shim can pass on values of this function type: not v128 and exnref, which the JavaScript API refuses, and not references
 * to types of the guest's own, which another module cannot name.
 */
export function canShim({ params, results }: FunctionType): boolean {
  return [...params, ...results].every((type) => type !== V128 && type !== EXNREF && !isOwnReference(type));
}

function isOwnReference(type: ValueType): boolean {
  return isReference(type) && heapTypeOf(type) >= 0;
}

/** A copy of a guest with shims. */
export interface ShimmedGuest {
  readonly shims: readonly ShimmedImport[];
  /** Its bytes: all of its code is gone through for them. */
  readonly build: () => Uint8Array<ArrayBuffer>;
}

export function shimImports(bytes: Uint8Array<ArrayBuffer>): ShimmedGuest {
  const module = decodeModule(bytes);
  const imports = suspendableImports(module).filter((position) => {
    return canShim(functionType(module, module.imports[position]!.index));
  });
  const editor = new ModuleEditor(module);
  addForwarders(editor, module);
  if (imports.length === 0) return { shims: [], build: () => editor.build() };
  const slots = 2 * imports.length;
  const table = editor.addTable({ element: FUNCREF, minimum: slots, maximum: slots });
  editor.export(WAITS, "table", table);
  const shims = imports.map((position, slot) => {
    const imported = module.imports[position]!;
    const awaits = editor.addGlobal({ type: I32, mutable: true }, (code) => code.i32Const(0));
    editor.export(`${AWAITS}${slot}`, "global", awaits);
    return addShim(editor, module, { imported, position, awaits, table, slot, judgeSlot: imports.length + slot });
  });
  const build = (): Uint8Array<ArrayBuffer> => {
    redirectFunctions(editor, module, new Map(shims.map(({ index, shim }) => [index, shim])));
    return editor.build();
  };
  return { shims, build };
}

interface ShimPlan {
  readonly imported: Import;
  readonly position: number;
  /** The global that is 1 if a promise is expected, 0 if not, -1 if never again. */
  readonly awaits: number;
  readonly table: number;
  /** Of `$await_i` in the table. */
  readonly slot: number;
  readonly judgeSlot: number;
}

function addShim(editor: ModuleEditor, module: BinaryModule, plan: ShimPlan): ShimmedImport {
  const { imported, position, awaits, table } = plan;
  const type = functionType(module, imported.index);
  editor.retype(imported, editor.type({ params: type.params, results: crossingTypes(type.results) }));
  // The very type of the import: guests can tell it from an equal one.
  const name = `${imported.module}.${imported.name}`;
  const shim = editor.addFunctionOf(module.functions[imported.index]!, type, `import ${name}`);
  const { code } = shim;
  const passParams = (): void => {
    for (const index of type.params.keys()) code.localGet(index);
  };
  code.block().globalGet(awaits).i32Const(0).i32GtS().brIf(0);
  passParams();
  code.call(imported.index);
  emitTest(shim, (judged) => judged.i32Const(plan.judgeSlot).returnCallIndirect(editor.type(judgeType(type)), table));
  code.end();
  passParams();
  code.i32Const(plan.slot).returnCallIndirect(editor.type(type), table);
  return { position, index: imported.index, type, name, shim: shim.index };
}

const I31 = referenceType(false, -0x14);

/** Returns what is on the stack if it is an answer; `judge` emits the call that takes it otherwise. */
function emitTest(shim: FunctionBuilder, judge: (code: Code) => void): void {
  const { results } = shim.type;
  const crossing = crossingOf(results);
  if (crossing === "integer") emitIntegerTest(shim, judge);
  else if (crossing === "nothing") emitNothingTest(shim, judge);
  else emitMarkTest(shim, judge);
}

/**
 *     (block $other (result anyref)
 *       (return (i31.get_s (br_on_cast_fail $other anyref (ref i31) (any.convert_extern (local.tee $answer …))))))
 *     (drop)
 *     <judge $answer>
 */
function emitIntegerTest(shim: FunctionBuilder, judge: (code: Code) => void): void {
  const { code } = shim;
  const answer = shim.local(EXTERNREF);
  code.localSet(answer).block(ANYREF);
  const other = code.label();
  code.localGet(answer).anyConvertExtern();
  code.brOnCastFail({ label: other, from: ANYREF, to: I31 }).i31GetS().return().end().drop();
  judge(code.localGet(answer));
}

/** `(if (ref.is_null (local.tee $answer …)) (then (return))) <judge $answer>` */
function emitNothingTest(shim: FunctionBuilder, judge: (code: Code) => void): void {
  const { code } = shim;
  const answer = shim.local(EXTERNREF);
  code.localTee(answer).refIsNull().if().return().end();
  judge(code.localGet(answer));
}

/** `(local.set $values …) (if <first is MARK> (then <judge $values>)) (return (local.get $values))` */
function emitMarkTest(shim: FunctionBuilder, judge: (code: Code) => void): void {
  const { code, type } = shim;
  const values = type.results.map((result) => shim.local(withDefault(result)));
  const getAll = (): Code => {
    for (const value of values) code.localGet(value);
    return code;
  };
  for (const value of values.toReversed()) code.localSet(value);
  emitIsMark(code, values[0]!, withDefault(type.results[0]!));
  code.if();
  judge(getAll());
  code.end();
  emitGetAll(code, values, type.results);
  code.return();
}

/** The values of locals that have default values, as results that may have none. */
export function emitGetAll(code: Code, locals: readonly number[], results: readonly ValueType[]): void {
  for (const [position, type] of results.entries()) {
    code.localGet(locals[position]!);
    if (!isDefaultable(type)) code.refAsNonNull();
  }
}

/** Whether a local holds {@link MARK}. References other than `externref` cannot: for them it is null. */
function emitIsMark(code: Code, local: number, type: ValueType): void {
  if (type === EXTERNREF) {
    emitIsMarkReference(code, local);
    return;
  }
  code.localGet(local);
  if (type === F64) code.f64Const(MARK).f64Eq();
  else if (type === F32) code.f32Const(MARK).f32Eq();
  else if (type === I64) code.i64Const(MARK).i64Eq();
  else if (type === I32) code.i32Const(MARK).i32Eq();
  else code.refIsNull();
}

/**
 * Null is too common an answer to ask after it, and of all others wasm can tell small integers only.
 *
 *     (block $done (result i32)
 *       (block $other (result anyref)
 *         (br $done (i32.eq (i32.const MARK)
 *           (i31.get_s (br_on_cast_fail $other anyref (ref i31) (any.convert_extern (local.get $local)))))))
 *       (drop) (i32.const 0))
 */
function emitIsMarkReference(code: Code, local: number): void {
  code.block(I32);
  const done = code.label();
  code.block(ANYREF);
  const other = code.label();
  code.localGet(local).anyConvertExtern().brOnCastFail({ label: other, from: ANYREF, to: I31 }).i31GetS();
  code.i32Const(MARK).i32Eq().br(done).end();
  code.drop().i32Const(0).end();
}
