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
 *       (local.set $block (memory.grow (i32.shr_u (i32.add (local.get $bytes) (i32.const 65551)) (i32.const 16))))
 *       …                                                                   ;; 0 if that is -1; $block: the address of the first page
 *       (i32.store (local.get $block) (local.get $bytes))
 *       (i32.add (local.get $block) (i32.const 16)))
 *
 * A block begins with 16 bytes that hold its size; one that is free is in a list, of which only the first is looked at: they are nearly
 * all of one size.
 */

import type { ModuleEditor } from "../../binary/editor.ts";
import { I32 } from "../../binary/value-types.ts";

const HEAD_BYTES = 16;
const PAGE_BITS = 16;
const PAGE_BYTES = 1 << PAGE_BITS;

export function addGrowingAllocator(editor: ModuleEditor): void {
  const free = editor.addGlobal({ type: I32, mutable: true }, (code) => code.i32Const(0));
  addMalloc(editor, free);
  addFree(editor, free);
}

function addMalloc(editor: ModuleEditor, free: number): void {
  const builder = editor.addFunction({ params: [I32], results: [I32] }, "malloc of pages");
  const { code } = builder;
  const bytes = 0;
  const block = builder.local(I32);
  code.globalGet(free).if();
  code.localGet(bytes).globalGet(free).i32Const(HEAD_BYTES).i32Sub().i32Load().i32LeU().if();
  code.globalGet(free).localTee(block).i32Load().globalSet(free).localGet(block).return();
  code.end().end();
  code
    .localGet(bytes)
    .i32Const(HEAD_BYTES + PAGE_BYTES - 1)
    .i32Add()
    .i32Const(PAGE_BITS)
    .i32ShrU()
    .memoryGrow();
  code.localTee(block).i32Const(-1).i32Eq().if().i32Const(0).return().end();
  code.localGet(block).i32Const(PAGE_BITS).i32Shl().localTee(block).localGet(bytes).i32Store();
  code.localGet(block).i32Const(HEAD_BYTES).i32Add();
  editor.export("malloc", "function", builder.index);
}

/** The first word of a free block is the next one. */
function addFree(editor: ModuleEditor, free: number): void {
  const { code, index } = editor.addFunction({ params: [I32], results: [] }, "free of pages");
  code.localGet(0).globalGet(free).i32Store();
  code.localGet(0).globalSet(free);
  editor.export("free", "function", index);
}
