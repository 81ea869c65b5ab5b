/**
 * One Lua in an instance of its own: what every run of a script shares.
 *
 * `api` are plain calls on the stack of whoever runs: they may only be made while the guest has called the host, in an import or in
 * {@link LuaState.protect}. There an error of Lua, such as that there is no memory, leaves JavaScript as a longjmp of the guest would, through
 * whatever is in between; JavaScript must let it pass ({@link isLuaError}).
 */

import type { Instance } from "../../link/instance.ts";
import { PROTECT, RUN_SCRIPT } from "./guest-edit.ts";
import type { LuaExports } from "./lua-exports.ts";
import { GLOBAL_STATE, MULTIPLE_RESULTS, STATUS, STOPPED_BY_PROGRAM } from "./lua-layout.ts";
import { LuaMemory } from "./lua-memory.ts";

/** The engine's class, which TypeScript's library does not know. */
const { Exception } = WebAssembly as unknown as { readonly Exception: new (...args: never[]) => object };

/** Whether this is an error of Lua on its way to whoever catches it. */
export function isLuaError(error: unknown): boolean {
  return error instanceof Exception;
}

/** What the guest is called back for by {@link LuaState.protect}: it is an import, and so there before the guest is. */
export class ProtectedBody {
  body: ((L: number) => void) | undefined;
  /** An error of JavaScript, which must not pass through Lua. */
  failure: { readonly error: unknown } | undefined;

  /** `lua.inside` */
  readonly inside = (L: number): number => {
    try {
      this.body!(L);
    } catch (error) {
      if (isLuaError(error)) throw error;
      this.failure = { error };
    }
    return 0;
  };
}

/** Where a `global_State` has what is looked for, in bytes. */
const SEARCHED_BYTES = 256;

export class LuaState {
  readonly api: LuaExports;
  readonly memory: LuaMemory;
  /** The main thread of Lua, on which no script runs. */
  readonly main: number;
  readonly #instance: Instance;
  readonly #protected: ProtectedBody;
  readonly #run: ReturnType<Instance["function"]>;
  /** Address of a byte that says why the garbage collector does not run; 0 as long as it is not known. */
  #collectorStops = 0;
  #calls = 0;

  /**
   * @param inside whose import the instance has
   * @throws {RangeError} when there is no memory for it
   */
  constructor(instance: Instance, inside: ProtectedBody, maxMemoryBytes: number | undefined) {
    this.#instance = instance;
    this.#protected = inside;
    // What Lua exports is said there.
    this.api = instance.raw.exports as unknown as LuaExports;
    this.#run = instance.function(RUN_SCRIPT);
    instance.sync["__wasm_call_ctors"]!();
    if (maxMemoryBytes !== undefined) this.api.script_bytes_limit.value = Math.min(maxMemoryBytes, 2 ** 32 - 1) | 0;
    this.memory = new LuaMemory(this.api.memory, this.api);
    this.main = instance.sync["script_new_state"]!() as number;
    if (this.main === 0) throw tooLittle();
    this.protect((L) => {
      this.api.luaL_openlibs(L);
      this.#collectorStops = this.#findCollectorStops(L);
    });
  }

  get usedBytes(): number {
    return this.api.script_bytes_used.value;
  }

  /** Runs a script on a thread of Lua that was made for it; gives the status of Lua. */
  run(L: number): Promise<unknown> {
    return this.#run.call([L]);
  }

  /** Why the garbage collector does not run, as bits. */
  get collectorStops(): number {
    return this.memory.bytes[this.#collectorStops]!;
  }

  set collectorStops(bits: number) {
    this.memory.bytes[this.#collectorStops] = bits;
  }

  /** Whether JavaScript is making calls of {@link LuaState.api}: what Lua asks its host for meanwhile cannot wait. */
  get isCalled(): boolean {
    return this.#calls > 0;
  }

  /** Runs `body`, which makes calls of {@link LuaState.api}, while no garbage is collected: a finalizer would run a script where it cannot wait. */
  withoutCollector<Result>(body: () => Result): Result {
    const before = this.#collectorStops === 0 ? 0 : this.collectorStops;
    if (this.#collectorStops !== 0) this.collectorStops = before | STOPPED_BY_PROGRAM;
    this.#calls++;
    try {
      return body();
    } finally {
      this.#calls--;
      if (this.#collectorStops !== 0) this.collectorStops = before;
    }
  }

  /**
   * Runs `body` where it may call {@link LuaState.api}, at any time.
   *
   * @throws {RangeError} when there was no memory
   */
  protect<Result>(body: (L: number) => Result): Result {
    const inside = this.#protected;
    const outer = inside.body;
    let result: { readonly value: Result } | undefined;
    inside.body = (L) => void (result = { value: this.withoutCollector(() => body(L)) });
    let status: unknown;
    try {
      status = this.#instance.sync[PROTECT]!(this.main);
    } finally {
      inside.body = outer;
    }
    const { failure } = inside;
    inside.failure = undefined;
    if (failure !== undefined) throw failure.error;
    if (status === STATUS.ok && result !== undefined) return result.value;
    const message = status === STATUS.memory ? undefined : this.#takeMessage();
    this.#instance.sync["lua_settop"]!(this.main, 0);
    throw message === undefined ? tooLittle() : new Error(`Lua has failed: ${message}`);
  }

  /**
   * Loads a script, for whoever may call {@link LuaState.api}: pushes its function, or what is wrong with it. Where it is an expression,
   * its function gives the value.
   */
  load(
    L: number,
    source: string,
    { name, isExpression }: { readonly name: string; readonly isExpression: boolean },
  ): number {
    const { api, memory } = this;
    const first = api.lua_gettop(L);
    const prefix = "return ";
    return memory.with(`@${name.replaceAll("\0", "")}\0t\0${prefix}${source}`, (address, bytes) => {
      const mode = memory.bytes.indexOf(0, address) + 1;
      const expression = mode + 2;
      const left = address + bytes - expression;
      if (isExpression && api.luaL_loadbufferx(L, expression, left, address, mode) === STATUS.ok) return STATUS.ok;
      api.lua_settop(L, first);
      return api.luaL_loadbufferx(L, expression + prefix.length, left - prefix.length, address, mode);
    });
  }

  #takeMessage(): string {
    const { sync } = this.#instance;
    const address = sync["lua_tolstring"]!(this.main, -1, 0) as number;
    return address === 0 ? "there is no message" : this.memory.readCString(address);
  }

  /** By having it stopped, and looking what has changed: releases of Lua differ in where it is. */
  #findCollectorStops(L: number): number {
    const globalState = this.memory.word(L + GLOBAL_STATE);
    const snapshot = (): Uint8Array => this.memory.bytes.slice(globalState, globalState + SEARCHED_BYTES);
    const collect = (what: string): Uint8Array => {
      this.load(L, `collectgarbage("${what}")`, { name: "setup", isExpression: false });
      this.api.lua_callk(L, 0, MULTIPLE_RESULTS, 0, 0);
      return snapshot();
    };
    const running = collect("restart");
    const stopped = collect("stop");
    const restarted = collect("restart");
    const found = [...running.keys()].filter((at) => running[at] === 0 && stopped[at] === 1 && restarted[at] === 0);
    if (found.length !== 1) throw new Error("Cannot use this build of Lua: its garbage collector is not known");
    return globalState + found[0]!;
  }
}

function tooLittle(): RangeError {
  return new RangeError("Lua has no memory left: maxMemoryBytes is too little for what it was asked to do");
}
