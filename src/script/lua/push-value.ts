/**
 * Values of the host, for Lua.
 *
 *     undefined, null → nil    number → an integer, if it is whole and safe, else a float    bigint → integer, if 64 bits hold it
 *     string → string, in UTF-8    bytes → string    Date → number, the seconds since 1970 as in `os.time()`
 *     array, Set → table from 1    object, Map → table    function → function    error → what `pcall` gives for it
 *
 * Objects give their own enumerable properties, and nothing is shared: a table is a copy.
 */

import type { HostFunction } from "../language.ts";
import type { HostObjects } from "./host-objects.ts";
import type { LuaExports } from "./lua-exports.ts";
import { REGISTRY } from "./lua-layout.ts";
import type { LuaMemory } from "./lua-memory.ts";
import { MAX_DEPTH, SLOTS_PER_TABLE } from "./read-value.ts";

/** What the prelude has made, by references of the registry. */
export interface Metatables {
  readonly functions: bigint;
  readonly errors: bigint;
  /** Of tables that were empty arrays. */
  readonly arrays: bigint;
  /** Address of a userdata → the function that has it, or the userdata. What nobody else has is not in it. */
  readonly known: bigint;
}

export interface PusherParts {
  readonly api: LuaExports;
  readonly memory: LuaMemory;
  readonly objects: HostObjects;
  readonly metatables: Metatables;
  /** The reference of a function of these scripts that the host has; `undefined` if it is one of the host. */
  readonly referenceOf: (value: unknown) => number | undefined;
}

const WORD_BYTES = 4;
const MS_PER_SECOND = 1000;

export class ValuePusher {
  readonly #parts: PusherParts;
  /** The objects around the one that is being pushed. */
  readonly #around = new Set<object>();

  constructor(parts: PusherParts) {
    this.#parts = parts;
  }

  /** @throws {TypeError} when it cannot cross, with whatever was pushed of it */
  push(L: number, value: unknown): void {
    const { api, memory } = this.#parts;
    switch (typeof value) {
      case "undefined":
        return api.lua_pushnil(L);
      case "boolean":
        return api.lua_pushboolean(L, Number(value));
      case "number":
        if (Number.isSafeInteger(value) && !Object.is(value, -0)) return api.script_push_whole(L, value);
        return api.lua_pushnumber(L, value);
      case "bigint":
        return this.#bigint(L, value);
      case "string":
        return void memory.with(value, (address, bytes) => api.lua_pushlstring(L, address, bytes));
      case "function":
        // Its parameters are what scripts pass.
        return this.#function(L, value as HostFunction);
      case "object":
        return value === null ? api.lua_pushnil(L) : this.#object(L, value);
      default:
        throw new TypeError(`Cannot pass a ${typeof value} to a script`);
    }
  }

  pushAll(L: number, values: readonly unknown[]): void {
    if (this.#parts.api.lua_checkstack(L, values.length) === 0) {
      throw new RangeError(`Cannot pass ${values.length} values to a script: its stack has no place for so many`);
    }
    for (const value of values) this.push(L, value);
  }

  /** Pushes what stands for an error of the host; only objects can be known again. */
  pushError(L: number, error: object): void {
    const { api, objects, metatables } = this.#parts;
    if (this.#pushKnown(L, objects.addressOf(error))) return;
    const { name, message } = error as { readonly name?: unknown; readonly message?: unknown };
    const text = typeof message === "string" ? message : Object.prototype.toString.call(error);
    const address = api.lua_newuserdatauv(L, WORD_BYTES, 2);
    const userdata = api.lua_gettop(L);
    objects.set(address, { error });
    this.#fields(L, { ...plainFields(error), name: typeof name === "string" ? name : "Error", message: text });
    api.lua_setiuservalue(L, userdata, 1);
    this.push(L, text);
    api.lua_setiuservalue(L, userdata, 2);
    api.lua_rawgeti(L, REGISTRY, metatables.errors);
    api.lua_setmetatable(L, userdata);
    this.#keepKnown(L, address);
  }

  #bigint(L: number, value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) {
      throw new RangeError(`Cannot pass ${value} to a script: an integer of Lua has 64 bits`);
    }
    this.#parts.api.lua_pushinteger(L, value);
  }

  #function(L: number, callee: HostFunction): void {
    const { api, objects, metatables } = this.#parts;
    const reference = this.#parts.referenceOf(callee);
    if (reference !== undefined) return void api.lua_rawgeti(L, REGISTRY, BigInt(reference));
    if (this.#pushKnown(L, objects.addressOf(callee))) return undefined;
    const address = api.lua_newuserdatauv(L, WORD_BYTES, 0);
    objects.set(address, { callee: callee as (...args: readonly unknown[]) => unknown });
    api.lua_rawgeti(L, REGISTRY, metatables.functions);
    api.lua_setmetatable(L, -2);
    api.script_push_host_function(L);
    return this.#keepKnown(L, address);
  }

  /** Whether there is one still: the table of those that are known loses what only it has. */
  #pushKnown(L: number, address: number | undefined): boolean {
    if (address === undefined) return false;
    const { api } = this.#parts;
    api.lua_rawgeti(L, REGISTRY, this.#parts.metatables.known);
    const type = api.lua_rawgeti(L, -1, BigInt(address));
    api.lua_rotate(L, -2, 1);
    api.lua_settop(L, type === 0 ? -3 : -2);
    return type !== 0;
  }

  /** Leaves it at the top. */
  #keepKnown(L: number, address: number): void {
    const { api } = this.#parts;
    api.lua_rawgeti(L, REGISTRY, this.#parts.metatables.known);
    api.lua_pushvalue(L, -2);
    api.lua_rawseti(L, -2, BigInt(address));
    api.lua_settop(L, -2);
  }

  #object(L: number, value: object): void {
    if (value instanceof Error) return this.pushError(L, value);
    if (value instanceof Date) return this.push(L, value.getTime() / MS_PER_SECOND);
    const bytes = bytesOf(value);
    if (bytes !== undefined) {
      const { api, memory } = this.#parts;
      return void memory.with(bytes, (address, length) => api.lua_pushlstring(L, address, length));
    }
    if (typeof (value as { readonly then?: unknown }).then === "function") {
      throw new TypeError("Cannot pass a promise to a script inside of another value: await it first");
    }
    return this.#table(L, value);
  }

  #table(L: number, value: object): void {
    if (this.#around.has(value)) throw new TypeError("Cannot pass an object that contains itself to a script");
    if (this.#around.size >= MAX_DEPTH || this.#parts.api.lua_checkstack(L, SLOTS_PER_TABLE) === 0) {
      throw new TypeError(`Cannot pass objects to a script that lie more than ${MAX_DEPTH} deep in each other`);
    }
    this.#around.add(value);
    try {
      if (Array.isArray(value)) this.#elements(L, value);
      else if (value instanceof Set) this.#elements(L, [...value]);
      else if (value instanceof Map) this.#entries(L, value);
      else this.#fields(L, value);
    } finally {
      this.#around.delete(value);
    }
  }

  #elements(L: number, elements: readonly unknown[]): void {
    const { api } = this.#parts;
    api.lua_createtable(L, elements.length, 0);
    for (let index = 0; index < elements.length; index++) {
      this.push(L, elements[index]);
      api.script_set_element(L, index + 1);
    }
    if (elements.length > 0) return;
    api.lua_rawgeti(L, REGISTRY, this.#parts.metatables.arrays);
    api.lua_setmetatable(L, -2);
  }

  #fields(L: number, value: object): void {
    const { api } = this.#parts;
    const keys = Object.keys(value);
    api.lua_createtable(L, 0, keys.length);
    for (const key of keys) {
      this.push(L, key);
      this.push(L, (value as Record<string, unknown>)[key]);
      api.lua_rawset(L, -3);
    }
  }

  /** @throws {TypeError} when a key is none that a table can have */
  #entries(L: number, entries: ReadonlyMap<unknown, unknown>): void {
    const { api } = this.#parts;
    api.lua_createtable(L, 0, entries.size);
    for (const [key, value] of entries) {
      if (key === undefined || key === null || Number.isNaN(key)) {
        throw new TypeError(`Cannot pass a map to a script: a table cannot have the key ${String(key)}`);
      }
      this.push(L, key);
      this.push(L, value);
      api.lua_rawset(L, -3);
    }
  }
}

/** What of an error's own fields a script can read. */
function plainFields(error: object): Record<string, unknown> {
  const fields = Object.entries(error).filter(([, value]) => ["string", "number", "boolean"].includes(typeof value));
  return Object.fromEntries(fields);
}

/** The bytes of a buffer or a view of one. */
function bytesOf(value: object): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
}
