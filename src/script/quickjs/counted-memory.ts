/**
 * Has QuickJS look for garbage when its blocks have become larger: WebAssembly in, WebAssembly out.
 *
 * What nobody refers to it frees at once. For objects that only refer to each other it looks after it has made some number of blocks, because
 * in Emscripten's build it does not know how large they are: thirty buffers of a megabyte would fill the memory long before. So its blocks are
 * counted in bytes. When these have grown by half, `malloc_gc_threshold` of the runtime is made 0, so that QuickJS looks when it makes the next
 * object, and sets that word anew.
 *
 *     (func $malloc' (param $bytes i32) (result i32) (local $block i32)
 *       (local.set $block (call $malloc (local.get $bytes)))
 *       (if (local.get $block) (then
 *         (global.set $live (i32.add (global.get $live) (size $block)))
 *         (if (i32.gt_s (global.get $live) (global.get $next)) (then (call $look)))))
 *       (local.get $block))
 *
 *     (func $free' (param $block i32)
 *       (if (local.get $block) (then (global.set $live (i32.sub (global.get $live) (size $block)))))
 *       (call $free (local.get $block)))
 *
 *     (func $realloc' (param $block i32) (param $bytes i32) (result i32) (local $live i32)
 *       …            ;; whatever $realloc has $malloc' and $free' count inside is dropped: $live is what it was, and the difference
 *
 *     (func $look
 *       (if (i32.eqz (i32.load (global.get $threshold))) (then (return)))             ;; it has not looked yet
 *       (if (global.get $next)
 *         (then (global.set $next (i32.const 0)) (i32.store (global.get $threshold) (i32.const 0)))
 *         (else (global.set $next (…)))))                                             ;; live + half of what there is, or of what is left
 *
 * `(size $block)` is what the word before a block says, without the lowest three bits: so dlmalloc has it, which is checked before $threshold is
 * set. Until then $next is as large as can be, and nothing happens.
 */

import type { Code } from "../../binary/code.ts";
import type { ModuleEditor } from "../../binary/editor.ts";
import { InstructionReader } from "../../binary/instructions.ts";
import { functionType } from "../../binary/module.ts";
import type { BinaryModule } from "../../binary/module.ts";
import { opcode } from "../../binary/opcodes.ts";
import { redirectFunctions } from "../../binary/redirect.ts";
import { I32 } from "../../binary/value-types.ts";
import type { QuickJSFunctions } from "./quickjs-functions.ts";

/** Globals that are exported. `live`: bytes that are allocated now; the others are set by {@link lookForGarbage}. */
export const COUNTED_EXPORTS = {
  live: "script:live-bytes",
  next: "script:next-look",
  first: "script:first-bytes",
  last: "script:last-bytes",
  least: "script:least-growth",
  threshold: "script:gc-threshold",
} as const;

type GlobalName = keyof typeof COUNTED_EXPORTS;

const CALL = opcode("call");
/** Bytes by which memory may grow before it is looked at all, without a limit. */
const LEAST_GROWTH = 2 ** 20;
/** With a limit: this part of it. */
const LEAST_PART = 32;
const PROBE_BYTES = 1000;
const HEAD_BYTES = 4;
const FLAGS = -8;
const NEVER = 2 ** 31 - 1;

/** Where the allocator of a module is. */
export interface Allocator {
  readonly malloc: number;
  readonly free: number;
}

/** Counts what code of the module allocates, and what exports allocate. Does nothing to a module whose `realloc` is not found. */
export function countMemory(editor: ModuleEditor, module: BinaryModule, { malloc, free }: Allocator): void {
  const realloc = findRealloc(module, { malloc, free });
  if (realloc === undefined) return;
  const globals = Object.fromEntries(
    Object.entries(COUNTED_EXPORTS).map(([name, exported]) => {
      const index = editor.addGlobal({ type: I32, mutable: true }, (code) =>
        code.i32Const(name === "next" ? NEVER : 0),
      );
      editor.export(exported, "global", index);
      return [name, index];
    }),
  ) as Record<GlobalName, number>; // the names are those of the exports
  const look = addLook(editor, globals);
  redirectFunctions(
    editor,
    module,
    new Map([
      [malloc, addMalloc(editor, globals, { malloc, look })],
      [free, addFree(editor, globals, free)],
      [realloc, addRealloc(editor, globals, { realloc, look })],
    ]),
  );
}

/** The one function (i32, i32) → i32 that calls both others: it moves a block that cannot grow where it is. */
function findRealloc(module: BinaryModule, { malloc, free }: Allocator): number | undefined {
  const reader = new InstructionReader(module.bytes);
  const found: number[] = [];
  for (let body = 0; body < module.bodies.length; body += 2) {
    const index = module.importedFunctions + body / 2;
    const { params, results } = functionType(module, index);
    if (params.length !== 2 || results.length !== 1) continue;
    const called = new Set<number>();
    reader.enterBody(module.bodies[body]!, module.bodies[body + 1]!);
    while (reader.next()) if (reader.opcode === CALL) called.add(reader.index());
    if (called.has(malloc) && called.has(free)) found.push(index);
  }
  return found.length === 1 ? found[0] : undefined;
}

function addMalloc(
  editor: ModuleEditor,
  globals: Record<GlobalName, number>,
  { malloc, look }: { malloc: number; look: number },
): number {
  const builder = editor.addFunction({ params: [I32], results: [I32] }, "counted malloc");
  const block = builder.local(I32);
  const { code } = builder;
  code.localGet(0).call(malloc).localTee(block).if();
  pushSize(code.globalGet(globals.live), block).i32Add().globalSet(globals.live);
  lookIfLarge(code, globals, look);
  code.end().localGet(block);
  return builder.index;
}

function addFree(editor: ModuleEditor, globals: Record<GlobalName, number>, free: number): number {
  const { code, index } = editor.addFunction({ params: [I32], results: [] }, "counted free");
  code.localGet(0).if();
  pushSize(code.globalGet(globals.live), 0).i32Sub().globalSet(globals.live);
  code.end().localGet(0).call(free);
  return index;
}

function addRealloc(
  editor: ModuleEditor,
  globals: Record<GlobalName, number>,
  { realloc, look }: { realloc: number; look: number },
): number {
  const builder = editor.addFunction({ params: [I32, I32], results: [I32] }, "counted realloc");
  const [live, before, after] = [builder.local(I32), builder.local(I32), builder.local(I32)];
  const { code } = builder;
  pushSize(code.localGet(0).if(), 0).localSet(before).end();
  code.globalGet(globals.live).localSet(live);
  code.localGet(0).localGet(1).call(realloc).localSet(after);
  code.localGet(live).globalSet(globals.live);
  // Where there is no room the block is what it was.
  code.localGet(after).if();
  pushSize(code.localGet(live).localGet(before).i32Sub(), after).i32Add().globalSet(globals.live);
  lookIfLarge(code, globals, look);
  code.end().localGet(after);
  return builder.index;
}

function lookIfLarge(code: Code, globals: Record<GlobalName, number>, look: number): void {
  code.globalGet(globals.live).globalGet(globals.next).i32GtS().if().call(look).end();
}

function addLook(editor: ModuleEditor, globals: Record<GlobalName, number>): number {
  const builder = editor.addFunction({ params: [], results: [] }, "look for garbage");
  const growth = builder.local(I32);
  const left = builder.local(I32);
  const { code } = builder;
  code.globalGet(globals.threshold).i32Load().i32Eqz().if().return().end();
  code.globalGet(globals.next).if();
  code.i32Const(0).globalSet(globals.next).globalGet(globals.threshold).i32Const(0).i32Store();
  code.return().end();
  // growth = max(min(live - first, last - live) / 2, least)
  code.globalGet(globals.live).globalGet(globals.first).i32Sub().localSet(growth);
  code.globalGet(globals.last).globalGet(globals.live).i32Sub().localSet(left);
  code.localGet(growth).localGet(left).localGet(growth).localGet(left).i32LtS().select().localSet(growth);
  code.localGet(growth).i32Const(1).i32ShrS().localSet(growth);
  code.localGet(growth).globalGet(globals.least).localGet(growth).globalGet(globals.least).i32GtS().select();
  code.globalGet(globals.live).i32Add().globalSet(globals.next);
  return builder.index;
}

/** What the allocator says of the block in a local. */
function pushSize(code: Code, block: number): Code {
  return code.localGet(block).i32Const(HEAD_BYTES).i32Sub().i32Load().i32Const(FLAGS).i32And();
}

/** What is needed of an instance that counts. */
export interface CountingInstance {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly functions: Pick<QuickJSFunctions, "malloc" | "free">;
}

/**
 * Begins to look. Nothing happens where blocks are not counted, or counted wrongly.
 *
 * @param threshold address of the word that has QuickJS look when it is 0
 * @param maxBytes what scripts may take from now on; `undefined`: anything
 */
export function lookForGarbage(instance: CountingInstance, threshold: number, maxBytes: number | undefined): void {
  const global = (name: GlobalName): { value: number } => instance.exports[COUNTED_EXPORTS[name]] as { value: number };
  if (!(COUNTED_EXPORTS.live in instance.exports) || !isCountedRight(instance, global("live"))) return;
  const first = global("live").value;
  global("first").value = first;
  global("last").value = maxBytes === undefined ? NEVER : Math.min(first + maxBytes, NEVER);
  const least = maxBytes === undefined ? LEAST_GROWTH : Math.ceil(maxBytes / LEAST_PART);
  global("least").value = least;
  global("threshold").value = threshold;
  global("next").value = first + least;
}

function isCountedRight({ functions }: CountingInstance, live: { readonly value: number }): boolean {
  const before = live.value;
  const block = functions.malloc(PROBE_BYTES);
  const counted = live.value - before;
  functions.free(block);
  return counted >= PROBE_BYTES && counted < 2 * PROBE_BYTES && live.value === before;
}
