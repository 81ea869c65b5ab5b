/**
 * Generates the half of the link module that stands between a guest's imports and the host's functions.
 *
 * One shim per imported function. A host function that answers at once costs about as much as a plain import: no suspension,
 * no promise, no microtask. That is not what `WebAssembly.Suspending` does, which suspends whatever the function returns.
 *
 *     (func $shim (param P…) (result R…)
 *       (if (global.get $awaits)                                   ;; its last answer was a promise: expect another
 *         (then (return_call_indirect $wait_R (call $host (local.get P…)) (i32.const import))))
 *       (call $ask (local.get P…))                                 ;; into JavaScript, which classifies the answer
 *       (if (i32.load $STATUS)                                     ;; PENDING
 *         (then (global.set $awaits (i32.const 1))
 *               (return_call_indirect $wait_R (ref.null extern) (i32.const import)))))
 *
 * An import with one i32 as its result gets by without JavaScript of ours: the host function is called for an `externref`, and
 * a small integer in it is recognised as an `i31ref`. `$wait_R` is in the other half, see entry-shims.ts, which can only be
 * made when the guest exists; so the two meet in a table. The tail call keeps the shim off the suspended stack.
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

/** What to call a host function that answers at once, or when it does not. */
export interface ImportShims {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The distinct result types of all shims: position = slot in the table of wait functions. */
  readonly waits: readonly (readonly ValueType[])[];
}

/** Names of what the two halves and the host give each other. */
export const HOST = "host";
export const ASK = "ask";
export const LINK = "link";
export const MEMORY = "memory";
export const WAITS = "waits";
export const AWAITS = "awaits.";

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
 * Imports `host.<position>`: the host function as `P -> externref`; `ask.<position>`: the same as `P -> R`, classified;
 * `link.settle`: classifies the answer to an i32 import. Exports `<position>`: the shims; `awaits.<position>`: what they
 * expect, for the host to correct; `waits`: the table.
 */
export function buildImportShims(types: readonly FunctionType[]): ImportShims {
  const waits = distinctResults(types);
  const module = new ModuleBuilder();
  const hosts = types.map(({ params }, position) =>
    module.importFunction(HOST, String(position), { params, results: [EXTERNREF] }),
  );
  const asks = types.map((type, position) =>
    isI32(type.results)
      ? -1
      : module.importFunction(ASK, String(position), { params: type.params, results: type.results.map(withDefault) }),
  );
  const settle = module.importFunction(LINK, "settle", settleType([I32]));
  module.importMemory(LINK, MEMORY, { minimum: 1 });
  module.export(WAITS, "table", module.addTable({ element: FUNCREF, minimum: waits.length, maximum: waits.length }));

  for (const [position, type] of types.entries()) {
    const awaits = module.addGlobal({ type: I32, mutable: true }, (code) => code.i32Const(0));
    const slot = waits.findIndex((results) => sameTypes(results, type.results));
    const shim = module.addFunction(type, `import ${position}`);
    const host = hosts[position]!;
    const wait: Wait = { type: module.type(settleType(type.results)), slot, position, awaits };
    emitAwaiting(shim, host, wait);
    if (isI32(type.results)) emitIntegerAnswer(shim, { host, settle, wait });
    else emitAnswer(shim, asks[position]!, wait);
    module.export(String(position), "function", shim.index);
    module.export(`${AWAITS}${position}`, "global", awaits);
  }
  return { bytes: module.build(), waits };
}

interface Wait {
  readonly type: number;
  readonly slot: number;
  readonly position: number;
  /** The global that remembers whether the last answer was a promise. */
  readonly awaits: number;
}

function passParams({ code, type }: FunctionBuilder): void {
  for (const index of type.params.keys()) code.localGet(index);
}

/** `(if (global.get $awaits) (then (return_call_indirect $wait (call $host …) (i32.const position))))` */
function emitAwaiting(shim: FunctionBuilder, host: number, { type, slot, position, awaits }: Wait): void {
  shim.code.globalGet(awaits).if();
  passParams(shim);
  shim.code.call(host).i32Const(position).i32Const(slot).returnCallIndirect(type, 0).end();
}

/** `(if (i32.load $STATUS) (then (global.set $awaits 1) (return_call_indirect $wait <answer> (i32.const position))))` */
function emitPending(shim: FunctionBuilder, answer: number | undefined, { type, slot, position, awaits }: Wait): void {
  const { code } = shim;
  code.i32Const(0).i32Load(STATUS).if();
  code.i32Const(0).i32Const(READY).i32Store(STATUS);
  code.i32Const(1).globalSet(awaits);
  if (answer === undefined) code.refNull(EXTERN);
  else code.localGet(answer);
  code.i32Const(position).i32Const(slot).returnCallIndirect(type, 0).end();
}

const EXTERN = -0x11;

function emitAnswer(shim: FunctionBuilder, ask: number, wait: Wait): void {
  const { code, type } = shim;
  passParams(shim);
  code.call(ask);
  const values = type.results.map((result) => shim.local(withDefault(result)));
  for (const value of values.toReversed()) code.localSet(value);
  emitPending(shim, undefined, wait);
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
 *     (local.set $value (call $settle (local.get $answer) (i32.const position)))
 */
function emitIntegerAnswer(
  shim: FunctionBuilder,
  { host, settle, wait }: { host: number; settle: number; wait: Wait },
): void {
  const { code } = shim;
  const answer = shim.local(EXTERNREF);
  const value = shim.local(I32);
  code.block(ANYREF);
  const other = code.label();
  passParams(shim);
  code.call(host).localTee(answer).anyConvertExtern();
  code.brOnCastFail({ label: other, from: ANYREF, to: I31 }).i31GetS().return().end().drop();
  code.localGet(answer).i32Const(wait.position).call(settle).localSet(value);
  emitPending(shim, answer, wait);
  code.localGet(value);
}

function distinctResults(types: readonly FunctionType[]): (readonly ValueType[])[] {
  const distinct: (readonly ValueType[])[] = [];
  for (const { results } of types) {
    if (!distinct.some((known) => sameTypes(known, results))) distinct.push(results);
  }
  return distinct;
}

function sameTypes(a: readonly ValueType[], b: readonly ValueType[]): boolean {
  return a.length === b.length && a.every((type, position) => type === b[position]);
}
