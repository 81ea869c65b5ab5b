/**
 * The QuickJS of the package `@jitl/quickjs-wasmfile-release-sync`: its module, and the JavaScript that Emscripten has made for it.
 *
 * Releases have short names for exports, which differ from one to the next. They are found by loading the package's JavaScript with a
 * module that has every export one asks for, and looking what it takes for what. `malloc` and `free` get their names back, so that stacks
 * for further scripts can be had.
 */

import { decodeModule } from "../../binary/decode-module.ts";
import { ModuleEditor } from "../../binary/editor.ts";
import { bytesOf, compile } from "../../instantiate.ts";
import { countMemory } from "./counted-memory.ts";
import { takeRoomOnStack } from "./native-stack.ts";
import type { BackendName } from "../../backends/choose.ts";
import type { GuestModule } from "../../link/guest-module.ts";

/** What the package exports, as far as it is used here. */
export interface QuickJSVariant {
  readonly type: string;
  importModuleLoader(): Promise<EmscriptenLoader>;
}

export type EmscriptenLoader = (options: EmscriptenOptions) => Promise<EmscriptenModule>;

export interface EmscriptenOptions {
  readonly wasmMemory: WebAssembly.Memory;
  instantiateWasm(imports: WebAssembly.Imports, done: (instance: { exports: object }) => void): object;
}

/** What QuickJS asks its host. The first parameter is for builds that can wait in another way. */
export interface QuickJSCallbacks {
  readonly callFunction: (
    ...parameters: [_: unknown, context: number, self: number, count: number, args: number, id: number]
  ) => unknown;
  readonly shouldInterrupt: (_: unknown, runtime: number) => unknown;
  readonly loadModuleSource: (_: unknown, runtime: number, context: number, name: string) => unknown;
  readonly normalizeModule: (
    ...parameters: [_: unknown, runtime: number, context: number, base: string, name: string]
  ) => unknown;
  readonly freeHostRef: (_: unknown, runtime: number, id: number) => void;
}

export interface EmscriptenModule {
  callbacks: QuickJSCallbacks;
}

export interface QuickJSPackage {
  readonly load: EmscriptenLoader;
  /** Name in C → name of the export. */
  readonly exportNames: ReadonlyMap<string, string>;
  readonly compiled: (backend: BackendName | "auto") => Promise<GuestModule>;
}

const PACKAGE = "@jitl/quickjs-wasmfile-release-sync";
/** 16 MiB, and 2 GiB: what the package's JavaScript makes itself. */
const INITIAL_PAGES = 256;
const MAXIMUM_PAGES = 32_768;

export const makeMemory = (): WebAssembly.Memory =>
  new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: MAXIMUM_PAGES });

/** Where to take the parts of the package from that cannot be found where this runs. */
export interface QuickJSOptions {
  /** What the package, or another variant without `asyncify`, exports by default. Not for a thread, which takes `glue`. */
  readonly variant?: QuickJSVariant | undefined;
  /** Where the package's JavaScript for this platform is: `emscripten-module.browser.mjs`, say. */
  readonly glue?: URL | string | undefined;
  /** Where its WebAssembly module is, or its bytes. */
  readonly wasm?: URL | string | BufferSource | undefined;
}

/** The package itself, once. */
let installed: Promise<QuickJSPackage> | undefined;

export function quickJSPackage(options: QuickJSOptions): Promise<QuickJSPackage> {
  if (options.variant !== undefined || options.glue !== undefined || options.wasm !== undefined) {
    return openPackage(options);
  }
  if (installed === undefined) {
    installed = openPackage(options);
    // It may be installed by then.
    installed.catch(() => (installed = undefined));
  }
  return installed;
}

async function openPackage(options: QuickJSOptions): Promise<QuickJSPackage> {
  const load = await loaderOf(options);
  const exportNames = await findExportNames(load);
  const bytes = withAllocator(
    await bytesOf(sourceOf(options.wasm ?? import.meta.resolve(`${PACKAGE}/wasm`))),
    exportNames,
  );
  const modules = new Map<string, Promise<GuestModule>>();
  return {
    load,
    exportNames,
    compiled(backend) {
      let module = modules.get(backend);
      if (module === undefined) modules.set(backend, (module = compile(bytes, { backend })));
      return module;
    },
  };
}

async function loaderOf({ variant: given, glue }: QuickJSOptions): Promise<EmscriptenLoader> {
  if (glue !== undefined)
    return ((await import(/* @vite-ignore */ String(glue))) as { readonly default: EmscriptenLoader }).default;
  const variant = given ?? (await importVariant());
  if (variant?.type === "sync") return variant.importModuleLoader();
  throw new TypeError(`Cannot start QuickJS: expected a variant of type "sync", received ${variant?.type}`);
}

async function importVariant(): Promise<QuickJSVariant> {
  let module: { readonly default: unknown };
  try {
    module = (await import(/* @vite-ignore */ PACKAGE)) as typeof module;
  } catch (cause) {
    throw new Error(`Cannot start QuickJS: its package could not be loaded. Install it: npm install ${PACKAGE}`, {
      cause,
    });
  }
  // Where it was loaded as CommonJS its default export is one level deeper.
  const variant = module.default as QuickJSVariant & { readonly default?: QuickJSVariant };
  return variant.default ?? variant;
}

function sourceOf(wasm: URL | string | BufferSource): URL | BufferSource {
  return typeof wasm === "string" ? new URL(wasm) : wasm;
}

/** What the package's JavaScript takes each export for. */
async function findExportNames(load: EmscriptenLoader): Promise<ReadonlyMap<string, string>> {
  const namesOf = new Map<unknown, string>();
  const exports = new Proxy<Record<string, unknown>>(
    {},
    {
      get(known, name) {
        // It is the result of a promise, too, which asks whether it is one.
        if (typeof name !== "string" || name === "then") return undefined;
        // Whatever it calls while it is being loaded does nothing.
        const stand = (known[name] ??= (): number => 0);
        namesOf.set(stand, name);
        return stand;
      },
    },
  );
  const module = await load({
    wasmMemory: makeMemory(),
    instantiateWasm(_, done) {
      done({ exports });
      return exports;
    },
  });
  const found = Object.entries(module).flatMap(([key, value]): [string, string][] => {
    const name = namesOf.get(value);
    return name === undefined || !key.startsWith("_") ? [] : [[key.slice(1), name]];
  });
  return new Map(found);
}

function withAllocator(bytes: Uint8Array<ArrayBuffer>, names: ReadonlyMap<string, string>): Uint8Array<ArrayBuffer> {
  const module = decodeModule(bytes);
  const editor = new ModuleEditor(module);
  const find = (name: string): number => {
    const found = module.exports.find((entry) => entry.kind === "function" && entry.name === names.get(name));
    if (found === undefined) throw new Error(`Cannot start QuickJS: its module exports no ${name}`);
    // For stacks, which do not count.
    if (found.name !== name) editor.export(name, "function", found.index);
    return found.index;
  };
  countMemory(editor, module, { malloc: find("malloc"), free: find("free") });
  return takeRoomOnStack(editor.build());
}
