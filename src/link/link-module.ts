/** The two generated halves of the link module of one guest, and how they are put together around an instance of it. */

import { functionType } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import { AWAIT, END, ENTRY, GUEST, WAIT, buildEntryShims } from "./entry-shims.ts";
import type { EntryPlan } from "./entry-shims.ts";
import { ASK, EXPECT, AWAIT_HOST, HOST, LINK, MEMORY, WAITS, buildImportShims, canShim } from "./import-shims.ts";
import type { HostFunction } from "./answer-tests.ts";
import type { ImportSide } from "./import-side.ts";
import type { PreparedGuest } from "./prepare.ts";
import { START } from "./prepare.ts";
import { memory } from "./switchboard.ts";

/** The tag of JavaScript's own exceptions; TypeScript's library does not know it. All engines with JSPI have it. */
const { JSTag } = WebAssembly as { readonly JSTag?: object };

/** Generated once for a guest, instantiated with each of its instances. */
export interface LinkModule {
  readonly imports: WebAssembly.Module;
  readonly entries: WebAssembly.Module;
  /** Positions, among all imports of the guest, of those that have a shim. */
  readonly shimmed: readonly number[];
  /** Names of the functions that have an entry: exports, and the start function. */
  readonly entered: readonly string[];
  /** Number of distinct result types that can be waited for. */
  readonly waitCount: number;
}

export function buildLinkModule(guest: PreparedGuest): LinkModule {
  const { surface } = guest;
  const shimmed = shimmedImports(surface);
  const imports = shimmed.map((position) => {
    const { module, name, index } = surface.imports[position]!;
    return { type: functionType(surface, index), name: `${module}.${name}` };
  });
  const shims = buildImportShims(imports);
  const entries = enteredFunctions(surface);
  const entryShims = buildEntryShims({
    entries,
    imports,
    waits: shims.waits,
    stackPointer: stackPointerOf(guest),
  });
  return {
    imports: new WebAssembly.Module(shims.bytes),
    entries: new WebAssembly.Module(entryShims),
    shimmed,
    entered: entries.map(({ name }) => name),
    waitCount: shims.waits.length,
  };
}

/**
 * A name that is imported twice with different types has one value in the import object, which only a JavaScript function can
 * be for both: it is not shimmed.
 */
function shimmedImports(module: BinaryModule): number[] {
  const typesOf = new Map<string, Set<number>>();
  const key = (position: number): string =>
    JSON.stringify([module.imports[position]!.module, module.imports[position]!.name]);
  const functions = [...module.imports.keys()].filter((position) => module.imports[position]!.kind === "function");
  for (const position of functions) {
    const types = typesOf.get(key(position)) ?? new Set();
    typesOf.set(key(position), types.add(module.functions[module.imports[position]!.index]!));
  }
  return functions.filter((position) => {
    return typesOf.get(key(position))!.size === 1 && canShim(functionType(module, module.imports[position]!.index));
  });
}

function enteredFunctions(module: BinaryModule): EntryPlan["entries"] {
  const functions = module.exports.filter(({ kind }) => kind === "function");
  const start = module.start === null ? [] : [{ name: START, index: module.start }];
  return [...functions, ...start]
    .map(({ name, index }) => ({ name, type: functionType(module, index) }))
    .filter(({ type }) => canShim(type));
}

function stackPointerOf({ original, stack, checksStack }: PreparedGuest): EntryPlan["stackPointer"] {
  return stack.kind === "found" ? { type: original.globals[stack.global]!.type, checked: checksStack } : undefined;
}

/** The host's function for one of the shims. */
export interface LinkedHost {
  readonly host: HostFunction;
  readonly paramCount: number;
  readonly alwaysAwaits: boolean;
}

/** Shims of one instance: position among the shimmed imports → function for the guest. */
export interface LinkedImports {
  readonly hosts: readonly LinkedHost[];
  readonly functions: readonly unknown[];
  readonly table: WebAssembly.Table;
}

/** Makes the first half, which the guest imports. `alwaysAwaits`: position → whether a promise is to be expected at once. */
export function linkImports(link: LinkModule, side: ImportSide, hosts: readonly LinkedHost[]): LinkedImports {
  const { exports } = new WebAssembly.Instance(link.imports, {
    [HOST]: Object.fromEntries(hosts.map(({ host }, position) => [position, host])),
    [ASK]: Object.fromEntries(hosts.map(({ paramCount }, position) => [position, side.ask(position, paramCount)])),
    [LINK]: { settle: side.settle, [MEMORY]: memory },
  });
  side.expect = hosts.map((_, position) => exports[`${EXPECT}${position}`] as (awaits: number, learns: number) => void);
  for (const [position, { alwaysAwaits }] of hosts.entries()) if (alwaysAwaits) side.expect[position]!(1, 1);
  const functions = hosts.map((_, position) => exports[String(position)]);
  return { hosts, functions, table: exports[WAITS] as WebAssembly.Table };
}

/** What JavaScript gives the second half. */
export interface EntrySide {
  /** Address of the guest's block in the switchboard. */
  readonly guest: number;
  /** Makes a function an import that suspends until the promise which it returns has settled. */
  readonly suspending: (body: Function) => unknown;
  readonly hook: (record: number, isEntering: number) => void;
  readonly ended: (record: number) => void;
  readonly cutOff: (record: number) => void;
}

/** Functions that enter the guest: they take a record, then the arguments. */
export type Entry = (record: number, ...args: unknown[]) => unknown;

export interface LinkedEntries {
  /** Name of an export → its entry. */
  readonly entries: ReadonlyMap<string, Entry>;
  /** Ends a record whose guest code was cut off by a trap. */
  readonly end: (record: number) => void;
}

/** Makes the second half around the guest's instance, and puts its wait functions where the first half looks for them. */
export function linkEntries(
  link: LinkModule,
  instance: WebAssembly.Instance,
  { side, imports, entrySide }: { side: ImportSide; imports: LinkedImports; entrySide: EntrySide },
): LinkedEntries {
  const { guest, hook, ended, cutOff, suspending } = entrySide;
  side.guest = guest;
  const { hosts, table } = imports;
  const host: Record<string, unknown> = {
    guest,
    hook,
    ended,
    "cut-off": cutOff,
    "was-left": side.wasLeft,
    "not-left": side.notLeft,
    failed: side.failed,
    "js-exception": JSTag,
    [MEMORY]: memory,
  };
  const awaitAnswer = suspending(side.await);
  for (let slot = 0; slot < link.waitCount; slot++) {
    host[`await.${slot}`] = awaitAnswer;
    host[`settle.${slot}`] = side.settle;
  }
  const { exports } = new WebAssembly.Instance(link.entries, {
    [LINK]: host as WebAssembly.ModuleImports,
    [GUEST]: instance.exports,
    [HOST]: Object.fromEntries(hosts.map((entry, position) => [position, entry.host])),
    [AWAIT_HOST]: Object.fromEntries(
      hosts.map(({ paramCount }, position) => [position, suspending(side.awaitHost(position, paramCount))]),
    ) as WebAssembly.ModuleImports,
  });
  for (const position of hosts.keys()) table.set(position, exports[`${AWAIT}${position}`]);
  for (let slot = 0; slot < link.waitCount; slot++) table.set(hosts.length + slot, exports[`${WAIT}${slot}`]);
  return {
    entries: new Map(link.entered.map((name, position) => [name, exports[`${ENTRY}${position}`] as Entry])),
    end: exports[END] as (record: number) => void,
  };
}
