/** An interpreter in an npm package, made ready to run scripts, and compiled once for each backend and limit. */

import type { BackendName } from "../../backends/choose.ts";
import { bytesOf, compile } from "../../instantiate.ts";
import type { GuestModule } from "../../link/guest-module.ts";
import type { ModuleCache } from "../../transform/module-cache.ts";

/** Where to take the interpreter from if it cannot be found where this runs. */
export interface ProgramOptions {
  /** Where its WebAssembly module is, or its bytes. */
  readonly wasm?: URL | string | BufferSource | undefined;
  /** Where is kept what was made of it: as the option of `compile()` that is called so. An engine on a thread has none. */
  readonly cache?: ModuleCache | false | undefined;
}

type CompiledModules = Map<string, Promise<GuestModule>>;

export class ProgramPackage {
  readonly #language: string;
  readonly #file: string;
  readonly #edit: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
  readonly #found = new Map<string, CompiledModules>();
  readonly #given = new WeakMap<object, CompiledModules>();

  /** `file`: as it is imported; `edit`: what has to be made of it first. */
  constructor(language: string, file: string, edit: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>) {
    this.#language = language;
    this.#file = file;
    this.#edit = edit;
  }

  /** @throws {Error} when the package is not installed */
  compiled(
    { wasm, cache }: ProgramOptions,
    { backend, maxMemoryBytes }: { backend: BackendName | "auto"; maxMemoryBytes: number | undefined },
  ): Promise<GuestModule> {
    const source = wasm === undefined ? this.#find() : sourceOf(wasm);
    const modules = this.#modulesOf(source);
    const key = `${backend} ${maxMemoryBytes}`;
    const known = modules.get(key);
    if (known !== undefined) return known;
    const module = bytesOf(source).then((bytes) =>
      // How much it may use is said for each instance.
      compile(this.#edit(bytes), { backend, cache, maxMemoryBytes, interruptible: { fuel: 1 } }),
    );
    modules.set(key, module);
    // It may be there by then.
    module.catch(() => modules.delete(key));
    return module;
  }

  #modulesOf(source: URL | BufferSource): CompiledModules {
    const known = source instanceof URL ? this.#found.get(source.href) : this.#given.get(source);
    if (known !== undefined) return known;
    const modules: CompiledModules = new Map();
    if (source instanceof URL) this.#found.set(source.href, modules);
    else this.#given.set(source, modules);
    return modules;
  }

  #find(): URL {
    try {
      return new URL(import.meta.resolve(this.#file));
    } catch (cause) {
      const name = this.#file.split("/").slice(0, 2).join("/");
      throw new Error(
        `Cannot start ${this.#language}: its package could not be found. Install it: npm install ${name}`,
        { cause },
      );
    }
  }
}

function sourceOf(wasm: NonNullable<ProgramOptions["wasm"]>): URL | BufferSource {
  return typeof wasm === "string" ? new URL(wasm) : wasm;
}

/** What a thread can be given of them: a URL cannot be cloned, nor can a cache. */
export function cloneableOptions({ wasm }: ProgramOptions): ProgramOptions {
  return { wasm: wasm instanceof URL ? wasm.href : wasm };
}
