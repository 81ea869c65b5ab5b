/**
 * What of Lua 5.4 has to be known beyond its functions: constants of lua.h, and where things are in its structures, of 32-bit words.
 *
 *     lua_State   -4 the extra word: the number of its run, 0 for none    7 allowhook (a byte)    16 l_G    20 ci
 *                 88 hook    104 basehookcount    108 hookcount    112 hookmask
 *     CallInfo    20 u.l.trap
 *     global_State    gcstp (a byte): found when a state is made, see lua-state.ts
 *
 * guest-edit.ts checks that `lua_sethook` uses what is said here of hooks.
 */

/** Bytes before a `lua_State`, where programs have a word of their own (LUA_EXTRASPACE). */
export const RUN = 4;
/** Whether hooks are called. */
export const ALLOW_HOOK = 7;
/** Address of the `global_State`. */
export const GLOBAL_STATE = 16;
/** Address of the `CallInfo` of the function that runs. */
export const ACTIVATION = 20;
export const HOOK = 88;
/** What HOOK_COUNT begins with. */
export const HOOK_COUNT_BASE = 104;
/** Instructions until the hook is called. */
export const HOOK_COUNT = 108;
export const HOOK_MASK = 112;

/** Offset in a `CallInfo`: whether the interpreter has to look for hooks. */
export const TRAP = 20;

/** Bit of `gcstp`: the garbage collector is stopped, by a program. */
export const STOPPED_BY_PROGRAM = 1;
/** Bit of `gcstp`: it is stopped because it runs a finalizer. */
export const STOPPED_BY_FINALIZER = 2;

const MAX_STACK = 1_000_000;
export const REGISTRY: number = -MAX_STACK - 1000;
export const FIRST_UPVALUE: number = REGISTRY - 1;
/** Index in the registry of the table of global variables. */
export const GLOBALS = 2n;
/** What `lua_getupvalue` counts from. */
export const FIRST_UPVALUE_OF_CLOSURE = 1;
export const MULTIPLE_RESULTS = -1;
export const COUNT_HOOK = 8;

/** What functions give that run Lua code in a protected way. */
export const STATUS = { ok: 0, yield: 1, runtime: 2, syntax: 3, memory: 4, handler: 5 } as const;

export const TYPE = {
  nil: 0,
  boolean: 1,
  lightUserdata: 2,
  number: 3,
  string: 4,
  table: 5,
  function: 6,
  userdata: 7,
  thread: 8,
} as const;
export const TYPE_NAMES: readonly string[] = [
  "nil",
  "boolean",
  "userdata",
  "number",
  "string",
  "table",
  "function",
  "userdata",
  "thread",
];
