/** `stackful/script/lua`: Lua 5.4. */

import type { ScriptLanguage } from "../language.ts";
import type { LuaOptions } from "./lua-package.ts";
import { LuaRuntime } from "./lua-runtime.ts";

export type { LuaOptions } from "./lua-package.ts";

/**
 * Lua 5.4, of the npm package `wasmoon`, which has to be installed. Of it only the WebAssembly module is used.
 *
 * ```ts
 * const engine = await ScriptEngine.create(lua());
 * await engine.eval("local list = { 3, 1, 2 } table.sort(list) return list");
 * ```
 */
export function lua(options: LuaOptions = {}): ScriptLanguage {
  const { wasm } = options;
  return {
    name: "Lua",
    // A URL cannot be cloned.
    origin: { module: import.meta.url, factory: "lua", options: { wasm: wasm instanceof URL ? wasm.href : wasm } },
    start: (runtimeOptions) => LuaRuntime.start(options, runtimeOptions),
  };
}
