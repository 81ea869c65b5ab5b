/**
 * What Lua calls: C functions (`int f(lua_State *L)`), a hook and an allocator, as functions of the guest in its table, and the imports that they
 * call. The text form stands beside each.
 */

import type { FunctionBuilder } from "../../binary/definitions.ts";
import type { FunctionType } from "../../binary/extern-types.ts";
import { writeTableType } from "../../binary/extern-types.ts";
import type { BinaryModule } from "../../binary/module.ts";
import { RenumberingEditor } from "../../binary/renumbering-editor.ts";
import { SECTION } from "../../binary/sections.ts";
import { I32 } from "../../binary/value-types.ts";
import { FIRST_UPVALUE, MULTIPLE_RESULTS } from "./lua-layout.ts";
import { unknownBuild } from "./unknown-build.ts";

/** Module of the imports that are added. */
export const HOST_MODULE = "lua";

/** Answers of the host to the guest, where a number of results is expected otherwise. */
export const THROW = -1;
export const FINISH = -2;

/** Operations between two calls of `lua.tick`. */
export const OPERATIONS_PER_TICK = 1000;

/** Globals that are exported in addition. */
export const OPERATIONS_LEFT = "script_operations_left";
export const BYTES_USED = "script_bytes_used";
export const BYTES_LIMIT = "script_bytes_limit";

export const unary: FunctionType = { params: [I32], results: [I32] };
export const consumer: FunctionType = { params: [I32], results: [] };

const IMPORTS = {
  call: { params: [I32, I32], results: [I32] },
  finish: unary,
  tick: { params: [I32, I32], results: [] },
  begin: unary,
  end: consumer,
  failed: consumer,
  inside: unary,
  dropped: consumer,
} satisfies Record<string, FunctionType>;
type ImportName = keyof typeof IMPORTS;

/** What goes into the table, in this order. */
const SLOTS = ["call", "body", "failed", "protected", "hook", "allocate", "dropped", "field", "text"] as const;
export type Slot = (typeof SLOTS)[number];

export class LuaFunctions extends RenumberingEditor {
  readonly #imports = new Map<string, number>();
  readonly #firstSlot: number;
  /** Operations until the next tick. */
  protected readonly left: number;
  readonly #used: number;
  readonly #limit: number;

  constructor(module: BinaryModule) {
    const imports = Object.entries(IMPORTS).map(([name, type]) => ({ module: HOST_MODULE, name, type }));
    super(module, imports);
    for (const [position, { name }] of imports.entries()) this.#imports.set(name, this.imported + position);
    this.#firstSlot = module.tables[0]?.minimum ?? unknownBuild("it has no table");
    this.left = this.#global(OPERATIONS_LEFT, OPERATIONS_PER_TICK);
    this.#used = this.#global(BYTES_USED, 0);
    this.#limit = this.#global(BYTES_LIMIT, -1);
    this.#addToTable();
  }

  #global(name: string, initial: number): number {
    const index = this.addGlobal({ type: I32, mutable: true }, (code) => code.i32Const(initial));
    this.export(name, "global", index);
    return index;
  }

  /** The new index of a function that the guest exports. */
  protected indexOf(name: string): number {
    const found = this.module.exports.find((entry) => entry.kind === "function" && entry.name === name);
    if (found === undefined) return unknownBuild(`it has no function ${name}`);
    return this.renumbered(found.index);
  }

  #import(name: ImportName): number {
    return this.#imports.get(name)!;
  }

  /** Where a function that is added is in the table. */
  protected slot(name: Slot): number {
    return this.#firstSlot + SLOTS.indexOf(name);
  }

  /** Pushes a function of the table. */
  protected emitPush(code: FunctionBuilder["code"], slot: Slot): void {
    code.localGet(0).i32Const(this.slot(slot)).i32Const(0).call(this.indexOf("lua_pushcclosure"));
  }

  #addToTable(): void {
    const functions: Record<Slot, FunctionBuilder> = {
      call: this.#addCall(),
      body: this.#addBody(),
      failed: this.#addFailed(),
      protected: this.#addProtected(),
      hook: this.#addHook(),
      allocate: this.#addAllocate(),
      dropped: this.#addDropped(),
      field: this.#addField(),
      text: this.#addText(),
    };
    const table = this.module.tables[0]!;
    const type = { ...table, minimum: this.#firstSlot + SLOTS.length };
    this.rewrites.set(SECTION.table, (writer) => writeTableType(writer, type));
    const indices = SLOTS.map((slot) => functions[slot].index);
    this.addElements(0, (code) => code.i32Const(this.#firstSlot), indices);
  }

  /**
   * Every function of the host, as scripts see it: the address of its first upvalue says which one it is. Other scripts may run meanwhile, and count.
   *
   *     (func $call (param $L i32) (result i32) (local $left i32) (local $results i32)
   *       (local.set $left (global.get $left))
   *       (local.set $results (call $lua.call (local.get $L) (call $lua_touserdata (local.get $L) (FIRST_UPVALUE))))
   *       (if (i32.eq (local.get $results) (FINISH)) (then (local.set $results (call $lua.finish (local.get $L)))))
   *       (global.set $left (local.get $left))
   *       … results, or throw)
   */
  #addCall(): FunctionBuilder {
    const added = this.addFunction(unary, "script:call");
    const left = added.local(I32);
    const results = added.local(I32);
    const { code } = added;
    code.globalGet(this.left).localSet(left);
    code.localGet(0).localGet(0).i32Const(FIRST_UPVALUE).call(this.indexOf("lua_touserdata"));
    code.call(this.#import("call")).localTee(results).i32Const(FINISH).i32Eq().if();
    code.localGet(0).call(this.#import("finish")).localSet(results).end();
    code.localGet(left).globalSet(this.left);
    this.#emitResults(added, results);
    return added;
  }

  /** `(if (result i32) (i32.lt_s (local.get $results) (i32.const 0)) (then (call $lua_error (local.get $L))) (else (local.get $results)))` */
  #emitResults({ code }: FunctionBuilder, results: number): void {
    code.localGet(results).i32Const(0).i32LtS().if(I32);
    code.localGet(0).call(this.indexOf("lua_error")).else().localGet(results).end();
  }

  /**
   * What a run consists of: the host pushes a function and so many arguments, and takes the results.
   *
   *     (func $body (param $L i32) (result i32) (local $arguments i32)
   *       (local.set $arguments (call $lua.begin (local.get $L)))
   *       (if (i32.lt_s (local.get $arguments) (i32.const 0)) (then (return (call $lua_error (local.get $L)))))
   *       (call $lua_callk (local.get $L) (local.get $arguments) (MULTIPLE_RESULTS) (i32.const 0) (i32.const 0))
   *       (call $lua.end (local.get $L))
   *       (i32.const 0))
   */
  #addBody(): FunctionBuilder {
    const added = this.addFunction(unary, "script:body");
    const count = added.local(I32);
    const { code } = added;
    code.localGet(0).call(this.#import("begin")).localTee(count).i32Const(0).i32LtS().if();
    code.localGet(0).call(this.indexOf("lua_error")).return().end();
    code.localGet(0).localGet(count).i32Const(MULTIPLE_RESULTS).i32Const(0).i32Const(0);
    code.call(this.indexOf("lua_callk"));
    code.localGet(0).call(this.#import("end")).i32Const(0);
    return added;
  }

  /**
   * The message handler of a run: the host sees the error, its text, and the stack as it is.
   *
   *     (func $failed (param $L i32) (result i32)
   *       (drop (call $luaL_tolstring (local.get $L) (i32.const 1) (i32.const 0)))
   *       (call $lua.failed (local.get $L))
   *       (call $lua_settop (local.get $L) (i32.const 1))
   *       (i32.const 1))
   */
  #addFailed(): FunctionBuilder {
    const added = this.addFunction(unary, "script:failed");
    const { code } = added;
    code.localGet(0).i32Const(1).i32Const(0).call(this.indexOf("luaL_tolstring")).drop();
    code.localGet(0).call(this.#import("failed"));
    code.localGet(0).i32Const(1).call(this.indexOf("lua_settop")).i32Const(1);
    return added;
  }

  /** Where the host does what may fail, such as creating a table: `… (call $lua.inside (local.get $L)) …`, results or throw. */
  #addProtected(): FunctionBuilder {
    const added = this.addFunction(unary, "script:protected");
    const results = added.local(I32);
    added.code.localGet(0).call(this.#import("inside")).localSet(results);
    this.#emitResults(added, results);
    return added;
  }

  /**
   * Other scripts may run, and count, while this one has to wait.
   *
   *     (func $hook (param $L i32) (param $activation i32)
   *       (call $lua_sethook (local.get $L) (i32.const 0) (i32.const 0) (i32.const 0))
   *       (call $lua.tick (local.get $L) (i32.sub (OPERATIONS_PER_TICK) (global.get $left)))
   *       (global.set $left (OPERATIONS_PER_TICK)))
   */
  #addHook(): FunctionBuilder {
    const added = this.addFunction({ params: [I32, I32], results: [] }, "script:hook");
    const { code } = added;
    code.localGet(0).i32Const(0).i32Const(0).i32Const(0).call(this.indexOf("lua_sethook"));
    code.localGet(0).i32Const(OPERATIONS_PER_TICK).globalGet(this.left).i32Sub().call(this.#import("tick"));
    code.i32Const(OPERATIONS_PER_TICK).globalSet(this.left);
    return added;
  }

  /**
   * A `lua_Alloc`. The old size is that only if there is a block: of what is new it says the kind.
   *
   *     (func $allocate (param $data i32) (param $block i32) (param $old i32) (param $new i32) (result i32) (local $growth i32)
   *       (local.set $growth (i32.sub (local.get $new) (select (local.get $old) (i32.const 0) (local.get $block))))
   *       (if (i32.eqz (local.get $new)) (then
   *         (call $free (local.get $block))
   *         (global.set $used (i32.add (global.get $used) (local.get $growth)))
   *         (return (i32.const 0))))
   *       (if (i32.gt_s (local.get $growth) (i32.const 0)) (then
   *         (if (i32.gt_u (i32.add (global.get $used) (local.get $growth)) (global.get $limit)) (then (return (i32.const 0))))))
   *       (local.set $block (call $realloc (local.get $block) (local.get $new)))
   *       (if (local.get $block) (then (global.set $used (i32.add (global.get $used) (local.get $growth)))))
   *       (local.get $block))
   */
  #addAllocate(): FunctionBuilder {
    const added = this.addFunction({ params: [I32, I32, I32, I32], results: [I32] }, "script:allocate");
    const [block, old, size] = [1, 2, 3];
    const growth = added.local(I32);
    const { code } = added;
    const account = (): void => void code.globalGet(this.#used).localGet(growth).i32Add().globalSet(this.#used);
    code.localGet(size).localGet(old).i32Const(0).localGet(block).select().i32Sub().localSet(growth);
    code.localGet(size).i32Eqz().if();
    code.localGet(block).call(this.indexOf("free"));
    account();
    code.i32Const(0).return().end();
    code.localGet(growth).i32Const(0).i32GtS().if();
    code.globalGet(this.#used).localGet(growth).i32Add().globalGet(this.#limit).i32GtU().if();
    code.i32Const(0).return().end().end();
    code.localGet(block).localGet(size).call(this.indexOf("realloc")).localTee(block).if();
    account();
    code.end().localGet(block);
    return added;
  }

  /** `__gc` of what stands for something of the host: `(call $lua.dropped (call $lua_touserdata (local.get $L) (i32.const 1)))` */
  #addDropped(): FunctionBuilder {
    const added = this.addFunction(unary, "script:dropped");
    const { code } = added;
    code.localGet(0).i32Const(1).call(this.indexOf("lua_touserdata"));
    code.call(this.#import("dropped")).i32Const(0);
    return added;
  }

  /** `__index` of an error of the host: a field of the table that is its first user value. */
  #addField(): FunctionBuilder {
    const added = this.addFunction(unary, "script:field");
    const { code } = added;
    code.localGet(0).i32Const(1).i32Const(1).call(this.indexOf("lua_getiuservalue")).drop();
    code.localGet(0).i32Const(2).call(this.indexOf("lua_pushvalue"));
    code.localGet(0).i32Const(-2).call(this.indexOf("lua_rawget")).drop().i32Const(1);
    return added;
  }

  /** `__tostring` of an error of the host: its second user value. */
  #addText(): FunctionBuilder {
    const added = this.addFunction(unary, "script:text");
    const { code } = added;
    code.localGet(0).i32Const(1).i32Const(2).call(this.indexOf("lua_getiuservalue")).drop().i32Const(1);
    return added;
  }
}
