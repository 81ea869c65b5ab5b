/**
 * Generates the half of the link module that stands between a guest's imports and the host's functions.
 *
 * One shim per imported function. A host function that answers at once costs about as much as a plain import: no suspension,
 * no promise, no microtask. That is not what `WebAssembly.Suspending` does, which suspends whatever the function returns.
 *
 *     (func $shim (param P…) (result R…)
 *       (if (global.get $awaits)                                   ;; its last answer was a promise: expect another
 *         (then (return_call_indirect $await (local.get P…))))
 *       (call $ask (local.get P…))                                 ;; into JavaScript, which classifies the answer
 *       (if (i32.load $STATUS)                                     ;; PENDING
 *         (then (global.set $awaits (global.get $learns))         ;; 1, until it has surprised too often
 *               (return_call_indirect $wait_R (ref.null extern) (i32.const import)))))
 *
 * An import with one i32 as its result gets by without JavaScript of ours: the host function is called for an `externref`, and
 * a small integer in it is recognised as an `i31ref`. `$await` and `$wait_R` are in the other half, see entry-shims.ts, which
 * can only be made when the guest exists; so the two meet in a table. The tail calls keep the shim off the suspended stack.
 */

import { ModuleBuilder } from "../binary/builder.ts";
import type { FunctionBuilder } from "../binary/builder.ts";
import type { FunctionType } from "../binary/extern-types.ts";
import {
  ANYREF,
  EXNREF,
  EXTERNREF,
  FUNCREF,
  I32,
  V128,
  heapTypeOf,
  isDefaultable,
  isReference,
  referenceType,
} from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import { READY, STATUS } from "./switchboard.ts";

/** The generated module, and what its second half has to provide for it. */
export interface ImportShims {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The distinct result types of all shims. In the table, the wait functions for them follow the await functions of the shims. */
  readonly waits: readonly (readonly ValueType[])[];
}

/** One function that a guest imports. */
export interface ShimmedImport {
  readonly type: FunctionType;
  /** `module.name`, for stack traces. */
  readonly name: string;
}

/** Names of what the two halves and the host give each other. */
export const HOST = "host";
export const ASK = "ask";
export const AWAIT_HOST = "await-host";
export const LINK = "link";
export const MEMORY = "memory";
/** The table in which the first half finds functions of the second. */
export const WAITS = "waits";
export const EXPECT = "expect.";

/** The function of `wait` and `settle` for these results: takes the answer and the position of its import. */
export function settleType(results: readonly ValueType[]): FunctionType {
  return { params: [EXTERNREF, I32], results };
}

export function isI32(results: readonly ValueType[]): boolean {
  return results.length === 1 && results[0] === I32;
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

/** The type that also has a value while there is no answer yet. */
function withDefault(type: ValueType): ValueType {
  return isDefaultable(type) ? type : referenceType(true, heapTypeOf(type));
}

const I31 = referenceType(false, -0x14);

/**
 * The module for these imports.
 *
 * Imports, for i32, `host.<position>`: the host function as `P -> externref`, and `link.settle`: classifies its answer; for others
 * `ask.<position>`: the host function, with its answer classified. Exports `<position>`: the shims; `expect.<position>`: sets
 * whether one expects a promise, and whether it will after the next one; `waits`: the table.
 */
export function buildImportShims(imports: readonly ShimmedImport[]): ImportShims {
  const types = imports.map(({ type }) => type);
  const waits = distinctResults(types);
  const module = new ModuleBuilder();
  const hosts = types.map((type, position) => importHost(module, type, position));
  const settle = module.importFunction(LINK, "settle", settleType([I32]));
  module.importMemory(LINK, MEMORY, { minimum: 1 });
  const slots = types.length + waits.length;
  module.export(WAITS, "table", module.addTable({ element: FUNCREF, minimum: slots, maximum: slots }));

  for (const [position, type] of types.entries()) {
    const awaits = module.addGlobal({ type: I32, mutable: true }, (code) => code.i32Const(0));
    const learns = module.addGlobal({ type: I32, mutable: true }, (code) => code.i32Const(1));
    const slot = types.length + waits.findIndex((results) => sameTypes(results, type.results));
    const shim = module.addFunction(type, `import ${imports[position]!.name}`);
    const wait: Wait = { type: module.type(settleType(type.results)), slot, position, awaits, learns };
    shim.code.block().globalGet(awaits).brIf(0);
    const pending = addPending(module, type.results, wait);
    const host = hosts[position]!;
    if (isI32(type.results)) emitIntegerAnswer(shim, host, addOtherAnswer(module, { settle, pending, position }));
    else emitAnswer(shim, host, pending);
    shim.code.return().end();
    passParams(shim);
    shim.code.i32Const(position).returnCallIndirect(module.type(type), 0);
    module.export(String(position), "function", shim.index);
    const expect = module.addFunction({ params: [I32, I32], results: [] }, `expect ${position}`);
    expect.code.localGet(0).globalSet(awaits).localGet(1).globalSet(learns);
    module.export(`${EXPECT}${position}`, "function", expect.index);
  }
  return { bytes: module.build(), waits };
}

function importHost(module: ModuleBuilder, { params, results }: FunctionType, position: number): number {
  if (isI32(results)) return module.importFunction(HOST, String(position), { params, results: [EXTERNREF] });
  return module.importFunction(ASK, String(position), { params, results: results.map(withDefault) });
}

/** How to wait for the answer of one import. */
interface Wait {
  readonly type: number;
  readonly slot: number;
  readonly position: number;
  /** The global that remembers whether the last answer was a promise. */
  readonly awaits: number;
  /** The global that says whether it should: not for one whose answers are of both kinds. */
  readonly learns: number;
}

function passParams({ code, type }: FunctionBuilder): void {
  for (const index of type.params.keys()) code.localGet(index);
}

/**
 * What is less likely is a function of its own, so that the shim stays small: in line it cost 0.8 ns per call.
 *
 *     (func $pending (param $answer externref) (result R…)
 *       STATUS = READY
 *       (global.set $awaits (global.get $learns))
 *       (return_call_indirect $wait_R (local.get $answer) (i32.const position)))
 */
function addPending(module: ModuleBuilder, results: readonly ValueType[], wait: Wait): number {
  const body = module.addFunction({ params: [EXTERNREF], results }, `pending ${wait.position}`);
  const { code } = body;
  code.i32Const(0).i32Const(READY).i32Store(STATUS);
  code.globalGet(wait.learns).globalSet(wait.awaits);
  code.localGet(0).i32Const(wait.position).i32Const(wait.slot).returnCallIndirect(wait.type, 0);
  return body.index;
}

/** `(if (i32.load $STATUS) (then (return_call $pending <answer>)))` */
function emitPending(shim: FunctionBuilder, pending: number, answer: number | undefined): void {
  const { code } = shim;
  code.i32Const(0).i32Load(STATUS).if();
  if (answer === undefined) code.refNull(EXTERN);
  else code.localGet(answer);
  code.returnCall(pending).end();
}

/** Code of the heap type `extern`, for `ref.null extern`. */
export const EXTERN = -0x11;

/** The form at the top of this file. */
function emitAnswer(shim: FunctionBuilder, ask: number, pending: number): void {
  const { code, type } = shim;
  passParams(shim);
  code.call(ask);
  const values = type.results.map((result) => shim.local(withDefault(result)));
  for (const value of values.toReversed()) code.localSet(value);
  emitPending(shim, pending, undefined);
  for (const [position, value] of values.entries()) {
    code.localGet(value);
    if (!isDefaultable(type.results[position]!)) code.refAsNonNull();
  }
}

/**
 *     (block $other (result anyref)
 *       (return (i31.get_s (br_on_cast_fail $other anyref (ref i31)
 *         (any.convert_extern (local.tee $answer (call $host (local.get P…))))))))
 *     (drop)
 *     (return_call $other-answer (local.get $answer))
 */
function emitIntegerAnswer(shim: FunctionBuilder, host: number, otherAnswer: number): void {
  const { code } = shim;
  const answer = shim.local(EXTERNREF);
  code.block(ANYREF);
  const other = code.label();
  passParams(shim);
  code.call(host).localTee(answer).anyConvertExtern();
  code.brOnCastFail({ label: other, from: ANYREF, to: I31 }).i31GetS().return().end().drop();
  code.localGet(answer).returnCall(otherAnswer);
}

/**
 *     (func $other-answer (param $answer externref) (result i32)
 *       (local.set $value (call $settle (local.get $answer) (i32.const position)))
 *       (if (i32.load $STATUS) (then (return_call $pending (local.get $answer))))
 *       (local.get $value))
 */
function addOtherAnswer(module: ModuleBuilder, parts: { settle: number; pending: number; position: number }): number {
  const { settle, pending, position } = parts;
  const body = module.addFunction({ params: [EXTERNREF], results: [I32] }, `answer ${position}`);
  const value = body.local(I32);
  body.code.localGet(0).i32Const(position).call(settle).localSet(value);
  emitPending(body, pending, 0);
  body.code.localGet(value);
  return body.index;
}

export function distinctResults(types: readonly FunctionType[]): (readonly ValueType[])[] {
  const distinct: (readonly ValueType[])[] = [];
  for (const { results } of types) {
    if (!distinct.some((known) => sameTypes(known, results))) distinct.push(results);
  }
  return distinct;
}

export function sameTypes(a: readonly ValueType[], b: readonly ValueType[]): boolean {
  return a.length === b.length && a.every((type, position) => type === b[position]);
}
