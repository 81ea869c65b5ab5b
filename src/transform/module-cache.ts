/** Where transformed modules are kept, so that the same bytes are transformed once: in memory, or in a directory. */

import { DirectoryCache } from "./directory-cache.ts";

/**
 * Keeps bytes by a key that names what they were made of. A `Map<string, Uint8Array>` is one.
 *
 * - `get` gives what `set` was given for this key, by this process or another, or `undefined`. What is given must not be changed.
 * - What comes back damaged is noticed and made again.
 * - When one of them throws or rejects, the module is transformed as if there were no cache.
 */
export interface ModuleCache {
  get(key: string): Promise<Uint8Array | undefined> | Uint8Array | undefined;
  set(key: string, bytes: Uint8Array<ArrayBuffer>): unknown;
}

export interface ModuleCacheOptions {
  /** Where the files are; it is made when it is missing. Only in Node, Deno and Bun. In memory when left out. */
  readonly directory?: string | URL | undefined;
  /** How much is kept; what was not used for longest goes first. 1 GiB in a directory and 32 MiB in memory when left out. */
  readonly maxBytes?: number | undefined;
  /** Is told of the first error of the directory, which is a warning of the process when left out. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

const MEMORY_BYTES = 32 * 2 ** 20;
const DIRECTORY_BYTES = 2 ** 30;

/**
 * A cache for the option `cache` of `instantiate()` and `compile()`.
 *
 * ```ts
 * const cache = moduleCache({ directory: ".cache/stackful" });
 * await instantiate(bytes, imports, { backend: "transform", cache });
 * ```
 *
 * @throws {RangeError} when `maxBytes` is not a number from 0
 * @throws {TypeError} when it is given something else, such as a name of a directory alone
 */
export function moduleCache(options: ModuleCacheOptions = {}): ModuleCache {
  requireOptions(options);
  const { directory, maxBytes, onError } = options;
  if (maxBytes !== undefined && !(maxBytes >= 0)) {
    throw new RangeError(`Cannot make cache: maxBytes must be a number from 0, received ${String(maxBytes)}`);
  }
  if (directory === undefined) return new MemoryCache(maxBytes ?? MEMORY_BYTES);
  return new DirectoryCache(directory, maxBytes ?? DIRECTORY_BYTES, onError);
}

const OPTIONS: Readonly<Record<keyof ModuleCacheOptions, true>> = { directory: true, maxBytes: true, onError: true };

function requireOptions(options: unknown): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot make cache: expected { directory } or other options, received ${typeof options}`);
  }
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(OPTIONS, name));
  if (unknown === undefined) return;
  throw new TypeError(`Cannot make cache: unknown option ${unknown}, expected ${Object.keys(OPTIONS).join(", ")}`);
}

/** The newest modules, in the memory of this process. */
export class MemoryCache implements ModuleCache {
  readonly #maxBytes: number;
  /** What was not used for longest is first. */
  readonly #entries = new Map<string, Uint8Array>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of all entries. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): Uint8Array | undefined {
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, entry);
    }
    return entry;
  }

  set(key: string, bytes: Uint8Array): void {
    this.#delete(key);
    if (bytes.length > this.#maxBytes) return;
    this.#entries.set(key, bytes);
    this.#bytes += bytes.length;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#delete(oldest);
    }
  }

  #delete(key: string): void {
    this.#bytes -= this.#entries.get(key)?.length ?? 0;
    this.#entries.delete(key);
  }
}
