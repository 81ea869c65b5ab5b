/** Transforms a module, or finds what was made of the same bytes with the same options before. */

import { decodeModule } from "../binary/decode-module.ts";
import { importedFunctions } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import { ModuleNames } from "../binary/names.ts";
import { COMPILER_VERSION, FORMAT_VERSION } from "./compiler-version.ts";
import { sha256 } from "./content-hash.ts";
import { hasTryTable } from "./lower-exceptions.ts";
import type { ModuleCache } from "./module-cache.ts";
import { pack, unpack } from "./packaged-module.ts";
import { hasMultiMemory } from "./runtime-home.ts";
import { transformModule } from "./transform-module.ts";
import type { TransformOptions, TransformedModule } from "./transform-module.ts";

/** What is being made or stored at this moment, by its key: whoever asks for the same gets this. */
const underway = new WeakMap<ModuleCache, Map<string, Promise<Found>>>();

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
  if (!others) underway.set(cache, (others = new Map<string, Promise<Found>>()));
  let found = others.get(key);
  if (!found) {
    found = findOrMake(key, { module, options, cache });
    others.set(key, found);
    const forget = (): boolean => others.delete(key);
    found.then(({ kept }) => kept.then(forget), forget);
  }
  return (await found).transformed;
}

interface Request {
  readonly module: BinaryModule;
  readonly options: TransformOptions;
  readonly cache: ModuleCache;
}

interface Found {
  readonly transformed: TransformedModule;
  /** Fulfils when it is in the cache, or cannot be put there. */
  readonly kept: Promise<void>;
}

async function findOrMake(key: string, request: Request): Promise<Found> {
  const found = await find(key, request);
  if (found) return { transformed: found, kept: Promise.resolve() };
  const transformed = transformModule(request.module, request.options);
  const kept = keepSoon(key, transformed, { cache: request.cache, withoutResume: true });
  return { transformed: keepingResume(key, transformed, { cache: request.cache, kept }), kept };
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

/** Names all that the result depends on; `undefined` when that cannot be computed here. */
async function keyOf(module: BinaryModule, options: TransformOptions): Promise<string | undefined> {
  const { imports, exclude, multiMemory = hasMultiMemory(), tryTable = hasTryTable() } = options;
  const names = new ModuleNames(module);
  const parts = {
    compiler: COMPILER_VERSION,
    format: FORMAT_VERSION,
    // The bytes of a guest are never shared memory.
    bytes: await sha256(module.bytes as Uint8Array<ArrayBuffer>),
    multiMemory,
    tryTable,
    imports: importedFunctions(module).map((entry) => imports?.(entry.module, entry.name) ?? true),
    excluded: exclude && [...module.functions.keys()].filter((index) => exclude(index, names.name("function", index))),
  };
  return parts.bytes && sha256(new TextEncoder().encode(JSON.stringify(parts)));
}
