/**
 * Makes of the Lua of Emscripten a guest that a host can drive: WebAssembly in, WebAssembly out.
 *
 * What Lua calls (C functions, a hook, an allocator) has to be functions of the guest, so that nothing of JavaScript lies between the frames of
 * a script: lua-functions.ts adds those. Here is what the host calls, and what is done in between.
 *
 * Operations are counted in the interpreter, at places that counted-instructions.ts finds:
 *
 *     (global.set $left (i32.sub (global.get $left) (i32.const 1)))
 *     (if (i32.lt_s (global.get $left) (i32.const 0)) (then (call $expire (local.get $L))))
 *
 * `$expire` sets a hook, as a signal handler of a C program would. Lua calls it where the state is in order: at the next jump or call.
 */

import type { Edit } from "../../binary/branch-hints.ts";
import { emitCode } from "../../binary/code.ts";
import { decodeModule } from "../../binary/decode-module.ts";
import type { FunctionBuilder } from "../../binary/definitions.ts";
import type { FunctionType } from "../../binary/extern-types.ts";
import { InstructionReader } from "../../binary/instructions.ts";
import { functionBody } from "../../binary/module.ts";
import type { BinaryModule } from "../../binary/module.ts";
import { opcode } from "../../binary/opcodes.ts";
import { Reader } from "../../binary/reader.ts";
import { F64, I32 } from "../../binary/value-types.ts";
import { findCountedEnds } from "./counted-instructions.ts";
import { LuaFunctions, OPERATIONS_PER_TICK, consumer, unary } from "./lua-functions.ts";
import {
  ACTIVATION,
  ALLOW_HOOK,
  COUNT_HOOK,
  HOOK,
  HOOK_COUNT,
  HOOK_COUNT_BASE,
  HOOK_MASK,
  MULTIPLE_RESULTS,
  RUN,
  TRAP,
} from "./lua-layout.ts";
import { findProtectedCall } from "./protected-calls.ts";
import { unknownBuild } from "./unknown-build.ts";

/** Functions that are exported in addition. */
export const RUN_SCRIPT = "script_run";
export const PROTECT = "script_protect";
export const PUSH_WHOLE = "script_push_whole";
export const LENGTH = "script_length";
export const SET_ELEMENT = "script_set_element";
export const NEW_STATE = "script_new_state";
export const PUSH_HOST_FUNCTION = "script_push_host_function";
export const PUSH_METAMETHODS = "script_push_metamethods";

const STORE = opcode("i32.store");
const ANY = -1;

/** @throws {WebAssembly.CompileError} when this is not the build of Lua that it is made for */
export function editLua(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new LuaEditor(decodeModule(bytes)).build();
}

class LuaEditor extends LuaFunctions {
  constructor(module: BinaryModule) {
    super(module);
    this.#checkLayout();
    this.#addExports();
    const expire = this.#addExpire();
    const counted = findCountedEnds(module);
    const targets = this.#targets(this.#addResume());
    this.rewriteCode(
      (reader) => (counted.has(reader.start) ? this.#count(reader, expire) : undefined),
      (index, caller) => targets.get(caller)?.get(index) ?? targets.get(ANY)!.get(index) ?? this.renumbered(index),
    );
  }

  /** Caller → what it calls → what it calls instead. */
  #targets(resume: number): ReadonlyMap<number, ReadonlyMap<number, number>> {
    const { caller, allocate, free } = findProtectedCall(this.module);
    const ignore = this.addFunction(consumer, "script:ignore");
    const original = this.module.exports.find(({ name }) => name === "lua_resume")!.index;
    return new Map([
      [ANY, new Map([[original, resume]])],
      [
        caller,
        new Map([
          [allocate, this.indexOf("stackAlloc")],
          [free, ignore.index],
        ]),
      ],
    ]);
  }

  /** What `lua_sethook` writes shows where the fields are. */
  #checkLayout(): void {
    const { module } = this;
    const index = module.exports.find(({ name }) => name === "lua_sethook")?.index ?? unknownBuild("it has no hooks");
    const { start, end } = functionBody(module, index);
    const reader = new InstructionReader(module.bytes);
    const written = new Set<number>();
    reader.enterBody(start, end);
    while (reader.next()) {
      if (reader.opcode !== STORE) continue;
      const access = new Reader(module.bytes, reader.immediates, reader.position);
      access.u32("an alignment");
      written.add(access.u32("an offset"));
    }
    const expected = [HOOK, HOOK_COUNT_BASE, HOOK_COUNT, HOOK_MASK, TRAP];
    if (expected.some((offset) => !written.has(offset))) unknownBuild("its structures are others");
  }

  #exported(name: string, type: FunctionType): FunctionBuilder {
    const added = this.addFunction(type, name);
    this.export(name, "function", added.index);
    return added;
  }

  #addExports(): void {
    this.#addRun();
    this.#addProtect();
    const { code: whole } = this.#exported(PUSH_WHOLE, { params: [I32, F64], results: [] });
    whole.localGet(0).localGet(1).i64TruncF64S().call(this.indexOf("lua_pushinteger"));
    const { code: element } = this.#exported(SET_ELEMENT, { params: [I32, I32], results: [] });
    element.localGet(0).i32Const(-2).localGet(1).i64ExtendI32S().call(this.indexOf("lua_rawseti"));
    const { code: length } = this.#exported(LENGTH, { params: [I32, I32], results: [I32] });
    length.localGet(0).localGet(1).call(this.indexOf("lua_rawlen")).i32WrapI64();
    const { code: state } = this.#exported(NEW_STATE, { params: [], results: [I32] });
    state.i32Const(this.slot("allocate")).i32Const(0).call(this.indexOf("lua_newstate"));
    const { code: hostFunction } = this.#exported(PUSH_HOST_FUNCTION, consumer);
    hostFunction.localGet(0).i32Const(this.slot("call")).i32Const(1).call(this.indexOf("lua_pushcclosure"));
    this.#addPushMetamethods();
  }

  /**
   * A run, on a thread of Lua that nothing runs on; gives the status of Lua. The thread is left empty: a script may have kept it, and could
   * otherwise resume it with what lies there.
   *
   *     (func (export "script_run") (param $L i32) (result i32)
   *       (global.set $left (OPERATIONS_PER_TICK))
   *       (call $lua_pushcclosure (local.get $L) ($failed) (i32.const 0))
   *       (call $lua_pushcclosure (local.get $L) ($body) (i32.const 0))
   *       (call $lua_pcallk (local.get $L) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0))
   *       (call $lua_settop (local.get $L) (i32.const 0)))
   */
  #addRun(): void {
    const { code } = this.#exported(RUN_SCRIPT, unary);
    code.i32Const(OPERATIONS_PER_TICK).globalSet(this.left);
    for (const slot of ["failed", "body"] as const) this.emitPush(code, slot);
    code.localGet(0).i32Const(0).i32Const(0).i32Const(1).i32Const(0).i32Const(0).call(this.indexOf("lua_pcallk"));
    code.localGet(0).i32Const(0).call(this.indexOf("lua_settop"));
  }

  /** The same for functions that do not wait (`protected`), without a message handler; what it returns is on the stack afterwards, or the error. */
  #addProtect(): void {
    const { code } = this.#exported(PROTECT, unary);
    this.emitPush(code, "protected");
    code.localGet(0).i32Const(0).i32Const(MULTIPLE_RESULTS).i32Const(0).i32Const(0).i32Const(0);
    code.call(this.indexOf("lua_pcallk"));
  }

  /** `(func (export "script_push_metamethods") (param $L i32)`: pushes the functions for `__gc`, `__index` and `__tostring`. */
  #addPushMetamethods(): void {
    const { code } = this.#exported(PUSH_METAMETHODS, consumer);
    for (const slot of ["dropped", "field", "text"] as const) this.emitPush(code, slot);
  }

  /**
   * In place of `lua_resume`: while a coroutine runs, it belongs to the run of whoever has resumed it. Afterwards, and if it cannot be resumed,
   * it belongs to whom it did before: it may be the thread of another run.
   *
   *     (func $resume (param $L i32) (param $from i32) (param $arguments i32) (param $results i32) (result i32) (local $before i32)
   *       (local.set $before (i32.load (i32.sub (local.get $L) (RUN))))
   *       (if (local.get $from) (then (i32.store (i32.sub (local.get $L) (RUN)) (i32.load (i32.sub (local.get $from) (RUN))))))
   *       (call $lua_resume (local.get $L) (local.get $from) (local.get $arguments) (local.get $results))
   *       (i32.store (i32.sub (local.get $L) (RUN)) (local.get $before)))
   */
  #addResume(): number {
    const added = this.addFunction({ params: [I32, I32, I32, I32], results: [I32] }, "script:resume");
    const before = added.local(I32);
    const { code } = added;
    code.localGet(0).i32Const(RUN).i32Sub().i32Load().localSet(before);
    code.localGet(1).if();
    code.localGet(0).i32Const(RUN).i32Sub().localGet(1).i32Const(RUN).i32Sub().i32Load().i32Store().end();
    code.localGet(0).localGet(1).localGet(2).localGet(3).call(this.indexOf("lua_resume"));
    code.localGet(0).i32Const(RUN).i32Sub().localGet(before).i32Store();
    return added.index;
  }

  /**
   * Sets a hook as `lua_sethook` does, but for the innermost function only: those around it are told when it returns, and there may be many.
   * Hooks are also called in finalizers, which Lua would not do: scripts could hide there. Comes again and again until the hook is called.
   *
   *     (func $expire (param $L i32) (local $activation i32)
   *       (i32.store8 offset=ALLOW_HOOK (local.get $L) (i32.const 1))
   *       (i32.store offset=HOOK (local.get $L) ($hook))
   *       (i32.store offset=HOOK_COUNT_BASE (local.get $L) (i32.const 1))
   *       (i32.store offset=HOOK_COUNT (local.get $L) (i32.const 1))
   *       (i32.store offset=HOOK_MASK (local.get $L) (COUNT_HOOK))
   *       (i32.store offset=TRAP (i32.load offset=ACTIVATION (local.get $L)) (i32.const 1)))
   */
  #addExpire(): number {
    const added = this.addFunction(consumer, "script:expire");
    const { code } = added;
    code.localGet(0).i32Const(1).i32Store8(ALLOW_HOOK);
    code.localGet(0).i32Const(this.slot("hook")).i32Store(HOOK);
    code.localGet(0).i32Const(1).i32Store(HOOK_COUNT_BASE);
    code.localGet(0).i32Const(1).i32Store(HOOK_COUNT);
    code.localGet(0).i32Const(COUNT_HOOK).i32Store(HOOK_MASK);
    code.localGet(0).i32Load(ACTIVATION).i32Const(1).i32Store(TRAP);
    return added.index;
  }

  /** Behind an `end`: the form at the top of this file. */
  #count(end: InstructionReader, expire: number): Edit {
    const code = emitCode();
    code.globalGet(this.left).i32Const(1).i32Sub().globalSet(this.left);
    code.globalGet(this.left).i32Const(0).i32LtS().if().localGet(0).call(expire).end();
    return { start: end.position, end: end.position, bytes: code.writer.toBytes() };
  }
}
