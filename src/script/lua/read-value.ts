/**
 * Values of Lua, for the host.
 *
 *     nil → undefined    integer, float → number; an integer that a number cannot hold → bigint    string → string, if it is UTF-8, else bytes
 *     table → array, if all keys are whole numbers from 1 and at least half of the places are filled; else an object
 *     function → a function for the host, or the host's own    error of the host → the error itself
 *
 * An empty table is an object, unless it was an empty array of the host. What has no meaning outside of Lua cannot cross: coroutines, and
 * tables with other keys than strings and numbers.
 */

import type { LuaExports } from "./lua-exports.ts";
import type { HostObjects } from "./host-objects.ts";
import type { LuaMemory } from "./lua-memory.ts";
import { requireNoThen } from "../wire.ts";
import { FIRST_UPVALUE_OF_CLOSURE, REGISTRY, TYPE, TYPE_NAMES } from "./lua-layout.ts";

/** Tables in tables, at most: deeper ones would exhaust the stack of JavaScript. */
export const MAX_DEPTH = 500;

/** Slots of the stack of Lua that one table needs while it is read or made. */
export const SLOTS_PER_TABLE = 4;

export interface ReaderParts {
  readonly api: LuaExports;
  readonly memory: LuaMemory;
  readonly objects: HostObjects;
  /** What the host gets for a function of scripts that it has by this reference of the registry. */
  readonly fromScript: (reference: number) => unknown;
  /** Whether this metatable marks what was an empty array. */
  readonly isArrayMark: (address: number) => boolean;
}

export class ValueReader {
  readonly #parts: ReaderParts;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
  }

  /** @throws {TypeError} when it cannot cross */
  read(L: number, index: number): unknown {
    const { api } = this.#parts;
    switch (api.lua_type(L, index)) {
      case TYPE.nil:
        return undefined;
      case TYPE.boolean:
        return api.lua_toboolean(L, index) !== 0;
      case TYPE.number:
        return this.#number(L, index);
      case TYPE.string:
        return this.text(L, index);
      default:
        return this.#object(L, index, []);
    }
  }

  /** The values from `first` to the top of the stack. */
  readAll(L: number, first: number): unknown[] {
    const values: unknown[] = [];
    const top = this.#parts.api.lua_gettop(L);
    for (let index = first; index <= top; index++) values.push(this.read(L, index));
    return values;
  }

  text(L: number, index: number): string | Uint8Array {
    const { api, memory } = this.#parts;
    return memory.read(api.lua_tolstring(L, index, 0), api.script_length(L, index));
  }

  #number(L: number, index: number): number | bigint {
    const { api } = this.#parts;
    const value = api.lua_tonumberx(L, index, 0);
    if (Number.isSafeInteger(value) || api.lua_isinteger(L, index) === 0) return value;
    return api.lua_tointegerx(L, index, 0);
  }

  /** `around`: addresses of the tables that it is in. */
  #object(L: number, index: number, around: readonly number[]): unknown {
    const { api } = this.#parts;
    const type = api.lua_type(L, index);
    switch (type) {
      case TYPE.table:
        return this.#table(L, index, around);
      case TYPE.function:
        return this.#function(L, index);
      case TYPE.userdata: {
        const object = this.#parts.objects.at(api.lua_touserdata(L, index));
        if (object !== undefined && "error" in object) return object.error;
        break;
      }
      case TYPE.thread:
      case TYPE.lightUserdata:
        break;
      default:
        return this.read(L, index);
    }
    throw new TypeError(`Cannot pass a ${type === TYPE.thread ? "coroutine" : TYPE_NAMES[type]} to the host`);
  }

  #function(L: number, index: number): unknown {
    const { api, objects } = this.#parts;
    if (api.lua_iscfunction(L, index) !== 0 && api.lua_getupvalue(L, index, FIRST_UPVALUE_OF_CLOSURE) !== 0) {
      const object = objects.at(api.lua_touserdata(L, -1));
      api.lua_settop(L, -2);
      if (object !== undefined && "callee" in object) return object.callee;
    }
    api.lua_pushvalue(L, index);
    return this.#parts.fromScript(api.luaL_ref(L, REGISTRY));
  }

  #table(L: number, index: number, around: readonly number[]): unknown {
    const { api } = this.#parts;
    const address = api.lua_topointer(L, index);
    if (around.includes(address)) throw new TypeError("Cannot pass a table that contains itself to the host");
    if (around.length >= MAX_DEPTH || api.lua_checkstack(L, SLOTS_PER_TABLE) === 0) {
      throw new TypeError(`Cannot pass tables to the host that lie more than ${MAX_DEPTH} deep in each other`);
    }
    const inside = [...around, address];
    const keys: (number | string)[] = [];
    const values: unknown[] = [];
    const absolute = index > 0 ? index : api.lua_gettop(L) + 1 + index;
    api.lua_pushnil(L);
    while (api.lua_next(L, absolute) !== 0) {
      keys.push(this.#key(L));
      values.push(this.#object(L, api.lua_gettop(L), inside));
      api.lua_settop(L, -2);
    }
    if (keys.length === 0) return this.#wasArray(L, absolute) ? [] : {};
    return arrayOf(keys, values) ?? objectOf(keys, values);
  }

  /** The key below the top, left as it is: converting it would confuse `lua_next`. */
  #key(L: number): number | string {
    const { api } = this.#parts;
    const type = api.lua_type(L, -2);
    if (type === TYPE.number) {
      const key = this.#number(L, -2);
      return typeof key === "bigint" ? String(key) : key;
    }
    const key = type === TYPE.string ? this.text(L, -2) : undefined;
    if (typeof key === "string") return key;
    const what = key === undefined ? `a ${TYPE_NAMES[type]}` : "not UTF-8";
    throw new TypeError(`Cannot pass a table to the host: one of its keys is ${what}`);
  }

  #wasArray(L: number, index: number): boolean {
    const { api } = this.#parts;
    if (api.lua_getmetatable(L, index) === 0) return false;
    const address = api.lua_topointer(L, -1);
    api.lua_settop(L, -2);
    return this.#parts.isArrayMark(address);
  }
}

/** `undefined`, if these are not the keys of an array. */
function arrayOf(keys: readonly (number | string)[], values: unknown[]): unknown[] | undefined {
  let length = 0;
  let isInOrder = true;
  for (const [position, key] of keys.entries()) {
    if (typeof key !== "number" || !Number.isInteger(key) || key < 1 || key > keys.length * 2) return undefined;
    if (key !== position + 1) isInOrder = false;
    length = Math.max(length, key);
  }
  if (isInOrder) return values;
  const array: unknown[] = Array.from({ length });
  for (const [position, key] of keys.entries()) array[Number(key) - 1] = values[position];
  return array;
}

function objectOf(keys: readonly (number | string)[], values: readonly unknown[]): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [position, key] of keys.entries()) {
    requireNoThen(String(key), values[position]);
    // An assignment would take it for something else.
    if (key !== "__proto__") object[key] = values[position];
    else
      Object.defineProperty(object, key, {
        value: values[position],
        enumerable: true,
        configurable: true,
        writable: true,
      });
  }
  return object;
}
