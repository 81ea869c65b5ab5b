/** The Lua of the package `wasmoon`: its WebAssembly module, made ready for {@link LuaRuntime}. */

import type { BackendName } from "../../backends/choose.ts";
import { compile } from "../../instantiate.ts";
import type { GuestModule } from "../../link/guest-module.ts";
import { editLua } from "./guest-edit.ts";

/** Where to take the module from if it cannot be found where this runs. */
export interface LuaOptions {
  /** Where `dist/glue.wasm` of `wasmoon` 1.16 is, or its bytes. */
  readonly wasm?: URL | string | Uint8Array<ArrayBuffer> | undefined;
}

const PACKAGE = "wasmoon";
const MODULE = `${PACKAGE}/dist/glue.wasm`;

/** Backend → what it runs. */
type CompiledModules = Map<string, Promise<GuestModule>>;

/** By where they come from, "" for the package itself, or by the bytes that were given: each is made ready once. */
const fetched = new Map<string, CompiledModules>();
const given = new WeakMap<Uint8Array, CompiledModules>();

/**
 * The module, ready for {@link LuaRuntime} on this backend.
 *
 * @throws {Error} when the package is not installed, or of another version
 */
export function compiledLua({ wasm }: LuaOptions, backend: BackendName | "auto"): Promise<GuestModule> {
  const modules = modulesOf(wasm);
  const known = modules.get(backend);
  if (known !== undefined) return known;
  const module = compileFrom(wasm, backend);
  modules.set(backend, module);
  // It may be there by then.
  module.catch(() => modules.delete(backend));
  return module;
}

function modulesOf(wasm: LuaOptions["wasm"]): CompiledModules {
  const isGiven = wasm instanceof Uint8Array;
  const known = isGiven ? given.get(wasm) : fetched.get(String(wasm ?? ""));
  if (known !== undefined) return known;
  const modules: CompiledModules = new Map();
  if (isGiven) given.set(wasm, modules);
  else fetched.set(String(wasm ?? ""), modules);
  return modules;
}

async function compileFrom(wasm: LuaOptions["wasm"], backend: BackendName | "auto"): Promise<GuestModule> {
  return compile(editLua(await bytesOf(wasm)), { backend });
}

async function bytesOf(wasm: LuaOptions["wasm"]): Promise<Uint8Array> {
  if (wasm instanceof Uint8Array) return wasm;
  const url = wasm === undefined ? find() : new URL(wasm);
  if (url.protocol !== "file:") return new Uint8Array(await (await fetch(url)).arrayBuffer());
  const files = globalThis.process.getBuiltinModule("node:fs/promises");
  return files.readFile(url);
}

function find(): URL {
  try {
    return new URL(import.meta.resolve(MODULE));
  } catch (cause) {
    throw new Error(`Cannot start Lua: its package could not be found. Install it: npm install ${PACKAGE}`, { cause });
  }
}
