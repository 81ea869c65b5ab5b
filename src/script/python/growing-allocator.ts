/**
 * Gives a module `malloc` and `free` for the stacks of further activations, which take pages that its memory grows by.
 *
 * Python's own are not exported. That of wasi-libc looks at the size of its memory once, when it begins, and takes what it needs by growing
 * it from then on; what lies in between it leaves alone. So this must not be called before the program has begun.
 *
 *     (func $malloc (param $bytes i32) (result i32) (local $block i32)
 *       (if (global.get $free) (then
 *         (if (i32.le_u (local.get $bytes) (i32.load (i32.sub (global.get $free) (i32.const 16)))) (then
 *           (local.set $block (global.get $free))
 *           (global.set $free (i32.load (local.get $block)))
 *           (return (local.get $block))))))
 *       (if (i32.gt_u (local.get $pages) (i32.sub (global.get $end) (global.get $here))) (then (call $grow …)))
 *       (local.set $block (i32.shl (global.get $here) (i32.const 16)))
 *       (global.set $here (i32.add (global.get $here) (local.get $pages)))
 *       (i32.store (local.get $block) (local.get $bytes))
 *       (i32.add (local.get $block) (i32.const 16)))
 *
 * It grows by an eighth of what there is, or by as much as is needed if that is more, or all that there is: V8 of Node 20 collects garbage each time
 * that a memory grows, which took 27 s for a thousand stacks, and takes 13.
 *
 * A block begins with 16 bytes that hold its size; one that is free is in a list, of which only the first is looked at: they are nearly
 * all of one size.
 */

import type { ModuleEditor } from "../../binary/editor.ts";
import { I32 } from "../../binary/value-types.ts";

const HEAD_BYTES = 16;
const PAGE_BITS = 16;
const PAGE_BYTES = 1 << PAGE_BITS;
/** An eighth. */
const GROWTH_BITS = 3;

export function addGrowingAllocator(editor: ModuleEditor): void {
  const free = editor.addGlobal({ type: I32, mutable: true }, (code) => code.i32Const(0));
  addMalloc(editor, free);
  addFree(editor, free);
}

function addMalloc(editor: ModuleEditor, free: number): void {
  const room = addRoom(editor);
  const builder = editor.addFunction({ params: [I32], results: [I32] }, "malloc of pages");
  const { code } = builder;
  const bytes = 0;
  const [block, pages] = [builder.local(I32), builder.local(I32)];
  code.globalGet(free).if();
  code.localGet(bytes).globalGet(free).i32Const(HEAD_BYTES).i32Sub().i32Load().i32LeU().if();
  code.globalGet(free).localTee(block).i32Load().globalSet(free).localGet(block).return();
  code.end().end();
  code
    .localGet(bytes)
    .i32Const(HEAD_BYTES + PAGE_BYTES - 1)
    .i32Add();
  code.i32Const(PAGE_BITS).i32ShrU().localTee(pages);
  code.call(room.make).i32Eqz().if().i32Const(0).return().end();
  code.globalGet(room.here).i32Const(PAGE_BITS).i32Shl().localTee(block).localGet(bytes).i32Store();
  code.globalGet(room.here).localGet(pages).i32Add().globalSet(room.here);
  code.localGet(block).i32Const(HEAD_BYTES).i32Add();
  editor.export("malloc", "function", builder.index);
}

/** Pages from `here` on that were taken and are in no block, and a function `pages -> i32`: sees to it that there are as many; 0 if it cannot. */
function addRoom(editor: ModuleEditor): { readonly here: number; readonly make: number } {
  const addVariable = (): number => editor.addGlobal({ type: I32, mutable: true }, (code) => code.i32Const(0));
  const [here, end] = [addVariable(), addVariable()];
  const builder = editor.addFunction({ params: [I32], results: [I32] }, "room for pages");
  const { code } = builder;
  const pages = 0;
  const [more, first] = [builder.local(I32), builder.local(I32)];
  code.localGet(pages).globalGet(end).globalGet(here).i32Sub().i32LeU().if().i32Const(1).return().end();
  code.memorySize().i32Const(GROWTH_BITS).i32ShrU().localTee(more);
  code.localGet(pages).localGet(more).localGet(pages).i32GtU().select().localTee(more);
  code.memoryGrow().localTee(first).i32Const(-1).i32Eq().if();
  code.localGet(pages).localTee(more).memoryGrow().localTee(first).i32Const(-1).i32Eq().if();
  code.i32Const(0).return().end().end();
  // What is left before goes on here, unless Python has grown the memory meanwhile.
  code.localGet(first).globalGet(end).i32Ne().if().localGet(first).globalSet(here).end();
  code.localGet(first).localGet(more).i32Add().globalSet(end).i32Const(1);
  return { here, make: builder.index };
}

/** The first word of a free block is the next one. */
function addFree(editor: ModuleEditor, free: number): void {
  const { code, index } = editor.addFunction({ params: [I32], results: [] }, "free of pages");
  code.localGet(0).globalGet(free).i32Store();
  code.localGet(0).globalSet(free);
  editor.export("free", "function", index);
}
