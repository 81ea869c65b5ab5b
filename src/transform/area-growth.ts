/** Room for the next frame: moving frames down, or an area to a larger block, and what happens when there is none. */

import type { Code } from "../binary/code.ts";
import { I32 } from "../binary/value-types.ts";
import type { Allocator } from "./block-allocator.ts";
import { FLAGS, FRAME_SIZE_OFFSET, HAS_REFERENCES } from "./frame-layout.ts";
import type { RuntimeHome } from "./runtime-home.ts";

type Target = Pick<RuntimeHome, "module" | "memory" | "globals">;

/** Behind a frame there has to be room for the link that ends its segment. */
export const LINK_BYTES = 8;

/** The address behind the frame at `$frame`. */
export function emitBehindFrame(code: Code, { globals: { frame }, memory }: Target): Code {
  code.globalGet(frame).globalGet(frame).i32Load({ offset: FRAME_SIZE_OFFSET, memory });
  return code.i32Const(~FLAGS).i32And().i32Add();
}

/** The address behind the newest segment and its link: `top`, but while something is being suspended. */
export function emitStart(code: Code, { globals: { end } }: Target): Code {
  return code.globalGet(end).i32Const(LINK_BYTES).i32Add();
}

/** Calls `forget` if the frame at `$frame` has references. */
export function emitForget(code: Code, { globals: { frame }, memory }: Target, forget: number): void {
  code.globalGet(frame).i32Load({ offset: FRAME_SIZE_OFFSET, memory });
  code.i32Const(HAS_REFERENCES).i32And().if().call(forget).end();
}

/**
 * `needed -> ()`: ends the run with a trap, which guest code cannot catch. The frames that are still on the native stack go
 * with it; other stacks are not touched. `needed`, in bytes, tells the host that it was no ordinary trap.
 *
 *     forget the frames below `top` that are no segment yet, then those in segments
 */
export function addFail(target: Target, { forget, forgetRest }: { forget: number; forgetRest: number }): number {
  const { state, needed, top, frame } = target.globals;
  const { code, index } = target.module.addFunction({ params: [I32], results: [] });
  emitStart(code.i32Const(0).globalSet(state), target).globalSet(frame).loop();
  const again = code.label();
  code.globalGet(frame).globalGet(top).i32LtU().if();
  emitForget(code, target, forget);
  emitBehindFrame(code, target).globalSet(frame).br(again).end().end();
  emitStart(code, target).globalSet(top).call(forgetRest);
  code.localGet(0).globalSet(needed).unreachable();
  return index;
}

/** `size -> ()`: moves the area in use to a block that has room for `size` more bytes and a link. */
export function addGrow(target: Target, { allocate, release, fail }: Allocator & { fail: number }): number {
  const { area, top, next, end, limit, maximum } = target.globals;
  const { memory } = target;
  const builder = target.module.addFunction({ params: [I32], results: [] });
  const log2 = builder.local(I32);
  const moved = builder.local(I32);
  const { code } = builder;
  code.localGet(0).globalGet(top).globalGet(area).i32Sub().i32Add().i32Const(LINK_BYTES).i32Add().localTee(0);
  code.i32Const(1).i32Sub().i32Clz().localSet(log2).i32Const(32).localGet(log2).i32Sub().localSet(log2);
  code.i32Const(1).localGet(log2).i32Shl().globalGet(maximum).i32GtU().if();
  code.localGet(0).call(fail).end();
  code.localGet(log2).call(allocate).localTee(moved).i32Eqz().if();
  code.localGet(0).call(fail).end();
  code.localGet(moved).globalGet(area).globalGet(top).globalGet(area).i32Sub().memoryCopy(memory, memory);
  code.globalGet(area).globalGet(area).i32Load({ memory }).call(release);
  code.localGet(moved).localGet(log2).i32Store({ memory });
  for (const global of [top, next, end]) {
    code.globalGet(global).globalGet(area).i32Sub().localGet(moved).i32Add().globalSet(global);
  }
  code.localGet(moved).globalSet(area);
  code.localGet(moved).i32Const(1).localGet(log2).i32Shl().i32Add().globalSet(limit);
  return builder.index;
}

/**
 * `() -> ()`: moves what is left of the newest segment down, with the frames behind it, when more than half of it has been
 * consumed. The area is not empty.
 */
export function addCompact(target: Target): number {
  const { memory } = target;
  const { area, top, next, end } = target.globals;
  const builder = target.module.addFunction({ params: [], results: [] });
  const base = builder.local(I32);
  const dead = builder.local(I32);
  const { code } = builder;
  // The segment starts behind the link of the one before it; if it is the first, behind the header.
  code.globalGet(next).globalGet(end).i32Load({ offset: 4, memory });
  code.globalGet(area).i32Add().i32Const(LINK_BYTES).i32Add().localTee(base).i32Sub().localTee(dead);
  emitStart(code, target).globalGet(next).i32Sub().i32GtU().if();
  code.localGet(base).globalGet(next).globalGet(top).globalGet(next).i32Sub().memoryCopy(memory, memory);
  for (const global of [next, end, top]) code.globalGet(global).localGet(dead).i32Sub().globalSet(global);
  code.end();
  return builder.index;
}
