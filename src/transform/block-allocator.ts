/**
 * Blocks of the memory of the areas, whose sizes are powers of two: each instance cuts them from its extents, and keeps those that are
 * free in lists by size, the next of a block in its first four bytes. area-memory.ts has the layout of all that.
 *
 *     ;; $allocate : [log2] -> [block]
 *     the first in the list for this size, else the next bytes of the newest extent, else from $extend
 *
 *     ;; $extend : [log2] -> [block]
 *     take an extent: of the size that is next, or of this one if that is larger, or if there is no room for the other
 *     it is the newest now, unless the block fills it; the next is twice as large
 *
 *     ;; $take : [log2] -> [extent]
 *     the first in the list of the free ones of this size, else what was never used, else a larger one that is free
 */

import type { Code } from "../binary/code.ts";
import type { FunctionBuilder } from "../binary/definitions.ts";
import { I32 } from "../binary/value-types.ts";
import * as layout from "./area-memory.ts";
import type { RuntimeHome } from "./runtime-home.ts";

export interface Allocator {
  /** `log2 -> block`, 0 when there is no room. */
  readonly allocate: number;
  /** `block log2 -> ()` */
  readonly release: number;
}

type Home = Pick<RuntimeHome, "module" | "memory" | "globals">;

const PAGE_LOG2 = 16;
const HEAD_BYTES_LOG2 = 2;
const EXTENT_SIZES = 32;
/** Where a header is, from the address of its extent. */
const HEADER = -layout.EXTENT_HEADER_BYTES;

export function addAllocator(home: Home): Allocator {
  return new AllocatorEmitter(home).addAll();
}

class AllocatorEmitter {
  readonly #home: Home;

  constructor(home: Home) {
    this.#home = home;
  }

  addAll(): Allocator {
    const take = this.#addTake(this.#addNeverUsed());
    return { allocate: this.#addAllocate(this.#addExtend(take)), release: this.#addRelease() };
  }

  #function(): FunctionBuilder {
    return this.#home.module.addFunction({ params: [I32], results: [I32] });
  }

  #load(code: Code, offset = 0): Code {
    return code.i32Load({ offset, memory: this.#home.memory });
  }

  #store(code: Code, offset = 0): Code {
    return code.i32Store({ offset, memory: this.#home.memory });
  }

  #emitRecord(code: Code): Code {
    return code.globalGet(this.#home.globals.record);
  }

  /** The address of the head of the list of free blocks for the size in a local. */
  #emitHead(code: Code, log2: number): Code {
    return this.#emitRecord(code.localGet(log2).i32Const(HEAD_BYTES_LOG2).i32Shl()).i32Add();
  }

  #emitSize(code: Code, log2: number): Code {
    return code.i32Const(1).localGet(log2).i32Shl();
  }

  #addAllocate(extend: number): number {
    const builder = this.#function();
    const block = builder.local(I32);
    const { code } = builder;
    this.#load(this.#emitHead(code, 0)).localTee(block).if();
    this.#store(this.#load(this.#emitHead(code, 0).localGet(block)));
    code.localGet(block).return().end();
    this.#load(this.#emitRecord(code), layout.BLOCK_END);
    this.#load(this.#emitRecord(code), layout.BLOCK_UNUSED).localTee(block).i32Sub();
    this.#emitSize(code, 0).i32GeU().if();
    this.#store(this.#emitSize(this.#emitRecord(code).localGet(block), 0).i32Add(), layout.BLOCK_UNUSED);
    code.localGet(block).return().end();
    code.localGet(0).call(extend);
    return builder.index;
  }

  #addRelease(): number {
    const { code, index } = this.#home.module.addFunction({ params: [I32, I32], results: [] });
    this.#store(this.#load(this.#emitHead(code.localGet(0), 1)));
    this.#store(this.#emitHead(code, 1).localGet(0));
    return index;
  }

  #addExtend(take: number): number {
    const builder = this.#function();
    const next = builder.local(I32);
    const extent = builder.local(I32);
    const { code } = builder;
    code.block();
    const taken = code.label();
    // The size that is next, if it is larger.
    this.#load(this.#emitRecord(code), layout.NEXT_EXTENT_LOG2).localTee(next).localGet(0).i32GtU().if();
    code.localGet(next).call(take).localTee(extent).brIf(taken).end();
    code.localGet(0).i32Const(layout.SMALLEST_EXTENT_LOG2).localGet(0).i32Const(layout.SMALLEST_EXTENT_LOG2);
    code.i32GtU().select().call(take).localTee(extent).brIf(taken);
    code.i32Const(0).return().end();
    this.#emitLink(code, extent);
    this.#load(code.localGet(extent).i32Const(HEADER).i32Add(), 4).localSet(next);
    // A block that fills it.
    code.localGet(0).localGet(next).i32GeU().if().localGet(extent).return().end();
    this.#store(this.#emitSize(this.#emitRecord(code).localGet(extent), 0).i32Add(), layout.BLOCK_UNUSED);
    this.#store(this.#emitSize(this.#emitRecord(code).localGet(extent), next).i32Add(), layout.BLOCK_END);
    this.#emitRecord(code).localGet(next).i32Const(1).i32Add().i32Const(layout.LARGEST_EXTENT_LOG2);
    code.localGet(next).i32Const(layout.LARGEST_EXTENT_LOG2).i32LtU().select();
    this.#store(code, layout.NEXT_EXTENT_LOG2).localGet(extent);
    return builder.index;
  }

  /** Puts the extent in a local into the list of those of the instance, behind the first. */
  #emitLink(code: Code, extent: number): void {
    const header = (address: () => Code): Code => address().i32Const(HEADER).i32Add();
    header(() => code.localGet(extent));
    this.#store(this.#load(header(() => this.#emitRecord(code))));
    header(() => this.#emitRecord(code));
    this.#store(code.localGet(extent));
  }

  #addTake(neverUsed: number): number {
    const builder = this.#function();
    const [extent, size, head] = [builder.local(I32), builder.local(I32), builder.local(I32)];
    const { code } = builder;
    this.#emitUnits(code, 0).localSet(size);
    this.#emitRefusal(code, size);
    code.localGet(0).i32Const(HEAD_BYTES_LOG2).i32Shl().localSet(head);
    code.block();
    const found = code.label();
    this.#load(code.localGet(head), layout.FREE_EXTENTS).brIf(found);
    code.localGet(0).call(neverUsed).localTee(extent).if();
    this.#emitCount(code, size);
    code.localGet(extent).return().end();
    code.loop();
    const again = code.label();
    code
      .localGet(head)
      .i32Const(1 << HEAD_BYTES_LOG2)
      .i32Add()
      .localTee(head);
    code
      .i32Const(EXTENT_SIZES << HEAD_BYTES_LOG2)
      .i32GeU()
      .if()
      .i32Const(0)
      .return()
      .end();
    this.#load(code.localGet(head), layout.FREE_EXTENTS).i32Eqz().brIf(again);
    code.end().end();
    this.#load(code.localGet(head), layout.FREE_EXTENTS).localSet(extent);
    code.localGet(head);
    this.#load(code.localGet(extent).i32Const(HEADER).i32Add());
    this.#store(code, layout.FREE_EXTENTS);
    // Larger than was asked for, perhaps.
    this.#emitUnits(code.localGet(head).i32Const(HEAD_BYTES_LOG2).i32ShrU().localSet(0), 0).localSet(size);
    this.#emitCount(code, size);
    code.localGet(extent);
    return builder.index;
  }

  #emitUnits(code: Code, log2: number): Code {
    return code.i32Const(1).localGet(log2).i32Const(layout.SMALLEST_EXTENT_LOG2).i32Sub().i32Shl();
  }

  /** Returns 0 if the instance has its share, and the others would not have theirs any more. */
  #emitRefusal(code: Code, size: number): void {
    this.#load(this.#emitRecord(code), layout.INSTANCE_TAKEN).localGet(size).i32Add().i32Const(layout.SHARE).i32GtU();
    this.#load(code.i32Const(layout.TAKEN)).localGet(size).i32Add().i32Const(layout.NOT_RESERVED).i32GtU();
    code.i32And().if().i32Const(0).return().end();
  }

  #emitCount(code: Code, size: number): void {
    this.#load(this.#emitRecord(this.#emitRecord(code)), layout.INSTANCE_TAKEN)
      .localGet(size)
      .i32Add();
    this.#store(code, layout.INSTANCE_TAKEN);
    this.#load(code.i32Const(layout.TAKEN).i32Const(layout.TAKEN)).localGet(size).i32Add();
    this.#store(code);
  }

  /** `log2 -> extent`, 0 when the memory cannot grow any more. */
  #addNeverUsed(): number {
    const { memory } = this.#home;
    const builder = this.#function();
    const [pages, unused] = [builder.local(I32), builder.local(I32)];
    const { code } = builder;
    this.#load(code.i32Const(layout.UNUSED)).localSet(unused);
    // In pages, and generously: the address behind the extent may not fit into 32 bits.
    this.#emitSize(code, 0).i32Const(PAGE_LOG2).i32ShrU().i32Const(2).i32Add().localSet(pages);
    code.localGet(unused).i32Const(PAGE_LOG2).i32ShrU().localGet(pages).i32Add().memorySize(memory).i32GtU().if();
    // Twice the size, or what is needed when that is more, or when it is too much.
    code.localGet(pages).memorySize(memory).localGet(pages).memorySize(memory).i32GtU().select().memoryGrow(memory);
    code.i32Const(-1).i32Eq().if();
    code.localGet(pages).memoryGrow(memory).i32Const(-1).i32Eq().if().i32Const(0).return().end();
    code.end().end();
    code.localGet(unused).i32Const(layout.EXTENT_HEADER_BYTES).i32Add().localTee(unused).i32Const(HEADER).i32Add();
    this.#store(code.localGet(0), 4);
    code.i32Const(layout.UNUSED);
    this.#store(this.#emitSize(code.localGet(unused), 0).i32Add());
    code.localGet(unused);
    return builder.index;
  }
}
