/**
 * Makes the copy of a guest that is instantiated: a few exports more, no start section, and stack bounds that its code checks.
 *
 * Code is only touched where it lowers the stack pointer, where a comparison follows: without it an activation that overflows
 * its region would write into its neighbour's before anybody could notice, and words of guard at the end of a region do not
 * help against a frame that is larger than they are. The comparison costs nothing that could be measured (CPython: 125.3 against
 * 125.4 ms); as a call of a function it cost 7 %.
 *
 *     global.set $sp   global.get $sp   global.get $limit   i32.lt_u   if   unreachable   end
 *
 * A guest that also has stacks of its own (see pointer-sets.ts) overflows the one that is guarded only if it was on that before:
 *
 *     global.get $sp   global.set $before   global.set $sp   global.get $sp   global.get $limit   i32.lt_u
 *     if   global.get $before   global.get $limit   i32.ge_u   if   unreachable   end   end
 */

import { hasWaits, suspendWaits } from "../atomics/suspend-waits.ts";
import { countInstructions } from "../preemption/count-instructions.ts";
import type { Precision } from "../preemption/count-instructions.ts";
import type { Code } from "../binary/code.ts";
import { decodeModule } from "../binary/decode-module.ts";
import { ModuleEditor } from "../binary/editor.ts";
import type { BinaryModule } from "../binary/module.ts";
import { I64 } from "../binary/value-types.ts";
import { findMemorySource } from "./allocator.ts";
import type { MemorySource } from "./allocator.ts";
import { STACK_BEFORE, STACK_LIMIT, STACK_POINTER } from "./entry-shims.ts";
import { classifyPointerSets } from "./pointer-sets.ts";
import { keepLongjmp } from "./longjmp.ts";
import { limitMemories } from "./memory-limit.ts";
import { scanCode } from "./scan.ts";
import type { GlobalUse } from "./scan.ts";
import { findGuestStack } from "./stack-pointer.ts";
import type { GuestStack } from "./stack-pointer.ts";

/** Names under which the prepared guest exports what the host needs. */
export const RESERVED = "stackful:";
export const START = "stackful:start";
export const ALLOCATE = "stackful:allocate";
export const FREE_MEMORY = "stackful:free";
export const MEMORY_0 = "stackful:memory";

export interface PrepareOptions {
  /** Whether activations may overlap at all; if not, nothing has to be known about the guest's stack. */
  readonly overlaps: boolean;
  /** Whether to check the stack bounds. */
  readonly checksStack: boolean;
  /** Whether threads that wait in a shared memory are suspended; no when left out. */
  readonly suspendsWaits?: boolean;
  /** Bytes that each of its memories may have at most. */
  readonly maxMemoryBytes?: number | undefined;
}

export interface PreparedGuest {
  /** The guest as it was given, but with the limits of its memories, imports in place of waits, and `longjmp` of its own. */
  readonly original: BinaryModule;
  /** The guest's own exports, and its imports with those that are added; indices are those of {@link PreparedGuest.bytes}. */
  readonly surface: BinaryModule;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly stack: GuestStack;
  readonly memorySource: MemorySource;
  /** Whether the code checks the stack bounds. */
  readonly checksStack: boolean;
}

/** @throws {WebAssembly.CompileError} when the bytes are no module */
export function prepareGuest(bytes: Uint8Array<ArrayBuffer>, options: PrepareOptions): PreparedGuest {
  const given = decodeModule(bytes);
  const reserved = given.exports.find(({ name }) => name.startsWith(RESERVED));
  if (reserved !== undefined) {
    throw new TypeError(
      `Cannot prepare guest: it exports "${reserved.name}", a name that is reserved for what is added to it`,
    );
  }
  const jumping = withOwnExports(keepLongjmp(given)) ?? given;
  const waits = options.suspendsWaits === true && hasWaits(jumping);
  const suspending = (waits ? withOwnExports(suspendWaits(jumping)) : undefined) ?? jumping;
  const editor = new ModuleEditor(suspending);
  const { maxMemoryBytes } = options;
  const original = maxMemoryBytes === undefined ? suspending : limitMemories(suspending, editor, maxMemoryBytes);
  if (original.start !== null) {
    editor.removeStart();
    editor.export(START, "function", original.start);
  }
  if (original.memories.length > 0) editor.export(MEMORY_0, "memory", 0);
  return options.overlaps ? prepareToOverlap(original, editor, options) : prepareToQueue(original, editor);
}

/** Makes a prepared guest count what it does, so that it can be interrupted. Takes longer than all the rest: 2 s for 60 MB of code. */
export function count(bytes: Uint8Array<ArrayBuffer>, precision: Precision): Uint8Array<ArrayBuffer> {
  return countInstructions(decodeModule(bytes), precision);
}

/** `prepared`, which did not count, with `counted`: what {@link count} has made of its bytes. */
export function counting(prepared: PreparedGuest, counted: Uint8Array<ArrayBuffer>): PreparedGuest {
  const surface = decodeModule(counted);
  const exports = surface.exports.filter(({ name }) => !name.startsWith(RESERVED));
  const start = surface.exports.find(({ name }) => name === START)?.index ?? null;
  return { ...prepared, bytes: counted, surface: { ...surface, exports, start } };
}

/** An edited guest with the exports that it had. */
function withOwnExports(edited: Uint8Array<ArrayBuffer> | undefined): BinaryModule | undefined {
  if (edited === undefined) return undefined;
  const module = decodeModule(edited);
  return { ...module, exports: module.exports.filter(({ name }) => !name.startsWith(RESERVED)) };
}

function prepareToQueue(original: BinaryModule, editor: ModuleEditor): PreparedGuest {
  const reason = "calls were asked to be queued";
  const takesGrownPages = importsMemory(original) && scanCode(original).readsMemorySize;
  return {
    original,
    surface: original,
    bytes: editor.build(),
    stack: { kind: "unknown", reason },
    memorySource: { kind: "none", reason, takesGrownPages },
    checksStack: false,
  };
}

function prepareToOverlap(original: BinaryModule, editor: ModuleEditor, options: PrepareOptions): PreparedGuest {
  const scan = scanCode(original);
  const stack = findGuestStack(original, scan);
  const memorySource = findMemorySource(original, scan);
  if (stack.kind === "found") editor.export(STACK_POINTER, "global", stack.global);
  // A guest on an imported memory may get its stacks from the allocator of another.
  const mayOverlap = memorySource.kind !== "none" || importsMemory(original);
  const checksStack = options.checksStack && stack.kind === "found" && mayOverlap;
  if (stack.kind === "found")
    watchStack(editor, original, { ...stack, use: scan.globals.get(stack.global)!, checksStack });
  if (memorySource.kind === "allocator" && stack.kind === "found") {
    editor.export(ALLOCATE, "function", memorySource.allocator.allocate);
    const { free } = memorySource.allocator;
    if (free !== undefined) editor.export(FREE_MEMORY, "function", free);
  }
  return { original, surface: original, bytes: editor.build(), stack, memorySource, checksStack };
}

/** Whether others may have the guest's memory, too. */
export function importsMemory(module: BinaryModule): boolean {
  return module.imports.some(({ kind }) => kind === "memory");
}

/** Makes the code of the guest compare its stack pointer with a limit where it takes a frame. */
function watchStack(
  editor: ModuleEditor,
  module: BinaryModule,
  pointer: { global: number; use: GlobalUse; checksStack: boolean },
): void {
  const { type } = module.globals[pointer.global]!;
  const is64 = type === I64;
  const addGlobal = (name: string): number => {
    const index = editor.addGlobal({ type, mutable: true }, (code) => (is64 ? code.i64Const(0) : code.i32Const(0)));
    editor.export(name, "global", index);
    return index;
  };
  const { frameSets, unclearBodies } = pointer.use;
  const { frames, switches } = classifyPointerSets(module, pointer.global, unclearBodies);
  const limit = pointer.checksStack ? addGlobal(STACK_LIMIT) : undefined;
  const before = switches.length > 0 ? addGlobal(STACK_BEFORE) : undefined;
  if (limit === undefined) return;
  const globals = { pointer: pointer.global, limit, before };
  const sites = new Map([...frameSets, ...frames].map((site) => [site.start, site]));
  for (const site of sites.values()) editor.replace(site, (code) => emitCheck(code, globals, is64));
  for (const site of before === undefined ? [] : switches) {
    // What it was before a frame was taken is of no meaning on another stack.
    editor.replace(site, (code) => {
      code.globalSet(globals.pointer);
      (is64 ? code.i64Const(0) : code.i32Const(0)).globalSet(before!);
    });
  }
}

/** The forms at the top of this file: the second, if there is a global for what the pointer was before. */
function emitCheck(
  code: Code,
  { pointer, limit, before }: { pointer: number; limit: number; before: number | undefined },
  is64: boolean,
): void {
  if (before !== undefined) code.globalGet(pointer).globalSet(before);
  code.globalSet(pointer).globalGet(pointer).globalGet(limit);
  (is64 ? code.i64LtU() : code.i32LtU()).if();
  if (before !== undefined) {
    code.globalGet(before).globalGet(limit);
    (is64 ? code.i64GeU() : code.i32GeU()).if().unreachable().end();
  } else code.unreachable();
  code.end();
}
