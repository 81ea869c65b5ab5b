/**
 * Lua as a `ScriptRuntime`: one state in an instance of its own.
 *
 * Each evaluation and call runs in a thread of Lua that is made for it, so that any number may wait at once and end in any order. A script that
 * is stopped leaves its thread as it is; nobody can resume it, and the garbage collector takes it.
 */

import { instantiate } from "../../instantiate.ts";
import type { Instance } from "../../link/instance.ts";
import type { FunctionReference, HostFunction, RuntimeOptions, ScriptRuntime, SourceOptions } from "../language.ts";
import { moduleSource } from "../module-source.ts";
import { ScriptError } from "../script-errors.ts";
import type { ScriptRun } from "../script-run.ts";
import { emscriptenImports } from "./emscripten-imports.ts";
import { HOST_MODULE, THROW } from "./lua-functions.ts";
import { HostObjects } from "./host-objects.ts";
import { LuaActivity } from "./lua-activity.ts";
import { LuaHostCalls } from "./lua-host-calls.ts";
import { GLOBALS, REGISTRY, STATUS, TYPE, TYPE_NAMES } from "./lua-layout.ts";
import { compiledLua } from "./lua-package.ts";
import type { LuaOptions } from "./lua-package.ts";
import { LuaState, ProtectedBody, isLuaError } from "./lua-state.ts";
import { PRELUDE } from "./prelude.ts";
import { ValuePusher } from "./push-value.ts";
import type { Metatables } from "./push-value.ts";
import { ValueReader } from "./read-value.ts";

export class LuaRuntime implements ScriptRuntime {
  readonly #state: LuaState;
  readonly #calls: LuaHostCalls;
  readonly #pusher: ValuePusher;

  private constructor(state: LuaState, calls: LuaHostCalls, { functions, print, loadModule }: RuntimeOptions) {
    this.#state = state;
    this.#calls = calls;
    const objects = new HostObjects();
    const { api, memory } = state;
    const { metatables, arrayMark, setUp } = this.#runPrelude();
    const reader = new ValueReader({
      api,
      memory,
      objects,
      fromScript: (id) => functions.fromScript({ runtime: this, id, name: "function" }),
      isArrayMark: (address) => address === arrayMark,
    });
    const referenceOf = (value: unknown): number | undefined => {
      const reference = functions.referenceOf(value);
      return reference?.runtime === this ? reference.id : undefined;
    };
    this.#pusher = new ValuePusher({ api, memory, objects, metatables, referenceOf });
    calls.attach({ state, reader, pusher: this.#pusher, objects });
    this.#setUp(setUp, [
      (text: string | Uint8Array) => print(typeof text === "string" ? text : new TextDecoder().decode(text)),
      (name: unknown) => moduleSource(loadModule, String(name)),
      () => performance.now() / MS_PER_SECOND,
    ]);
  }

  static async start(source: LuaOptions, options: RuntimeOptions): Promise<LuaRuntime> {
    const { backend, stackBytes, maxMemoryBytes, functions } = options;
    const calls = new LuaHostCalls(functions);
    const body = new ProtectedBody();
    const imports = {
      ...emscriptenImports(() => instance.memory!),
      [HOST_MODULE]: { ...calls.imports, inside: body.inside },
    };
    const instance: Instance = await instantiate(await compiledLua(source, backend), imports, {
      stacks: { bytes: Math.max(stackBytes, MIN_STACK_BYTES) },
    });
    return new LuaRuntime(new LuaState(instance, body, maxMemoryBytes), calls, options);
  }

  define(path: readonly string[], callee: HostFunction): void {
    const { api } = this.#state;
    this.#state.protect((L) => {
      api.lua_rawgeti(L, REGISTRY, GLOBALS);
      for (const part of path.slice(0, -1)) this.#enterTable(L, part);
      this.#pusher.push(L, path.at(-1));
      this.#pusher.push(L, callee);
      api.lua_rawset(L, -3);
    });
  }

  evaluate(source: string, { fileName, isModule }: SourceOptions, run: ScriptRun): Promise<unknown> {
    return this.#run(run, (L, activity) => {
      const status = this.#state.load(L, source, { name: fileName, isExpression: !isModule });
      activity.isSyntaxError = status === STATUS.syntax;
      return status === STATUS.ok ? 0 : THROW;
    });
  }

  call(callee: readonly string[] | FunctionReference, args: readonly unknown[], run: ScriptRun): Promise<unknown> {
    return this.#run(run, (L, activity) => {
      if ("id" in callee) this.#state.api.lua_rawgeti(L, REGISTRY, BigInt(callee.id));
      else this.#pushGlobal(L, callee);
      try {
        this.#pusher.pushAll(L, args);
      } catch (error) {
        if (!isLuaError(error)) activity.refusal = { error };
        throw error;
      }
      return args.length;
    });
  }

  release({ id }: FunctionReference): void {
    if (this.#calls.broken === undefined) this.#state.protect((L) => this.#state.api.luaL_unref(L, REGISTRY, id));
  }

  memoryBytes(): number {
    return this.#state.usedBytes;
  }

  /** The instance goes with whoever has it: what scripts hold needs not be freed one by one, and their finalizers are not called. */
  close(): void {
    this.#calls.broken = { error: new TypeError("Cannot run script: the engine was closed") };
  }

  async #run(run: ScriptRun, begin: (L: number, activity: LuaActivity) => number): Promise<unknown> {
    if (this.#calls.broken !== undefined) throw this.#calls.broken.error;
    const { api } = this.#state;
    const [thread, reference] = this.#state.protect((L) => {
      const made = api.lua_newthread(L);
      return [made, api.luaL_ref(L, REGISTRY)];
    });
    const activity = new LuaActivity(run, begin);
    const number = this.#calls.enter(activity, thread);
    let status: unknown;
    try {
      status = await this.#state.run(thread);
    } catch (error) {
      this.#calls.repair(activity);
      if (!run.isStopped) this.#calls.break(error);
      throw error;
    } finally {
      this.#calls.leave(number);
      // What nobody keeps any more goes with the next garbage.
      if (this.#calls.broken === undefined) this.#state.protect((L) => api.luaL_unref(L, REGISTRY, reference));
    }
    const failure = activity.refusal ?? activity.failure;
    if (failure !== undefined) throw failure.error;
    if (status === STATUS.ok) return activity.value;
    throw new ScriptError(status === STATUS.memory ? "not enough memory" : "error in error handling");
  }

  /** Pushes a global function, or one in a table. Nothing of the script is run to find it. */
  #pushGlobal(L: number, path: readonly string[]): void {
    const { api } = this.#state;
    const name = path.join(".");
    api.lua_rawgeti(L, REGISTRY, GLOBALS);
    let type: number = TYPE.table;
    for (const part of path) {
      if (type !== TYPE.table) throw new TypeError(`Cannot call "${name}": there is no such function`);
      this.#pusher.push(L, part);
      type = api.lua_rawget(L, -2);
      api.lua_rotate(L, -2, 1);
      api.lua_settop(L, -2);
    }
    if (type === TYPE.function || type === TYPE.table || type === TYPE.userdata) return;
    throw new TypeError(`Cannot call "${name}": expected a function, found ${TYPE_NAMES[type]}`);
  }

  /** Pushes the table of that name in the one at the top, which it may have to make. */
  #enterTable(L: number, name: string): void {
    const { api } = this.#state;
    this.#pusher.push(L, name);
    if (api.lua_rawget(L, -2) === TYPE.table) return;
    api.lua_settop(L, -2);
    this.#pusher.push(L, name);
    api.lua_createtable(L, 0, 1);
    api.lua_pushvalue(L, -1);
    api.lua_rotate(L, -3, 1);
    api.lua_rawset(L, -4);
  }

  #runPrelude(): { readonly metatables: Metatables; readonly arrayMark: number; readonly setUp: number } {
    const { api } = this.#state;
    return this.#state.protect((L) => {
      this.#state.load(L, PRELUDE, { name: "prelude", isExpression: false });
      api.script_push_metamethods(L);
      api.lua_callk(L, METAMETHODS, PRELUDE_VALUES, 0, 0);
      const setUp = api.luaL_ref(L, REGISTRY);
      const known = BigInt(api.luaL_ref(L, REGISTRY));
      const arrayMark = api.lua_topointer(L, -1);
      const arrays = BigInt(api.luaL_ref(L, REGISTRY));
      const errors = BigInt(api.luaL_ref(L, REGISTRY));
      const functions = BigInt(api.luaL_ref(L, REGISTRY));
      return { metatables: { functions, errors, arrays, known }, arrayMark, setUp };
    });
  }

  /** Gives the prelude its functions of the host. */
  #setUp(setUp: number, callees: readonly HostFunction[]): void {
    const { api } = this.#state;
    this.#state.protect((L) => {
      api.lua_rawgeti(L, REGISTRY, BigInt(setUp));
      this.#pusher.pushAll(L, callees);
      api.lua_callk(L, callees.length, 0, 0, 0);
      api.luaL_unref(L, REGISTRY, setUp);
    });
  }
}

/**
 * Lua itself limits how deep functions of C nest, to 200, and 191 KiB are the most that was found to be needed for that (`string.format` in
 * `__tostring`); to write a number takes 8 KiB more. A stack that is too little for it would end the engine instead of the script.
 */
const MIN_STACK_BYTES = 256 * 1024;

/** What the prelude takes, and gives. */
const METAMETHODS = 3;
const PRELUDE_VALUES = 5;

const MS_PER_SECOND = 1000;
