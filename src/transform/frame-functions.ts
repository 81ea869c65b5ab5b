/**
 * Functions that save and load frames, one pair for each sequence of types in a frame. Outlined, because what functions
 * have in them counts against the budget of the engine's inliner even when it never runs.
 *
 *     ;; $save : [site+1, locals…, header] -> []
 *     global.get $top  local.tee $address  i32.const SIZE + 8  i32.add  global.get $limit  i32.gt_u
 *     if  i32.const SIZE  call $grow  global.get $top  local.set $address  end
 *     (i64.store (local.get $address) header)  (i32.store offset=8 … site+1)  (i32.store offset=12 … local) …
 *     global.set $top (local.get $address + SIZE)
 *
 *     ;; $load : [] -> [locals…, site+1]
 *     local.set $address (global.get $frame)
 *     (i32.load offset=12 (local.get $address)) …  (i32.load offset=8 (local.get $address))
 */

import type { Code, MemoryArgument } from "../binary/code.ts";
import { F32, F64, I32, I64, V128 } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import type { Definitions } from "../binary/definitions.ts";
import { LINK_BYTES } from "./area-growth.ts";
import { FRAME_SITE_OFFSET, isPlain } from "./frame-layout.ts";
import type { FrameLayout } from "./frame-layout.ts";
import { MAX_SAVED_BY_FUNCTION } from "./limits.ts";
import type { ReferenceTables } from "./reference-tables.ts";
import type { RuntimeGlobals } from "./runtime-globals.ts";
import type { RuntimeHome } from "./runtime-home.ts";

const NO_FUNCTION = -1;

/** Whether there are too many values for parameters of a function. */
export function isWide({ types }: FrameLayout): boolean {
  return types.length > MAX_SAVED_BY_FUNCTION;
}

export interface FrameFunctionPair {
  readonly save: number;
  /** Only when resume copies do not load frames themselves. */
  readonly load: number;
}

/** Locals of the function that saves a frame. */
interface SavedValues {
  /** The number of the site, plus 1. */
  readonly site: number;
  readonly values: readonly number[];
  /** A local to use. */
  readonly address: number;
  readonly pushHeader: (code: Code) => void;
}

export class FrameFunctions {
  readonly #home: RuntimeHome;
  readonly #module: Definitions;
  readonly #memory: number;
  readonly #globals: RuntimeGlobals;
  readonly #grow: number;
  readonly #references: ReferenceTables;
  readonly #pairs = new Map<string, FrameFunctionPair>();
  readonly #calledInLine = new Set<number>();

  /** `grow` is the function of the runtime that makes room for a frame. */
  constructor(home: RuntimeHome, grow: number, references: ReferenceTables) {
    this.#home = home;
    this.#module = home.module;
    this.#memory = home.memory;
    this.#globals = home.globals;
    this.#grow = grow;
    this.#references = references;
  }

  /** Those that resume copies call. */
  indices(): number[] {
    const pairs = [...this.#pairs.values()].flatMap(({ save, load }) => (load === NO_FUNCTION ? [] : [save, load]));
    return this.#home.hasGuestTypes ? [this.#grow, ...this.#calledInLine, ...pairs] : pairs;
  }

  /** The function that saves frames of this layout; -1 when it is done in line. */
  saveFunction(layout: FrameLayout): number {
    if (!isWide(layout)) return this.for(layout).save;
    for (const type of layout.types) {
      if (!isPlain(type)) this.#calledInLine.add(this.#references.keep(type)).add(this.#references.take(type));
    }
    return NO_FUNCTION;
  }

  /** The functions for frames of this layout. */
  for(layout: FrameLayout): FrameFunctionPair {
    const key = layout.types.join();
    let pair = this.#pairs.get(key);
    if (!pair) {
      const load = this.isInlinable(layout) ? NO_FUNCTION : this.#addLoad(layout);
      this.#pairs.set(key, (pair = { save: this.#addSave(layout), load }));
    }
    return pair;
  }

  #addSave(layout: FrameLayout): number {
    const { types } = layout;
    const type = { params: [I32, ...types, I64], results: [] };
    const builder = this.#module.addFunction(type);
    const address = builder.local(I32);
    const values = types.map((_, position) => position + 1);
    const pushHeader = (code: Code): void => void code.localGet(types.length + 1);
    this.emitSave(builder.code, layout, { site: 0, values, address, pushHeader });
    return this.#home.callable(builder.index, type);
  }

  #addLoad(layout: FrameLayout): number {
    const type = { params: [], results: [...layout.types, I32] };
    const builder = this.#module.addFunction(type);
    this.emitLoad(builder.code, layout, builder.local(I32));
    return this.#home.callable(builder.index, type);
  }

  /** Whether the code may stand in the second module, where it saves calls from one module to another. */
  isInlinable(layout: FrameLayout): boolean {
    return this.#home.hasGuestTypes && (layout.types.every(isPlain) || isWide(layout));
  }

  emitSave(
    code: Code,
    { types, offsets, bytes }: FrameLayout,
    { site, values, address, pushHeader }: SavedValues,
  ): void {
    const { top, limit } = this.#globals;
    code
      .globalGet(top)
      .localTee(address)
      .i32Const(bytes + LINK_BYTES)
      .i32Add()
      .globalGet(limit)
      .i32GtU()
      .if();
    code.i32Const(bytes).call(this.#grow).globalGet(top).localSet(address).end();
    pushHeader(code.localGet(address));
    code.i64Store(this.#at(0)).localGet(address).localGet(site).i32Store(this.#at(FRAME_SITE_OFFSET));
    for (const [position, slot] of types.entries()) {
      code.localGet(address).localGet(values[position]!);
      if (isPlain(slot)) emitStore(code, slot, this.#at(offsets[position]!));
      else code.call(this.#references.keep(slot)).i32Store(this.#at(offsets[position]!));
    }
    code.localGet(address).i32Const(bytes).i32Add().globalSet(top);
  }

  /** Leaves the locals and the number of the site on the stack; `address` is a local to use. */
  emitLoad(code: Code, { types, offsets }: FrameLayout, address: number): void {
    code.globalGet(this.#globals.frame).localSet(address);
    for (const [position, slot] of types.entries()) {
      code.localGet(address);
      if (isPlain(slot)) emitLoad(code, slot, this.#at(offsets[position]!));
      else code.i32Load(this.#at(offsets[position]!)).call(this.#references.take(slot));
    }
    code.localGet(address).i32Load(this.#at(FRAME_SITE_OFFSET));
  }

  #at(offset: number): MemoryArgument {
    // Areas are aligned to 8 bytes, and so are frames; 16-byte values are not.
    return { offset, memory: this.#memory, align: 4 };
  }
}

function emitStore(code: Code, type: ValueType, at: MemoryArgument): void {
  if (type === I32) code.i32Store(at);
  else if (type === I64) code.i64Store(at);
  else if (type === F32) code.f32Store(at);
  else if (type === F64) code.f64Store(at);
  else if (type === V128) code.v128Store(at);
}

function emitLoad(code: Code, type: ValueType, at: MemoryArgument): void {
  if (type === I32) code.i32Load(at);
  else if (type === I64) code.i64Load(at);
  else if (type === F32) code.f32Load(at);
  else if (type === F64) code.f64Load(at);
  else if (type === V128) code.v128Load(at);
}
