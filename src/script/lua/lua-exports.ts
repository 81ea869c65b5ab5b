/** The functions of Lua that the host calls: lua.h and lauxlib.h say what each does. `L` is the address of a `lua_State`. */

export interface LuaExports {
  readonly memory: WebAssembly.Memory;
  readonly script_operations_left: WebAssembly.Global<"i32">;
  readonly script_bytes_used: WebAssembly.Global<"i32">;
  readonly script_bytes_limit: WebAssembly.Global<"i32">;

  // Those that guest-edit.ts adds.
  script_run(L: number): number;
  script_protect(L: number): number;
  script_new_state(): number;
  /** A whole number as an integer. */
  script_push_whole(L: number, value: number): void;
  /** Bytes of a string. */
  script_length(L: number, index: number): number;
  /** `t[index] = value` for the table below the value. */
  script_set_element(L: number, index: number): void;
  /** Makes the userdata at the top a function of the host. */
  script_push_host_function(L: number): void;
  /** Pushes the functions for `__gc`, `__index` and `__tostring` of what stands for something of the host. */
  script_push_metamethods(L: number): void;

  __wasm_call_ctors(): void;
  malloc(bytes: number): number;
  free(address: number): void;

  luaL_openlibs(L: number): void;
  luaL_loadbufferx(L: number, text: number, bytes: number, name: number, mode: number): number;
  luaL_ref(L: number, table: number): number;
  luaL_unref(L: number, table: number, reference: number): void;
  luaL_traceback(L: number, of: number, message: number, level: number): void;

  lua_newthread(L: number): number;
  lua_callk(L: number, args: number, results: number, context: number, continuation: number): void;
  lua_checkstack(L: number, count: number): number;
  lua_gettop(L: number): number;
  lua_settop(L: number, index: number): void;
  lua_pushvalue(L: number, index: number): void;
  lua_rotate(L: number, index: number, count: number): void;
  lua_type(L: number, index: number): number;
  lua_isinteger(L: number, index: number): number;
  lua_iscfunction(L: number, index: number): number;
  lua_toboolean(L: number, index: number): number;
  lua_tonumberx(L: number, index: number, isNumber: number): number;
  lua_tointegerx(L: number, index: number, isNumber: number): bigint;
  lua_tolstring(L: number, index: number, bytes: number): number;
  lua_touserdata(L: number, index: number): number;
  lua_topointer(L: number, index: number): number;
  lua_getmetatable(L: number, index: number): number;
  lua_setmetatable(L: number, index: number): number;
  lua_getupvalue(L: number, index: number, upvalue: number): number;
  lua_rawget(L: number, index: number): number;
  lua_rawgeti(L: number, index: number, key: bigint): number;
  lua_rawset(L: number, index: number): void;
  lua_rawseti(L: number, index: number, key: bigint): void;
  lua_next(L: number, index: number): number;
  lua_pushnil(L: number): void;
  lua_pushboolean(L: number, value: number): void;
  lua_pushnumber(L: number, value: number): void;
  lua_pushinteger(L: number, value: bigint): void;
  lua_pushlstring(L: number, text: number, bytes: number): number;
  lua_createtable(L: number, elements: number, fields: number): void;
  lua_newuserdatauv(L: number, bytes: number, values: number): number;
  lua_setiuservalue(L: number, index: number, value: number): number;
}
