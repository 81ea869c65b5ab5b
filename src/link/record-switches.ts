/**
 * Generates the functions that make one record of the switchboard current, or its predecessor.
 *
 * They keep CURRENT, INNER and the guest's stack pointer and limit together. Each takes a record and returns nothing; what it does
 * stands above it, with the fields of switchboard.ts and `$sp` for the guest's stack pointer.
 */

import type { ModuleBuilder } from "../binary/builder.ts";
import type { FunctionBuilder } from "../binary/definitions.ts";
import type { Code } from "../binary/code.ts";
import { I32, I64 } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import {
  ACTIVE,
  BASE,
  CURRENT,
  FLAGS,
  FREE,
  GENERATION,
  GUEST,
  HELD,
  HOOKED,
  IDLE_POINTER,
  INNER,
  LIMIT,
  LIVE,
  MAIN,
  NESTED,
  ON_MAIN_STACK,
  OUTER,
  OUTER_INNER,
  POINTER,
  REPORT_ENDS,
} from "./switchboard.ts";

/** Indices of imported functions that every switch may call. */
export interface SwitchImports {
  /** (record, entering) -> () */
  readonly hook: number;
  /** (record) -> (): reports the end of an activation. */
  readonly ended: number;
  /** (record) -> (): asks the host to end a record that a trap has cut off, maybe one of another guest. */
  readonly cutOff: number;
}

/** Indices of the imported functions that entry-shims.ts describes. */
export interface Imports extends SwitchImports {
  readonly entries: readonly number[];
  readonly awaits: readonly number[];
  /** Host functions, by the position of their import. */
  readonly hosts: readonly number[];
  readonly awaitHosts: readonly number[];
  /** (exception, import) -> (): throws, unless the host function's answer was no promise. */
  readonly failed: number;
  readonly jsException: number;
  readonly settles: readonly number[];
  /** () -> externref: what has to be waited for, if JavaScript has kept something; else null. */
  readonly pending: number;
  /** () -> externref: the answer that was no promise when one was expected. */
  readonly surprise: number;
  /** (exception, record) -> i32: whether the exception has come after the stack was left. */
  readonly wasLeft: number;
  /** (answer, import) -> (): throws, unless the stack was not left because the answer was no promise. */
  readonly notLeft: number;
  /** Globals of the guest, by the position of the import: whether its shim expects a promise. */
  readonly expects: readonly number[];
}

/** The guest's stack pointer and, if its code checks it, the lowest value that it may take. */
export interface Stack {
  readonly type: ValueType;
  readonly pointer: number;
  readonly limit: number | undefined;
}

export class Switches<Used extends SwitchImports = Imports> {
  readonly imports: Used;
  /** The global with the address of the guest's block. */
  readonly guest: number;
  readonly enter: FunctionBuilder;
  readonly leave: FunctionBuilder;
  readonly enterAgain: FunctionBuilder;
  readonly undoLeave: FunctionBuilder;
  readonly end: FunctionBuilder;
  readonly #stack: Stack | undefined;
  /** What counts the live activations: LIVE or SAVED. */
  readonly #counter: number;

  constructor(
    module: ModuleBuilder,
    link: { imports: Used; guest: number; stack: Stack | undefined; counter?: number },
  ) {
    this.imports = link.imports;
    this.guest = link.guest;
    this.#stack = link.stack;
    this.#counter = link.counter ?? LIVE;
    const define = (name: string): FunctionBuilder => module.addFunction({ params: [I32], results: [] }, name);
    this.enter = define("enter");
    this.leave = define("leave");
    this.enterAgain = define("enter again");
    this.undoLeave = define("undo leave");
    this.end = define("end");
    const restore = define("restore");
    this.#emitRestore(restore.code);
    this.#emitEnter(this.enter.code);
    this.#emitEnterAgain(this.enterAgain.code);
    this.#emitUndoLeave(this.undoLeave.code);
    this.#emitLeave(this.leave.code, restore.index);
    this.#emitEnd(this.end.code, restore.index);
  }

  /**
   * The first entry, wherever its caller stands: that one's stack pointer is kept in its own record.
   *
   *     OUTER(r) = CURRENT; OUTER_INNER(r) = INNER; if (CURRENT) FLAGS(r) |= NESTED
   *     if (INNER) POINTER(INNER) = $sp else IDLE_POINTER = $sp
   *     if (FLAGS(r) & ON_MAIN_STACK) POINTER(r) = BASE(r) = $sp
   *     <make r current>
   */
  #emitEnter(code: Code): void {
    code.localGet(0).i32Const(0).i32Load(CURRENT).i32Store(OUTER);
    code.localGet(0).globalGet(this.guest).i32Load(INNER).i32Store(OUTER_INNER);
    code.i32Const(0).i32Load(CURRENT).if();
    code.localGet(0).localGet(0).i32Load(FLAGS).i32Const(NESTED).i32Or().i32Store(FLAGS).end();
    const stack = this.#stack;
    if (stack !== undefined) {
      this.#keepOuterPointer(code, stack);
      this.#ifFlag(code, ON_MAIN_STACK);
      code.localGet(0).globalGet(stack.pointer);
      this.#storeAddress(code, POINTER);
      code.localGet(0).globalGet(stack.pointer);
      this.#storeAddress(code, BASE);
      code.end();
    }
    this.#makeCurrent(code);
  }

  /**
   * A record that was left is entered by JavaScript, wherever that stands: as {@link Switches.enter}, but it has its stack already.
   *
   *     OUTER(r) = CURRENT; OUTER_INNER(r) = INNER
   *     if (INNER) POINTER(INNER) = $sp else IDLE_POINTER = $sp
   *     <make r current>
   */
  defineResume(module: ModuleBuilder): FunctionBuilder {
    const resume = module.addFunction({ params: [I32], results: [] }, "resume");
    const { code } = resume;
    code.localGet(0).i32Const(0).i32Load(CURRENT).i32Store(OUTER);
    code.localGet(0).globalGet(this.guest).i32Load(INNER).i32Store(OUTER_INNER);
    if (this.#stack !== undefined) this.#keepOuterPointer(code, this.#stack);
    this.#makeCurrent(code);
    return resume;
  }

  /**
   * The engine continues a suspended stack from the microtask queue, so there is no outer activation. One that CURRENT still
   * names was cut off by a trap, and its rejection has not been handled yet.
   *
   *     if (CURRENT) cut-off(CURRENT)
   *     OUTER(r) = OUTER_INNER(r) = 0; FLAGS(r) &= ~NESTED
   *     <make r current>
   */
  #emitEnterAgain(code: Code): void {
    this.#endCutOff(code);
    code.localGet(0).i32Const(0).i32Store(OUTER);
    code.localGet(0).i32Const(0).i32Store(OUTER_INNER);
    code.localGet(0).localGet(0).i32Load(FLAGS).i32Const(~NESTED).i32And().i32Store(FLAGS);
    this.#makeCurrent(code);
  }

  /** The stack was not left after all: as {@link Switches.enter}, but its outer activation has not changed. */
  #emitUndoLeave(code: Code): void {
    this.#makeCurrent(code);
  }

  /**
   *     POINTER(r) = $sp; CURRENT = OUTER(r); INNER = OUTER_INNER(r)
   *     if (FLAGS(r) & ON_MAIN_STACK) IDLE_POINTER = $sp      ;; calls from outside continue below its frames
   *     restore(OUTER_INNER(r)); <leave hook>
   */
  #emitLeave(code: Code, restore: number): void {
    const stack = this.#stack;
    if (stack !== undefined) {
      code.localGet(0).globalGet(stack.pointer);
      this.#storeAddress(code, POINTER);
      this.#ifFlag(code, ON_MAIN_STACK);
      this.#keepIdlePointer(code);
      code.end();
    }
    this.#makeOuterCurrent(code, restore);
  }

  /**
   *     if (FLAGS(r) & ON_MAIN_STACK) IDLE_POINTER = BASE(r)
   *     CURRENT = OUTER(r); INNER = OUTER_INNER(r); restore(OUTER_INNER(r)); <leave hook>
   *     GENERATION(r) += 1; LIVE -= 1; ACTIVE -= 1; POINTER(r) = BASE(r)
   *     FLAGS(r) &= ON_MAIN_STACK | HELD
   *     if (!(FLAGS(r) & HELD))
   *       if (FLAGS(r) & ON_MAIN_STACK) MAIN = r
   *       else { OUTER(r) = FREE; FREE = r }
   *     if (REPORT_ENDS) ended(r)
   */
  #emitEnd(code: Code, restore: number): void {
    if (this.#stack !== undefined) {
      this.#ifFlag(code, ON_MAIN_STACK);
      code.globalGet(this.guest).localGet(0);
      this.#loadAddress(code, BASE);
      this.#storeAddress(code, IDLE_POINTER);
      code.end();
    }
    this.#makeOuterCurrent(code, restore);
    code.localGet(0).localGet(0).i32Load(GENERATION).i32Const(1).i32Add().i32Store(GENERATION);
    code.i32Const(0).i32Const(0).i32Load(this.#counter).i32Const(1).i32Sub().i32Store(this.#counter);
    code.globalGet(this.guest).globalGet(this.guest).i32Load(ACTIVE).i32Const(1).i32Sub().i32Store(ACTIVE);
    code
      .localGet(0)
      .localGet(0)
      .i32Load(FLAGS)
      .i32Const(ON_MAIN_STACK | HELD)
      .i32And()
      .i32Store(FLAGS);
    if (this.#stack !== undefined) {
      code.localGet(0).localGet(0);
      this.#loadAddress(code, BASE);
      this.#storeAddress(code, POINTER);
    }
    code.localGet(0).i32Load(FLAGS).i32Const(HELD).i32And().i32Eqz().if();
    this.#ifFlag(code, ON_MAIN_STACK);
    code.globalGet(this.guest).localGet(0).i32Store(MAIN).else();
    code.localGet(0).globalGet(this.guest).i32Load(FREE).i32Store(OUTER);
    code.globalGet(this.guest).localGet(0).i32Store(FREE);
    code.end().end();
    code.i32Const(0).i32Load(REPORT_ENDS).if();
    code.localGet(0).call(this.imports.ended).end();
  }

  /** Whether the record in a local is one of another guest, below which this one was entered without our knowledge. */
  emitIsForeign(code: Code, record: number): void {
    code.localGet(record).i32Load(GUEST).globalGet(this.guest).i32Ne();
  }

  /**
   * `leave` for a record whose flags are ON_MAIN_STACK at most, so that its guest is idle then; `record` and `flags` are locals.
   *
   *     POINTER(r) = $sp; CURRENT = 0; INNER = 0
   *     if ($flags) IDLE_POINTER = $sp else { $sp = IDLE_POINTER; $limit = 0 }
   */
  emitLeaveToIdle(code: Code, record: number, flags: number): void {
    code.i32Const(0).i32Const(0).i32Store(CURRENT);
    code.globalGet(this.guest).i32Const(0).i32Store(INNER);
    const stack = this.#stack;
    if (stack === undefined) return;
    code.localGet(record).globalGet(stack.pointer);
    this.#storeAddress(code, POINTER);
    code.localGet(flags).if();
    this.#keepIdlePointer(code);
    code.else().globalGet(this.guest);
    this.#loadAddress(code, IDLE_POINTER);
    code.globalSet(stack.pointer);
    this.#setLimit(code, undefined);
    code.end();
  }

  /** `enter again` for such a record: OUTER and OUTER_INNER are 0 already, and there are no hooks. */
  emitEnterFromIdle(code: Code, record: number): void {
    this.#endCutOff(code);
    code.i32Const(0).localGet(record).i32Store(CURRENT);
    code.globalGet(this.guest).localGet(record).i32Store(INNER);
    this.#takeStack(code, record);
  }

  /** (inner): the stack of `inner`, or of whoever calls the idle guest. */
  #emitRestore(code: Code): void {
    const stack = this.#stack;
    if (stack === undefined) return;
    code.localGet(0).if().localGet(0);
    this.#loadAddress(code, POINTER);
    code.globalSet(stack.pointer);
    this.#setLimit(code, 0);
    code.else().globalGet(this.guest);
    this.#loadAddress(code, IDLE_POINTER);
    code.globalSet(stack.pointer);
    this.#setLimit(code, undefined);
    code.end();
  }

  /** `if (INNER) POINTER(INNER) = $sp else IDLE_POINTER = $sp` */
  #keepOuterPointer(code: Code, stack: Stack): void {
    code.globalGet(this.guest).i32Load(INNER).if();
    code.globalGet(this.guest).i32Load(INNER).globalGet(stack.pointer);
    this.#storeAddress(code, POINTER);
    code.else();
    this.#keepIdlePointer(code);
    code.end();
  }

  /** `IDLE_POINTER = $sp` */
  #keepIdlePointer(code: Code): void {
    code.globalGet(this.guest).globalGet(this.#stack!.pointer);
    this.#storeAddress(code, IDLE_POINTER);
  }

  #makeCurrent(code: Code): void {
    code.i32Const(0).localGet(0).i32Store(CURRENT);
    code.globalGet(this.guest).localGet(0).i32Store(INNER);
    this.#takeStack(code, 0);
    this.#ifFlag(code, HOOKED);
    code.localGet(0).i32Const(1).call(this.imports.hook).end();
  }

  /** `if (CURRENT) cut-off(CURRENT)` */
  #endCutOff(code: Code): void {
    code.i32Const(0).i32Load(CURRENT).if().i32Const(0).i32Load(CURRENT).call(this.imports.cutOff).end();
  }

  /** `$sp = POINTER(record); $limit = LIMIT(record)` */
  #takeStack(code: Code, record: number): void {
    if (this.#stack === undefined) return;
    code.localGet(record);
    this.#loadAddress(code, POINTER);
    code.globalSet(this.#stack.pointer);
    this.#setLimit(code, record);
  }

  #makeOuterCurrent(code: Code, restore: number): void {
    code.i32Const(0).localGet(0).i32Load(OUTER).i32Store(CURRENT);
    code.globalGet(this.guest).localGet(0).i32Load(OUTER_INNER).i32Store(INNER);
    code.localGet(0).i32Load(OUTER_INNER).call(restore);
    this.#ifFlag(code, HOOKED);
    code.localGet(0).i32Const(0).call(this.imports.hook).end();
  }

  /** `if (FLAGS(r) & flag)`, open. */
  #ifFlag(code: Code, flag: number): void {
    code.localGet(0).i32Load(FLAGS).i32Const(flag).i32And().if();
  }

  /** The limit of the record in local `record`, or none at all. */
  #setLimit(code: Code, record: number | undefined): void {
    const stack = this.#stack;
    if (stack?.limit === undefined) return;
    if (record !== undefined) this.#loadAddress(code.localGet(record), LIMIT);
    else if (stack.type === I64) code.i64Const(0);
    else code.i32Const(0);
    code.globalSet(stack.limit);
  }

  #loadAddress(code: Code, field: number): void {
    if (this.#stack?.type === I64) code.i64Load(field);
    else code.i32Load(field);
  }

  #storeAddress(code: Code, field: number): void {
    if (this.#stack?.type === I64) code.i64Store(field);
    else code.i32Store(field);
  }
}
