/**
 * Generates the link module of a guest: what enters, leaves and re-enters its activations.
 *
 * It is instantiated after the guest, whose exports and stack pointer it imports. Its functions keep the switchboard and the
 * guest's stack pointer right at every switch; they have to be wasm, since between the settling of a promise and the guest's
 * continuation no JavaScript of ours runs. What one of them does in text form stands above it.
 *
 *     entry_f(record, P…) -> R…       enters record, calls the guest's f, ends record also when f throws
 *     await_i(P…) -> R…               for the shim of import i: calls the host function, which is expected to answer with a promise
 *     judge_i(…) -> R…                for the shim of import i: what has crossed may be, or announce, something to wait for
 *     wait_R(answer, import) -> R…    waits for an answer that is at hand: leaves the record, suspends, enters it again
 *     end(record)                     for the host: ends a record whose guest code was cut off by a trap
 */

import { ModuleBuilder } from "../binary/builder.ts";
import type { FunctionType } from "../binary/extern-types.ts";
import { EXTERNREF, FUNCREF, I32 } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import { AWAITS, MARK, WAITS, crossingOf, emitGetAll, judgeType } from "./import-shims.ts";
import type { ShimmedImport } from "./import-shims.ts";
import { Switches } from "./record-switches.ts";
import type { Imports, Stack } from "./record-switches.ts";
import { AWAITED, CROWD, CURRENT, FLAGS, LIVE, ON_MAIN_STACK, SYNCHRONOUS, THREW } from "./switchboard.ts";

/** Where its imports come from: the guest, its host functions, the same to suspend for, and what links them. */
export const GUEST = "guest";
export const HOST = "host";
export const AWAIT_HOST = "await-host";
export const LINK = "link";
export const MEMORY = "memory";
export const ENTRY = "entry.";
export const END = "end";
/** Names under which the prepared guest exports its stack pointer and the limit that it checks. */
export const STACK_POINTER = "stackful:stack-pointer";
export const STACK_LIMIT = "stackful:stack-limit";
/** What the pointer was before the last frame was taken; only a guest with stacks of its own has it. */
export const STACK_BEFORE = "stackful:stack-before";

/** The exported functions to enter, by their position, and what the guest has for a stack. */
export interface EntryPlan {
  readonly entries: readonly {
    readonly name: string;
    /** The name under which the guest exports a function of this very type. */
    readonly imported: string;
    readonly type: FunctionType;
  }[];
  /** The imports that have a shim, by their position. */
  readonly imports: readonly ShimmedImport[];
  /** `undefined`: the guest keeps no stack in its memory. */
  readonly stackPointer: { readonly type: ValueType; readonly checked: boolean } | undefined;
}

/** The distinct result types of the imports: each has its `wait`. */
export function distinctResults(imports: readonly ShimmedImport[]): (readonly ValueType[])[] {
  const distinct: (readonly ValueType[])[] = [];
  for (const { type } of imports) {
    if (!distinct.some((known) => sameTypes(known, type.results))) distinct.push(type.results);
  }
  return distinct;
}

function sameTypes(a: readonly ValueType[], b: readonly ValueType[]): boolean {
  return a.length === b.length && a.every((type, position) => type === b[position]);
}

/** The function of `wait` and `settle` for these results: takes the answer and the position of its import. */
function settleType(results: readonly ValueType[]): FunctionType {
  return { params: [EXTERNREF, I32], results };
}

/**
 * Imports `guest.<name>`: its functions, and what prepare.ts has it export; `host.<import>`: a host function as `P -> externref`;
 * `await-host.<import>`: the same as `P -> R`, suspending; `link.await.<slot>`: suspends until the answer (its first argument) has
 * settled; `link.settle.<slot>`, `link.pending`, `link.surprise`, `link.failed`, `link.was-left`, `link.not-left`: see import-side.ts; `link.hook`,
 * `link.ended`, `link.cut-off`: see record-switches.ts.
 */
export function buildEntryShims(plan: EntryPlan): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  const results = distinctResults(plan.imports);
  const imports = importAll(module, plan, results);
  const stack = importStack(module, plan.stackPointer);
  const guest = module.importGlobal(LINK, "guest", { type: I32, mutable: false });
  const parts = new Switches(module, { imports, guest, stack });
  const waits = results.map((each, slot) => emitWait(module, parts, { slot, results: each }));
  const shimmed = plan.imports.map(({ type, name }, position) => {
    const slot = results.findIndex((known) => sameTypes(known, type.results));
    return { type, name, position, wait: waits[slot]!, settle: imports.settles[slot]! };
  });
  const awaits = shimmed.map((each) => emitAwait(module, parts, each));
  const judges = shimmed.map((each) => emitJudge(module, imports, each));
  if (shimmed.length > 0) module.addElements(0, (code) => code.i32Const(0), [...awaits, ...judges]);
  for (const [position, entry] of plan.entries.entries()) {
    module.export(`${ENTRY}${position}`, "function", emitEntry(module, parts, { position, ...entry }));
  }
  module.export(END, "function", parts.end.index);
  return module.build();
}

function importAll(module: ModuleBuilder, plan: EntryPlan, waits: readonly (readonly ValueType[])[]): Imports {
  const imports = {
    entries: plan.entries.map(({ imported, type }) => module.importFunction(GUEST, imported, type)),
    awaits: waits.map((results, slot) => module.importFunction(LINK, `await.${slot}`, settleType(results))),
    hosts: plan.imports.map(({ type: { params } }, position) =>
      module.importFunction(HOST, String(position), { params, results: [EXTERNREF] }),
    ),
    awaitHosts: plan.imports.map(({ type }, position) => module.importFunction(AWAIT_HOST, String(position), type)),
    failed: module.importFunction(LINK, "failed", { params: [EXTERNREF, I32], results: [] }),
    jsException: module.importTag(LINK, "js-exception", [EXTERNREF]),
    settles: waits.map((results, slot) => module.importFunction(LINK, `settle.${slot}`, settleType(results))),
    pending: module.importFunction(LINK, "pending", { params: [], results: [EXTERNREF] }),
    surprise: module.importFunction(LINK, "surprise", { params: [], results: [EXTERNREF] }),
    wasLeft: module.importFunction(LINK, "was-left", { params: [EXTERNREF, I32], results: [I32] }),
    notLeft: module.importFunction(LINK, "not-left", { params: [EXTERNREF, I32], results: [] }),
    hook: module.importFunction(LINK, "hook", { params: [I32, I32], results: [] }),
    ended: module.importFunction(LINK, "ended", { params: [I32], results: [] }),
    cutOff: module.importFunction(LINK, "cut-off", { params: [I32], results: [] }),
    expects: plan.imports.map((_, slot) =>
      module.importGlobal(GUEST, `${AWAITS}${slot}`, { type: I32, mutable: true }),
    ),
  };
  const slots = 2 * plan.imports.length;
  if (slots > 0) module.importTable(GUEST, WAITS, { element: FUNCREF, minimum: slots, maximum: slots });
  module.importMemory(LINK, MEMORY, { minimum: 1 });
  return imports;
}

function importStack(module: ModuleBuilder, plan: EntryPlan["stackPointer"]): Stack | undefined {
  if (plan === undefined) return undefined;
  const global = { type: plan.type, mutable: true };
  return {
    type: plan.type,
    pointer: module.importGlobal(GUEST, STACK_POINTER, global),
    limit: plan.checked ? module.importGlobal(GUEST, STACK_LIMIT, global) : undefined,
  };
}

/**
 *     (func $entry (param $record i32) (param P…) (result R…)
 *       (call $enter (local.get $record))
 *       (try (result R…) (do (call $guest (local.get P…)))
 *         (catch_all (call $end (local.get $record)) THREW = 1 (rethrow 0)))
 *       (call $end (local.get $record)))
 *
 * The legacy form of exceptions, since every engine with JSPI has it and Node 24 lacks the newer one. A trap passes through.
 */
function emitEntry(
  module: ModuleBuilder,
  parts: Switches,
  { position, name, type }: EntryPlan["entries"][number] & { position: number },
): number {
  const entry = module.addFunction({ params: [I32, ...type.params], results: type.results }, `enter ${name}`);
  const { code } = entry;
  code.localGet(0).call(parts.enter.index);
  code.try({ type: module.type({ params: [], results: type.results }) });
  for (const index of type.params.keys()) code.localGet(index + 1);
  code.call(parts.imports.entries[position]!);
  code.catchAll().localGet(0).call(parts.end.index);
  code.i32Const(0).i32Const(1).i32Store(THREW).rethrow(0).end();
  code.localGet(0).call(parts.end.index);
  return entry.index;
}

/** A shimmed import by its position among them, with the functions for its results. */
interface WaitingImport {
  readonly position: number;
  readonly name: string;
  readonly type: FunctionType;
  readonly wait: number;
  readonly settle: number;
}

/**
 * What a shim could not return at once, by how it has crossed. (A promise that announces nothing else has its place in $promise.)
 *
 *     (func $judge (param $crossed …) (result R…)
 *       <"integer">  (local.set $value (call $settle (local.get $crossed) (i32.const position)))
 *                    (if (i32.ne (local.get $value) (i32.const MARK)) (then (return (local.get $value))))
 *       <"nothing">  (local.set $promise (local.get $crossed))
 *       <others>     (if (ref.is_null (local.tee $promise (call $pending))) (then (return (local.get $crossed …))))
 *       (global.set $awaits (i32.or (global.get $awaits) (i32.eqz (global.get $awaits))))     ;; 1, unless it is -1
 *       (return_call $wait_R (local.get $promise) (i32.const position)))
 */
function emitJudge(module: ModuleBuilder, imports: Imports, plan: WaitingImport): number {
  const { position, name, type, wait, settle } = plan;
  const judge = module.addFunction(judgeType(type), `judge ${name}`);
  const { code } = judge;
  const crossing = crossingOf(type.results);
  let [promise, crossed] = [0, [...judge.type.params.keys()]];
  if (crossing === "integer") {
    const value = judge.local(I32);
    code.localGet(0).i32Const(position).call(settle).localTee(value).i32Const(MARK).i32Ne().if();
    code.localGet(value).return().end();
    crossed = [value];
  }
  if (crossing !== "nothing") {
    promise = judge.local(EXTERNREF);
    code.call(imports.pending).localTee(promise).refIsNull().if();
    emitGetAll(code, crossed, type.results);
    code.return().end();
  }
  const awaits = imports.expects[position]!;
  code.globalGet(awaits).globalGet(awaits).i32Eqz().i32Or().globalSet(awaits);
  code.localGet(promise).i32Const(position).returnCall(wait);
  return judge.index;
}

/**
 * The common case: nothing of what flags announce has to be looked at, and nothing else is running. It costs one call of the host
 * function and one suspension, as the engine's own import does.
 *
 *     (func $await (param P…) (result R…) (local $record i32) (local $flags i32)
 *       (local.set $record (i32.load $CURRENT)) (local.set $flags (FLAGS($record)))
 *       (if ($flags & ~ON_MAIN_STACK || GUEST($record) != $guest || LIVE >= CROWD)
 *         (then (return_call $wait_R (call $host (local.get P…)) (i32.const position))))
 *       AWAITED($record) = position + 1
 *       <leave to idle>
 *       (try (result R…) (do (call $await-host (local.get P…)))
 *         (catch $js-exception                                      ;; an externref
 *           <enter from idle>
 *           (call $failed (i32.const position))                     ;; throws, unless the answer was no promise
 *           (return (call $settle (call $surprise) (i32.const position))))
 *         (catch_all <enter from idle> (rethrow 0)))
 *       <enter from idle>)
 */
function emitAwait(
  module: ModuleBuilder,
  parts: Switches,
  { position, name, type, wait, settle }: WaitingImport,
): number {
  const { imports } = parts;
  const body = module.addFunction(type, `await ${name}`);
  const { code } = body;
  const [record, flags] = [body.local(I32), body.local(I32)];
  const passParams = (): void => {
    for (const index of type.params.keys()) code.localGet(index);
  };
  code.i32Const(0).i32Load(CURRENT).localTee(record).i32Load(FLAGS).localTee(flags);
  code.i32Const(~ON_MAIN_STACK).i32And();
  parts.emitIsForeign(code, record);
  code.i32Or().i32Const(0).i32Load(LIVE).i32Const(0).i32Load(CROWD).i32GeS().i32Or().if();
  passParams();
  code.call(imports.hosts[position]!).i32Const(position).returnCall(wait).end();
  code
    .localGet(record)
    .i32Const(position + 1)
    .i32Store(AWAITED);
  parts.emitLeaveToIdle(code, record, flags);
  code.try({ type: module.type({ params: [], results: type.results }) });
  passParams();
  code.call(imports.awaitHosts[position]!);
  code.catch(imports.jsException);
  parts.emitEnterFromIdle(code, record);
  code.i32Const(position).call(imports.failed);
  code.call(imports.surprise).i32Const(position).call(settle).return();
  code.catchAll();
  parts.emitEnterFromIdle(code, record);
  code.rethrow(0).end();
  parts.emitEnterFromIdle(code, record);
  return body.index;
}

/**
 *     (func $wait (param $answer externref) (param $import i32) (result R…) (local $record i32)
 *       (local.set $record (i32.load $CURRENT))
 *       (if (FLAGS($record) & SYNCHRONOUS || GUEST($record) != $guest)
 *         (then (return_call $settle (local.get $answer) (local.get $import))))    ;; throws if it is a promise
 *       AWAITED($record) = $import + 1
 *       (call $leave (local.get $record))
 *       (try (result R…) (do (call $await (local.get $answer) (local.get $record)))
 *         (catch $js-exception                                                     ;; an externref
 *           (if (call $was-left (local.get $record))
 *             (then (call $enter-again (local.get $record)) (rethrow 1)))
 *           (call $undo-leave (local.get $record))
 *           (call $not-left (local.get $answer) (local.get $import))               ;; throws, unless it was no promise
 *           (return (call $settle (call $surprise) (local.get $import))))          ;; what $await has put aside
 *         (catch_all (call $enter-again (local.get $record)) (rethrow 0)))
 *       (call $enter-again (local.get $record)))
 */
function emitWait(
  module: ModuleBuilder,
  parts: Switches,
  { slot, results }: { slot: number; results: readonly ValueType[] },
): number {
  const wait = module.addFunction(settleType(results), `wait ${slot}`);
  const { code } = wait;
  const [answer, imported, record] = [0, 1, wait.local(I32)];
  const settle = parts.imports.settles[slot]!;
  code.i32Const(0).i32Load(CURRENT).localTee(record).i32Load(FLAGS).i32Const(SYNCHRONOUS).i32And();
  parts.emitIsForeign(code, record);
  code.i32Or().if();
  code.localGet(answer).localGet(imported).returnCall(settle).end();
  code.localGet(record).localGet(imported).i32Const(1).i32Add().i32Store(AWAITED);
  code.localGet(record).call(parts.leave.index);
  code.try({ type: module.type({ params: [], results }) });
  code.localGet(answer).localGet(record).call(parts.imports.awaits[slot]!);
  code.catch(parts.imports.jsException);
  code.localGet(record).call(parts.imports.wasLeft).if();
  code.localGet(record).call(parts.enterAgain.index).rethrow(1).end();
  code.localGet(record).call(parts.undoLeave.index);
  code.localGet(answer).localGet(imported).call(parts.imports.notLeft);
  code.call(parts.imports.surprise).localGet(imported).call(settle).return();
  code.catchAll().localGet(record).call(parts.enterAgain.index).rethrow(0).end();
  code.localGet(record).call(parts.enterAgain.index);
  return wait.index;
}
