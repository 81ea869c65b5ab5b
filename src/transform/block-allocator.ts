/**
 * Blocks of the memory of the areas, whose sizes are powers of two. Those that are free are kept in lists by size; the head
 * of a list is at address 4 * log2(size), the next of a block in its first four bytes.
 */

import type { Code } from "../binary/code.ts";
import { I32 } from "../binary/value-types.ts";
import type { RuntimeHome } from "./runtime-home.ts";

export interface Allocator {
  /** `log2 -> block`, 0 when the memory cannot grow any more. */
  readonly allocate: number;
  /** `block log2 -> ()` */
  readonly release: number;
}

const PAGE_LOG2 = 16;
const HEAD_BYTES_LOG2 = 2;

export function addAllocator(home: Pick<RuntimeHome, "module" | "memory" | "globals">): Allocator {
  return { allocate: addAllocate(home), release: addRelease(home) };
}

/** The address of the head of the list for the size in a local. */
function emitHead(code: Code, log2: number): Code {
  return code.localGet(log2).i32Const(HEAD_BYTES_LOG2).i32Shl();
}

function addAllocate({ module, memory, globals }: Pick<RuntimeHome, "module" | "memory" | "globals">): number {
  const { unused } = globals;
  const builder = module.addFunction({ params: [I32], results: [I32] });
  const block = builder.local(I32);
  const pages = builder.local(I32);
  const { code } = builder;
  emitHead(code, 0).i32Load({ memory }).localTee(block).if();
  emitHead(code, 0).localGet(block).i32Load({ memory }).i32Store({ memory });
  code.localGet(block).return().end();
  // In pages, and generously: the address behind the block may not fit into 32 bits.
  code.i32Const(1).localGet(0).i32Shl().i32Const(PAGE_LOG2).i32ShrU().i32Const(2).i32Add().localSet(pages);
  code.globalGet(unused).i32Const(PAGE_LOG2).i32ShrU().localGet(pages).i32Add().memorySize(memory).i32GtU().if();
  // Twice the size, or what is needed when that is more, or when it is too much.
  code.localGet(pages).memorySize(memory).localGet(pages).memorySize(memory).i32GtU().select().memoryGrow(memory);
  code.i32Const(-1).i32Eq().if();
  code.localGet(pages).memoryGrow(memory).i32Const(-1).i32Eq().if().i32Const(0).return().end();
  code.end().end();
  code.globalGet(unused).localTee(block).i32Const(1).localGet(0).i32Shl().i32Add().globalSet(unused);
  code.localGet(block);
  return builder.index;
}

function addRelease({ module, memory }: Pick<RuntimeHome, "module" | "memory">): number {
  const { code, index } = module.addFunction({ params: [I32, I32], results: [] });
  emitHead(code.localGet(0), 1).i32Load({ memory }).i32Store({ memory });
  emitHead(code, 1).localGet(0).i32Store({ memory });
  return index;
}
