/** The generated link module of one guest, and how it is put around an instance of it. */

import { functionType } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import type { HostFunction } from "./answer-tests.ts";
import { AWAIT_HOST, END, ENTRY, GUEST, HOST, LINK, MEMORY, buildEntryShims, distinctResults } from "./entry-shims.ts";
import type { EntryPlan } from "./entry-shims.ts";
import type { ImportSide } from "./import-side.ts";
import { betterError } from "./guest-module.ts";
import { makeEdit } from "./module-edit.ts";
import type { EditModule } from "./module-edit.ts";
import { AWAITS, canShim, shimImports } from "./import-shims.ts";
import type { ShimmedImport } from "./import-shims.ts";
import { START } from "./prepare.ts";
import { plainName } from "./plain-exports.ts";
import type { PreparedGuest } from "./prepare.ts";
import { memory } from "./switchboard.ts";

/** The tag of JavaScript's own exceptions; TypeScript's library does not know it. All engines with JSPI have it. */
const { JSTag } = WebAssembly as { readonly JSTag?: object };

/** Made once of a guest, instantiated with each of its instances. */
export interface LinkModule {
  /** The copy of the guest. */
  readonly guest: WebAssembly.Module;
  readonly shims: readonly ShimmedImport[];
  readonly entries: WebAssembly.Module;
  /** Names of the functions that have an entry: exports, and the start function. */
  readonly entered: readonly string[];
  /** Number of distinct result types that can be waited for. */
  readonly waitCount: number;
}

export async function buildLinkModule(guest: PreparedGuest, edit: EditModule = makeEdit): Promise<LinkModule> {
  const copy = await compileCopy(guest, edit);
  const entries = enteredFunctions(guest.surface);
  const bytes = buildEntryShims({ entries, imports: copy.shims, stackPointer: stackPointerOf(guest) });
  return {
    ...copy,
    entries: new WebAssembly.Module(bytes),
    entered: entries.map(({ name }) => name),
    waitCount: distinctResults(copy.shims).length,
  };
}

async function compileCopy(
  { bytes, original }: PreparedGuest,
  edit: EditModule,
): Promise<Pick<LinkModule, "guest" | "shims">> {
  try {
    const { shims, build } = shimImports(bytes);
    const copy = await edit(bytes, { name: "import shims", make: build });
    return { guest: await WebAssembly.compile(copy), shims };
  } catch (error) {
    throw await betterError(original.bytes, error);
  }
}

function enteredFunctions(module: BinaryModule): EntryPlan["entries"] {
  const functions = module.exports.filter(({ kind }) => kind === "function");
  const start = module.start === null ? [] : [{ name: START, index: module.start }];
  return [...functions, ...start]
    .map(({ name, index }) => ({ name, imported: plainName(module, name, index), type: functionType(module, index) }))
    .filter(({ type }) => canShim(type));
}

function stackPointerOf({ original, stack, checksStack }: PreparedGuest): EntryPlan["stackPointer"] {
  return stack.kind === "found" ? { type: original.globals[stack.global]!.type, checked: checksStack } : undefined;
}

/** A host function that has a shim. */
export interface LinkedHost {
  readonly host: HostFunction;
  readonly paramCount: number;
  readonly alwaysAwaits: boolean;
}

/** What JavaScript gives the link module. */
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

/** Makes the link module around the guest's instance. `hosts`: in the order of the shims. */
export function linkEntries(
  link: LinkModule,
  instance: WebAssembly.Instance,
  { side, hosts, entrySide }: { side: ImportSide; hosts: readonly LinkedHost[]; entrySide: EntrySide },
): LinkedEntries {
  const { guest, hook, ended, cutOff, suspending } = entrySide;
  side.guest = guest;
  side.expects = hosts.map((_, position) => instance.exports[`${AWAITS}${position}`] as WebAssembly.Global);
  for (const [position, { alwaysAwaits }] of hosts.entries()) if (alwaysAwaits) side.expects[position]!.value = 1;
  const host: Record<string, unknown> = {
    guest,
    hook,
    ended,
    "cut-off": cutOff,
    "was-left": side.wasLeft,
    "not-left": side.notLeft,
    failed: side.failed,
    pending: side.pending,
    surprise: side.surprise,
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
  return {
    entries: new Map(link.entered.map((name, position) => [name, exports[`${ENTRY}${position}`] as Entry])),
    end: exports[END] as (record: number) => void,
  };
}
