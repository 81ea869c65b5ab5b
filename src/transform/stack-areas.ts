/**
 * The runtime that transformed modules carry: where saved stacks live, and the loop that continues them.
 *
 * Each suspended stack has an **area**: one block of a memory that the guest cannot reach. It holds no absolute address
 * but the one of the area below, so it can be moved when it has to grow, and copied.
 *
 *     area +0   log2 of the size of the block
 *          +4   address of the area that was in use before, while this one is
 *          +8   top     \
 *          +12  next     }  offsets in the area; in globals, as addresses, while the area is in use
 *          +16  end     /
 *          +24  oldest segment | link | … | newest segment | link | free
 *                                           ^next            ^end   ^top
 *
 * A **segment** is what one suspension saved: the frames of the functions that were on the native stack, the innermost
 * first, since it is the first to return. Its **link** holds `next` and `end` of the segment before. Frames are consumed
 * from `next` upwards; with the last one its segment is gone and the one before is the newest.
 *
 *     suspending: functions return one after the other, each appends its frame at `top`
 *
 *         | segment | link | innermost frame | its caller | … |
 *                   ^end   ^start: where `top` is at other times  ^top
 *
 *     resuming: the native stack is not rebuilt. A loop takes the frame at `next` off and calls the resume copy of its
 *     function, which runs to its end and leaves its results in globals, where the next frame finds them. So it costs the
 *     same at any depth. When something suspends again the loop ends and a new segment is appended.
 *
 * When more than half of a segment has been consumed it is moved down, so an area is at most about twice as large as its
 * live frames.
 */

import type { Code } from "../binary/code.ts";
import type { FunctionBuilder } from "../binary/definitions.ts";
import { I32 } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import { addCompact, addFail, addGrow, emitBehindFrame, emitForget, emitStart } from "./area-growth.ts";
import { ROOT_AREA } from "./area-memory.ts";
import { addAllocator } from "./block-allocator.ts";
import { FRAME_SIZE_OFFSET, HAS_HANDLERS } from "./frame-layout.ts";
import type { RuntimeGlobals } from "./runtime-globals.ts";
import type { RuntimeHome } from "./runtime-home.ts";

/** Where the runtime is generated, and what it works on. */
export type RuntimeTarget = Pick<RuntimeHome, "module" | "memory" | "globals" | "resumeTable">;

/** Indices of the functions of the runtime; areas are their addresses. */
export interface RuntimeFunctions {
  /** `() -> ()`: takes an area into use for a call of an export that follows. */
  readonly begin: number;
  /** `() -> area`: after that call, or a run, has come to its end or suspended; 0 when nothing is suspended. */
  readonly leave: number;
  /** `area -> area`: continues the stack with what is in the result globals; 0 when it has come to its end. */
  readonly resume: number;
  /** Writes {@link resume} into a function whose first parameter is the area, in the same module: a call less. */
  readonly emitResume: (builder: FunctionBuilder) => void;
  /** `area -> area`: continues it by throwing; -1 when nothing in it catches. The exception is up to `raise`. */
  readonly resumeThrow: number;
  /** `() -> area`: the same for the area in use, after {@link resume} has thrown. */
  readonly continueThrow: number;
  /** `size -> ()`: makes room for a frame. */
  readonly grow: number;
  /** `needed -> ()`: ends the run when there is no more room. */
  readonly fail: number;
  /** `log2 -> block` and `block log2 -> ()`: what areas are made of. */
  readonly allocate: number;
  readonly release: number;
  /** `area -> ()`: forgets a suspended stack. */
  readonly drop: number;
}

const OUTER = 4;
const TOP = 8;
export const NEXT = 12;
export const END = 16;
export const AREA_HEADER_BYTES = 24;
const SMALLEST_LOG2 = 7;
const NOTHING_CATCHES = -1;

/** `forget` is the function of frame-disposal.ts. */
export function addRuntime(target: RuntimeTarget, forget: number): RuntimeFunctions {
  return new RuntimeEmitter(target, forget).addAll();
}

class RuntimeEmitter {
  readonly #target: RuntimeTarget;
  readonly #globals: RuntimeGlobals;
  readonly #forget: number;
  #forgetRest = 0;
  #allocate = 0;
  #release = 0;
  #enter = 0;
  #compact = 0;
  #leave = 0;
  #run = 0;

  constructor(target: RuntimeTarget, forget: number) {
    this.#target = target;
    this.#forget = forget;
    this.#globals = target.globals;
  }

  addAll(): RuntimeFunctions {
    const { allocate, release } = addAllocator(this.#target);
    this.#allocate = allocate;
    this.#release = release;
    this.#enter = this.#addEnter();
    this.#compact = addCompact(this.#target);
    this.#leave = this.#addLeave();
    this.#forgetRest = this.#addForgetRest();
    const fail = addFail(this.#target, { forget: this.#forget, forgetRest: this.#forgetRest });
    const grow = addGrow(this.#target, { allocate, release, fail });
    const begin = this.#addBegin();
    this.#run = this.#addRun();
    const continueThrow = this.#addContinueThrow();
    return {
      begin,
      leave: this.#leave,
      grow,
      fail,
      allocate: this.#allocate,
      release: this.#release,
      continueThrow,
      resume: this.#addResume(),
      emitResume: (builder) => this.#emitResume(builder),
      resumeThrow: this.#addResumeThrow(continueThrow),
      drop: this.#addDrop(),
    };
  }

  #function(params: readonly ValueType[], results: readonly ValueType[]): FunctionBuilder {
    return this.#target.module.addFunction({ params, results });
  }

  #load(code: Code, offset = 0): Code {
    return code.i32Load({ offset, memory: this.#target.memory });
  }

  #store(code: Code, offset = 0): Code {
    return code.i32Store({ offset, memory: this.#target.memory });
  }

  /** Offsets in the header, and what is kept there. */
  get #savedGlobals(): readonly (readonly [offset: number, global: number])[] {
    const { top, next, end } = this.#globals;
    return [TOP, NEXT, END].map((offset, position) => [offset, [top, next, end][position]!]);
  }

  /** Writes the globals to the header of the area in use. */
  #emitSave(code: Code): void {
    const { area } = this.#globals;
    for (const [offset, global] of this.#savedGlobals) {
      code.globalGet(area).globalGet(global).globalGet(area).i32Sub();
      this.#store(code, offset);
    }
  }

  /** Reads the globals from the header of the area at local `address`, which is in use from now on. */
  #emitLoad(code: Code, address: number): void {
    const { area, limit } = this.#globals;
    code.localGet(address).globalSet(area);
    for (const [offset, global] of this.#savedGlobals) {
      code.localGet(address);
      this.#load(code.localGet(address), offset).i32Add().globalSet(global);
    }
    code.localGet(address).i32Const(1).localGet(address);
    this.#load(code).i32Shl().i32Add().globalSet(limit);
  }

  /**
   * `area -> ()`: takes it into use, on top of the one that is.
   *
   *     save the area in use; it is the one below, unless it is idle
   */
  #addEnter(): number {
    const { area, idle } = this.#globals;
    const builder = this.#function([I32], []);
    const { code } = builder;
    this.#emitSave(code);
    code.localGet(0).i32Const(ROOT_AREA).globalGet(area).globalGet(idle).select();
    this.#store(code, OUTER);
    this.#emitLoad(code, 0);
    return builder.index;
  }

  /** Enters the area in a local. When it is in use still, because nothing has run since, there is next to nothing to do. */
  #emitEnter(code: Code, address: number): void {
    const { idle } = this.#globals;
    code.globalGet(idle).localGet(address).i32Ne().if();
    code.localGet(address).call(this.#enter).end();
    code.i32Const(0).globalSet(idle);
  }

  #addBegin(): number {
    const builder = this.#function([], []);
    const area = builder.local(I32);
    const { code } = builder;
    code.i32Const(SMALLEST_LOG2).call(this.#allocate).localTee(area).i32Eqz().if();
    code
      .i32Const(1 << SMALLEST_LOG2)
      .globalSet(this.#globals.needed)
      .unreachable();
    code.end();
    const initial: readonly (readonly [number, number])[] = [
      [0, SMALLEST_LOG2],
      [TOP, AREA_HEADER_BYTES],
      [NEXT, END],
      [END, END],
    ];
    for (const [offset, value] of initial) this.#store(code.localGet(area).i32Const(value), offset);
    this.#emitEnter(code, area);
    return builder.index;
  }

  /**
   *     if unwinding: compact, leave as suspended
   *     else: leave as ended
   */
  #addLeave(): number {
    const builder = this.#function([], [I32]);
    const { code } = builder;
    code.globalGet(this.#globals.state).if();
    this.#emitIsEmpty(code).i32Eqz().if().call(this.#compact).end();
    this.#emitLeaveSuspended(builder);
    code.end();
    this.#emitLeaveEnded(builder);
    return builder.index;
  }

  /**
   *     seal the segment, return area; if there is none below: it stays in use, idle
   *     else: take that into use again
   */
  #emitLeaveSuspended(builder: FunctionBuilder): void {
    const { state, area, idle } = this.#globals;
    const [left, outer] = [builder.local(I32), builder.local(I32)];
    const { code } = builder;
    code.i32Const(0).globalSet(state);
    this.#emitSeal(code);
    this.#load(code.globalGet(area).localTee(left), OUTER).localTee(outer).i32Const(ROOT_AREA).i32Eq().if();
    code.localGet(left).globalSet(idle).localGet(left).return().end();
    this.#emitSave(code);
    this.#emitLoad(code, outer);
    code.localGet(left).return();
  }

  /** Releases the area and takes the one below into use again; leaves 0. */
  #emitLeaveEnded(builder: FunctionBuilder): void {
    const { area, idle } = this.#globals;
    const outer = builder.local(I32);
    const { code } = builder;
    this.#load(code.globalGet(area), OUTER)
      .localTee(outer)
      .i32Const(0)
      .localGet(outer)
      .i32Const(ROOT_AREA)
      .i32Eq()
      .select()
      .globalSet(idle);
    this.#load(code.globalGet(area).globalGet(area)).call(this.#release);
    this.#emitLoad(code, outer);
    code.i32Const(0);
  }

  /** Makes a segment of what lies behind the newest one, if anything does: tail calls leave nothing. */
  #emitSeal(code: Code): void {
    const { area, top, next, end } = this.#globals;
    code.globalGet(top);
    emitStart(code, this.#target).i32Ne().if();
    code.globalGet(top).globalGet(next).globalGet(area).i32Sub();
    this.#store(code);
    code.globalGet(top).globalGet(end).globalGet(area).i32Sub();
    this.#store(code, 4);
    emitStart(code, this.#target).globalSet(next).globalGet(top).globalSet(end);
    emitStart(code, this.#target).globalSet(top).end();
  }

  /** Takes the innermost frame off the area and makes it the one to load. */
  #emitTakeFrame(code: Code, behind: number): void {
    const { area, top, next, end, frame } = this.#globals;
    code.globalGet(next).globalSet(frame);
    emitBehindFrame(code, this.#target).localTee(behind).globalGet(end).i32Eq().if();
    // At `end`, which is where `behind` leads to, too, but is known without having read the frame.
    code.globalGet(end).localSet(behind);
    this.#load(code.globalGet(area).localGet(behind)).i32Add().globalSet(next);
    this.#load(code.globalGet(area).localGet(behind), 4).i32Add().globalSet(end);
    emitStart(code, this.#target).globalSet(top);
    code.else().localGet(behind).globalSet(next).end();
  }

  /** `() -> ()`: forgets all frames of the area in use. */
  #addForgetRest(): number {
    const builder = this.#function([], []);
    const behind = builder.local(I32);
    const { code } = builder;
    code.loop();
    const again = code.label();
    this.#emitIsEmpty(code).i32Eqz().if();
    this.#emitTakeFrame(code, behind);
    emitForget(code, this.#target, this.#forget);
    code.br(again).end().end();
    return builder.index;
  }

  #emitIsEmpty(code: Code): Code {
    return code.globalGet(this.#globals.end).globalGet(this.#globals.area).i32Const(END).i32Add().i32Eq();
  }

  #emitCallFrame(code: Code): void {
    const { module, resumeTable } = this.#target;
    const type = module.type({ params: [], results: [] });
    this.#load(code.globalGet(this.#globals.frame)).callIndirect(type, resumeTable);
  }

  /**
   *     loop
   *       if the area is empty: leave as ended
   *       take the innermost frame and call its resume copy
   *       if something is suspended: compact, if the newest segment has lost that frame, and leave as suspended
   */
  #addRun(): number {
    const builder = this.#function([], [I32]);
    this.#emitRun(builder);
    return builder.index;
  }

  #emitRun(builder: FunctionBuilder): void {
    const { state, next } = this.#globals;
    const behind = builder.local(I32);
    const { code } = builder;
    code.loop();
    const again = code.label();
    this.#emitIsEmpty(code).i32Eqz().if();
    this.#emitTakeFrame(code, behind);
    this.#emitCallFrame(code);
    code.globalGet(state).i32Eqz().brIf(again);
    // Mostly it has gone with its last frame, and the one before is as it was. (An area that was moved is compacted another time.)
    code.localGet(behind).globalGet(next).i32Eq().if().call(this.#compact).end();
    this.#emitLeaveSuspended(builder);
    code.end().end();
    this.#emitLeaveEnded(builder);
  }

  /** Takes frames off until one has a handler, and throws there. */
  #addContinueThrow(): number {
    const { throwing, frame, state } = this.#globals;
    const builder = this.#function([], [I32]);
    const behind = builder.local(I32);
    const { code } = builder;
    code.loop();
    const again = code.label();
    this.#emitIsEmpty(code).if();
    code.call(this.#leave).drop().i32Const(NOTHING_CATCHES).return().end();
    this.#emitTakeFrame(code, behind);
    this.#load(code.globalGet(frame), FRAME_SIZE_OFFSET).i32Const(HAS_HANDLERS).i32And().i32Eqz().if();
    emitForget(code, this.#target, this.#forget);
    code.br(again).end().end();
    code.i32Const(1).globalSet(throwing);
    this.#emitCallFrame(code);
    code.globalGet(state).if(I32).call(this.#leave).else().call(this.#run).end();
    return builder.index;
  }

  /** All in one function: calls would be a third of what it costs to go on with one frame. */
  #emitResume(builder: FunctionBuilder): void {
    this.#emitCount(builder.code);
    this.#emitEnter(builder.code, 0);
    this.#emitRun(builder);
  }

  #emitCount(code: Code): void {
    const { resumptions } = this.#globals;
    code.globalGet(resumptions).i32Const(1).i32Add().globalSet(resumptions);
  }

  #addResume(): number {
    const builder = this.#function([I32], [I32]);
    this.#emitResume(builder);
    return builder.index;
  }

  #addResumeThrow(continueThrow: number): number {
    const builder = this.#function([I32], [I32]);
    this.#emitCount(builder.code);
    this.#emitEnter(builder.code, 0);
    builder.code.call(continueThrow);
    return builder.index;
  }

  #addDrop(): number {
    const builder = this.#function([I32], []);
    builder.code.localGet(0).call(this.#enter).call(this.#forgetRest).call(this.#leave).drop();
    return builder.index;
  }
}
