/**
 * Makes the copy of a guest that is instantiated: a few exports more, no start section, and stack bounds that its code checks.
 *
 * Code is only touched where it lowers the stack pointer, where a comparison follows: without it an activation that overflows
 * its region would write into its neighbour's before anybody could notice, and words of guard at the end of a region do not
 * help against a frame that is larger than they are. The comparison costs nothing that could be measured (CPython: 125.3 against
 * 125.4 ms); as a call of a function it cost 7 %.
 *
 *     global.set $sp   global.get $sp   global.get $limit   i32.lt_u   if   unreachable   end
 */

import { decodeModule } from "../binary/decode-module.ts";
import { ModuleEditor } from "../binary/editor.ts";
import type { BinaryModule } from "../binary/module.ts";
import { I64 } from "../binary/value-types.ts";
import { findMemorySource } from "./allocator.ts";
import type { MemorySource } from "./allocator.ts";
import { STACK_LIMIT, STACK_POINTER } from "./entry-shims.ts";
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
}

export interface PreparedGuest {
  /** The guest as it was given. */
  readonly original: BinaryModule;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly stack: GuestStack;
  readonly memorySource: MemorySource;
  /** Whether the code checks the stack bounds. */
  readonly checksStack: boolean;
}

/** @throws {WebAssembly.CompileError} when the bytes are no module */
export function prepareGuest(bytes: Uint8Array<ArrayBuffer>, options: PrepareOptions): PreparedGuest {
  const original = decodeModule(bytes);
  const reserved = original.exports.find(({ name }) => name.startsWith(RESERVED));
  if (reserved !== undefined) {
    throw new TypeError(
      `Cannot prepare guest: it exports "${reserved.name}", a name that is reserved for what is added to it`,
    );
  }
  const editor = new ModuleEditor(original);
  if (original.start !== null) {
    editor.removeStart();
    editor.export(START, "function", original.start);
  }
  if (original.memories.length > 0) editor.export(MEMORY_0, "memory", 0);
  return options.overlaps ? prepareToOverlap(original, editor, options) : prepareToQueue(original, editor);
}

function prepareToQueue(original: BinaryModule, editor: ModuleEditor): PreparedGuest {
  const reason = "calls were asked to be queued";
  const takesGrownPages = importsMemory(original) && scanCode(original).readsMemorySize;
  return {
    original,
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
  if (checksStack) checkStack(editor, original, { global: stack.global, use: scan.globals.get(stack.global)! });
  if (memorySource.kind === "allocator" && stack.kind === "found") {
    editor.export(ALLOCATE, "function", memorySource.allocator.allocate);
    const { free } = memorySource.allocator;
    if (free !== undefined) editor.export(FREE_MEMORY, "function", free);
  }
  return { original, bytes: editor.build(), stack, memorySource, checksStack };
}

/** Whether others may have the guest's memory, too. */
export function importsMemory(module: BinaryModule): boolean {
  return module.imports.some(({ kind }) => kind === "memory");
}

function checkStack(editor: ModuleEditor, module: BinaryModule, pointer: { global: number; use: GlobalUse }): void {
  const { type } = module.globals[pointer.global]!;
  const is64 = type === I64;
  const limit = editor.addGlobal({ type, mutable: true }, (code) => (is64 ? code.i64Const(0) : code.i32Const(0)));
  editor.export(STACK_LIMIT, "global", limit);
  for (const site of pointer.use.lowered) {
    editor.replace(site, (code) => {
      code.globalSet(pointer.global).globalGet(pointer.global).globalGet(limit);
      (is64 ? code.i64LtU() : code.i32LtU()).if().unreachable().end();
    });
  }
}
