/**
 * What the first module exports for whoever drives it; with a module of the runtime (runtime-home.ts), that exports some. All names start with a reserved character, so they cannot collide
 * with exports of the guest.
 *
 *     JavaScript                           first module
 *
 *     begin() ────────────────────────────▶ takes an area into use
 *       export(…) ────────────────────────▶ the fast copy of the export
 *         import(…) ◀──────────────────────   a host function
 *           suspend() ────────────────────▶     sets the state to unwinding
 *         returns anything ───────────────▶   every frame is saved, down to the export
 *       returns meaningless values ◀───────
 *     leave() ────────────────────────────▶ area = address of the saved stack, or 0: it has returned
 *
 *     (resume copies are made when they are called for the first time: resume-copies.ts)
 *
 *     resume.<types>(area, values…) ──────▶ the call of the import has these results; goes on from there
 *                                ◀──────── as leave(): an address (a new one, perhaps), or 0: it has returned
 *     results.<types>() ──────────────────▶ with these results
 *
 * `resume…` converts the values as a call of the import would have, so it throws when one does not fit: without continuing the
 * stack, which `resumptions` tells. When the guest throws, frames further out may have handlers: the driver keeps what was thrown, and
 * `continueThrow()` throws it in the next frame that has one, through the function `raise` that the driver gives to the
 * resume module. It returns -1 when there is none left: the stack is gone. `resumeThrow(area)` is the same for a
 * suspended stack.
 *
 * A function with a result that can only be a reference, not null, suspends by throwing an exception with the tag
 * `unwind`. It comes out of the export or of `resume…` when there is no caller in the guest; then `leave()` has to be
 * called. An import with such a result throws it after `suspend()`.
 *
 * On an engine where an exception is no value, a module may ask the host for what one of its functions has thrown last, and
 * to throw it again, through functions in the table `hostFunctions`: see thrown-values.ts.
 *
 * A call of `begin` to `leave` may be inside another one: the areas nest like the calls.
 */

import type { FunctionBuilder } from "../binary/definitions.ts";
import type { FunctionType } from "../binary/extern-types.ts";
import { I32, V128, heapTypeOf, isReference, valueTypeName } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import type { FirstModule } from "./first-module.ts";
import { RESERVED } from "./first-module.ts";
import type { ResultGlobals } from "./runtime-globals.ts";
import type { RuntimeHome } from "./runtime-home.ts";
import type { RuntimeFunctions } from "./stack-areas.ts";
import { storableType } from "./homes.ts";

/** Names of the exports whose types are fixed. */
export interface AbiNames {
  readonly suspend: string;
  readonly begin: string;
  readonly leave: string;
  readonly resumeThrow: string;
  readonly continueThrow: string;
  readonly drop: string;
  /** The start function, when it may suspend; whoever instantiates the module has to call it. */
  readonly start: string;
  /** Globals: see runtime-globals.ts. */
  readonly needed: string;
  readonly refused: string;
  readonly resumptions: string;
  readonly maximum: string;
  /** The frame that is to be continued, and the end of its segment: globals, with addresses in {@link AbiNames.memory}. */
  readonly frame: string;
  readonly end: string;
  /** The table of the resume copies, by their numbers. */
  readonly resumeCopies: string;
  /** The table for functions of the host, when there is one: see thrown-values.ts. */
  readonly hostFunctions: string;
  /** The tag of the exception by which functions suspend that return no zeros; only when there are any. */
  readonly unwind: string;
  /** The memory of the areas. */
  readonly memory: string;
  /** A global: address of the record of the instance there. To be set before anything else is used: area-memory.ts. */
  readonly record: string;
}

export const ABI: AbiNames = {
  suspend: `${RESERVED}suspend`,
  begin: `${RESERVED}begin`,
  leave: `${RESERVED}leave`,
  resumeThrow: `${RESERVED}resumeThrow`,
  continueThrow: `${RESERVED}continueThrow`,
  drop: `${RESERVED}drop`,
  start: `${RESERVED}start`,
  needed: `${RESERVED}needed`,
  refused: `${RESERVED}refused`,
  resumptions: `${RESERVED}resumptions`,
  maximum: `${RESERVED}maximum`,
  frame: `${RESERVED}frame`,
  end: `${RESERVED}end`,
  resumeCopies: `${RESERVED}resumeCopies`,
  hostFunctions: `${RESERVED}hostFunctions`,
  unwind: `${RESERVED}unwind`,
  memory: `${RESERVED}areas`,
  record: `${RESERVED}record`,
};

/** The export that continues a stack which waits for results of these types. */
export function resumeExport(results: readonly ValueType[]): string {
  return `${RESERVED}resume.${results.map(valueTypeName).join(",")}`;
}

/** The export with the results of a stack that has returned. */
export function resultsExport(results: readonly ValueType[]): string {
  return `${RESERVED}results.${results.map((type) => valueTypeName(storableType(type))).join(",")}`;
}

/** The first of the types whose values JavaScript can neither give nor take; undefined when there is none. */
export function typeUnknownToJavaScript({ params, results }: FunctionType): ValueType | undefined {
  return [...params, ...results].find(
    (type) => type === V128 || (isReference(type) && EXCEPTIONS.has(heapTypeOf(type))),
  );
}

/** Codes of the heap types of exceptions, `exn` and `noexn`. */
const EXCEPTIONS: ReadonlySet<number> = new Set([-23, -12]);

export class AbiExports {
  readonly #first: FirstModule;
  readonly #results: ResultGlobals;
  readonly #added = new Set<string>();

  constructor(first: FirstModule, results: ResultGlobals) {
    this.#first = first;
    this.#results = results;
  }

  addFixed(runtime: RuntimeFunctions, home: RuntimeHome): void {
    const first = this.#first;
    const globals = home.firstGlobals;
    const suspend = first.addFunction({ params: [], results: [] });
    suspend.code.i32Const(1).globalSet(globals.state);
    first.export(ABI.suspend, "function", suspend.index);
    for (const name of ["begin", "leave", "resumeThrow", "continueThrow", "drop"] as const) {
      home.export(ABI[name], "function", runtime[name]);
    }
    for (const name of ["needed", "refused", "resumptions", "maximum", "frame", "end", "record"] as const) {
      first.export(ABI[name], "global", globals[name]);
    }
    first.export(ABI.resumeCopies, "table", home.firstResumeTable);
    home.export(ABI.memory, "memory", home.memory);
  }

  /** For an import that may suspend. */
  addResume({ results }: FunctionType, emitResume: (builder: FunctionBuilder) => void): void {
    const name = resumeExport(results);
    if (this.#added.has(name)) return;
    this.#added.add(name);
    const params = [I32, ...results];
    const builder = this.#first.addFunction({ params, results: [I32] });
    for (const [position, global] of this.#results.for(results).entries()) {
      builder.code.localGet(position + 1).globalSet(global);
    }
    emitResume(builder);
    this.#first.export(name, "function", builder.index);
  }

  /** For an export that may suspend. References are let go of. */
  addResults({ results }: FunctionType): void {
    const name = resultsExport(results);
    if (typeUnknownToJavaScript({ params: [], results }) !== undefined || this.#added.has(name)) return;
    this.#added.add(name);
    const { code, index } = this.#first.addFunction({ params: [], results: results.map(storableType) });
    for (const global of this.#results.for(results)) code.globalGet(global);
    for (const [position, global] of this.#results.for(results).entries()) {
      const type = storableType(results[position]!);
      if (isReference(type)) code.refNull(heapTypeOf(type)).globalSet(global);
    }
    this.#first.export(name, "function", index);
  }
}
