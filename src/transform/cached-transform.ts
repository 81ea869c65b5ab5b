/** Transforms a module, or finds what was made of the same bytes with the same options before. */

import { decodeModule } from "../binary/decode-module.ts";
import { importedFunctions } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import { ModuleNames } from "../binary/names.ts";
import { COMPILER_VERSION, FORMAT_VERSION } from "./compiler-version.ts";
import { hasTryTable } from "./lower-exceptions.ts";
import type { ModuleCache } from "./module-cache.ts";
import { pack, unpack } from "./packaged-module.ts";
import { hasMultiMemory } from "./runtime-home.ts";
import { transformModule } from "./transform-module.ts";
import type { TransformOptions, TransformedModule } from "./transform-module.ts";

/** What is being made at this moment, by its key: whoever asks for the same waits for it. */
const underway = new WeakMap<ModuleCache, Map<string, Promise<TransformedModule>>>();

/**
 * As `transformModule()`, which it calls if `cache` has nothing for these bytes and options.
 *
 * Errors of the cache are not errors of this function. Without `crypto.subtle` (in browsers: pages that did not come through
 * https) nothing is cached.
 *
 * @throws {WebAssembly.CompileError} when the bytes are not a WebAssembly module
 * @throws {TransformError} when something in it cannot be made suspendable
 */
export async function transformCached(
  bytes: Uint8Array<ArrayBuffer>,
  options: TransformOptions,
  cache: ModuleCache,
): Promise<TransformedModule> {
  const module = decodeModule(bytes);
  const key = await keyOf(module, options);
  if (key === undefined) return transformModule(module, options);
  let others = underway.get(cache);
  if (!others) underway.set(cache, (others = new Map<string, Promise<TransformedModule>>()));
  let made = others.get(key);
  if (!made) {
    made = findOrMake(key, { module, options, cache }).finally(() => others.delete(key));
    others.set(key, made);
  }
  return made;
}

interface Request {
  readonly module: BinaryModule;
  readonly options: TransformOptions;
  readonly cache: ModuleCache;
}

async function findOrMake(key: string, request: Request): Promise<TransformedModule> {
  const found = await find(key, request);
  if (found) return found;
  const transformed = transformModule(request.module, request.options);
  const kept = keepSoon(key, transformed, { cache: request.cache, withoutResume: true });
  return keepingResume(key, transformed, { cache: request.cache, kept });
}

/** What the cache has, if it is what it should be. */
async function find(key: string, { module, options, cache }: Request): Promise<TransformedModule | undefined> {
  try {
    const bytes = await cache.get(key);
    if (bytes === undefined) return undefined;
    // The compiler always makes the same of the same, so the module that is missing fits the one that is here.
    const { transformed, facts, hasResume } = unpack(ownBytes(bytes), () => transformModule(module, options).resume());
    if ((facts as { readonly key?: unknown } | null)?.key !== key) return undefined;
    return hasResume ? transformed : keepingResume(key, transformed, { cache, kept: Promise.resolve() });
  } catch {
    return undefined;
  }
}

function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  // Of a cache that gives shared memory, or what is no array of bytes at all.
  return bytes instanceof Uint8Array && bytes.buffer instanceof ArrayBuffer
    ? (bytes as Uint8Array<ArrayBuffer>)
    : Uint8Array.from(bytes);
}

/** `transformed`, with the module of its resume copies put into the cache when it is made, and after what is `kept` before. */
function keepingResume(
  key: string,
  transformed: TransformedModule,
  { cache, kept }: { readonly cache: ModuleCache; readonly kept: Promise<void> },
): TransformedModule {
  let resume: Uint8Array<ArrayBuffer> | undefined;
  return {
    ...transformed,
    resume() {
      if (resume) return resume;
      resume = transformed.resume();
      void kept.then(() => keepSoon(key, transformed, { cache, withoutResume: false }));
      return resume;
    },
  };
}

/** Puts it into the cache when nobody waits for the module any more. Fulfils in any case. */
async function keepSoon(
  key: string,
  transformed: TransformedModule,
  { cache, withoutResume }: { readonly cache: ModuleCache; readonly withoutResume: boolean },
): Promise<void> {
  await new Promise((done) => {
    setTimeout(done, 0);
  });
  try {
    await cache.set(key, pack(transformed, { facts: { key }, withoutResume }));
  } catch {
    // There will be other opportunities; a cache that wants its errors known reports them itself.
  }
}

/** SHA-256 of all that the result depends on; `undefined` when it cannot be computed here. */
async function keyOf(module: BinaryModule, options: TransformOptions): Promise<string | undefined> {
  // Browsers have it in secure contexts only; TypeScript does not know.
  const { subtle } = globalThis.crypto as { readonly subtle?: SubtleCrypto };
  if (!subtle) return undefined;
  const digest = async (bytes: BufferSource): Promise<string> => {
    return Array.from(new Uint8Array(await subtle.digest("SHA-256", bytes)), hexadecimal).join("");
  };
  const { imports, exclude, multiMemory = hasMultiMemory(), tryTable = hasTryTable() } = options;
  const names = new ModuleNames(module);
  const parts = {
    compiler: COMPILER_VERSION,
    format: FORMAT_VERSION,
    bytes: await digest(module.bytes as Uint8Array<ArrayBuffer>),
    multiMemory,
    tryTable,
    imports: importedFunctions(module).map((entry) => imports?.(entry.module, entry.name) ?? true),
    excluded: exclude && [...module.functions.keys()].filter((index) => exclude(index, names.name("function", index))),
  };
  return digest(new TextEncoder().encode(JSON.stringify(parts)));
}

function hexadecimal(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
