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
import type { TransformOptions } from "./transform-module.ts";
import type { TransformedModule } from "./transformed-module.ts";

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
  const kept = keepSoon(key, transformed, { cache: request.cache, resumeCopies: () => [] });
  return { transformed: keepingResume(key, transformed, { cache: request.cache, kept, resumeCopies: [] }), kept };
}

/** What the cache has, if it is what it should be. */
async function find(key: string, { module, options, cache }: Request): Promise<TransformedModule | undefined> {
  try {
    const bytes = await cache.get(key);
    if (bytes === undefined) return undefined;
    // The compiler always makes the same of the same, so the module that is missing fits the one that is here.
    const { transformed, facts, resumeCopies } = unpack(ownBytes(bytes), () =>
      transformModule(module, options).resume(),
    );
    if ((facts as { readonly key?: unknown } | null)?.key !== key) return undefined;
    if (resumeCopies === "all") return transformed;
    return keepingResume(key, transformed, { cache, kept: Promise.resolve(), resumeCopies });
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

interface Keeping {
  readonly cache: ModuleCache;
  /** Fulfils when what is stored before is. */
  readonly kept: Promise<void>;
  /** Numbers of the resume copies that the cache has. */
  readonly resumeCopies: readonly number[];
}

/** `transformed`, whose resume copies are put into the cache when they are made: programs wait at the same places every time. */
function keepingResume(key: string, transformed: TransformedModule, keeping: Keeping): TransformedModule {
  const { cache } = keeping;
  const numbers = new Set(keeping.resumeCopies);
  let { kept } = keeping;
  let hasAll = false;
  let isAsked = false;
  const keep = (): void => {
    if (isAsked) return;
    isAsked = true;
    kept = kept.then(() => {
      const resumeCopies = (): number[] | undefined => {
        isAsked = false;
        return hasAll ? undefined : [...numbers].toSorted((a, b) => a - b);
      };
      return keepSoon(key, transformed, { cache, resumeCopies });
    });
  };
  return {
    ...transformed,
    resumeSome(wanted) {
      const part = transformed.resumeSome(wanted);
      const isNew = part?.numbers.some((number) => !numbers.has(number)) ?? false;
      for (const number of part?.numbers ?? []) numbers.add(number);
      if (isNew) keep();
      return part;
    },
    resume() {
      const bytes = transformed.resume();
      if (!hasAll) keep();
      hasAll = true;
      return bytes;
    },
  };
}

/** Puts it into the cache when nobody waits for the module any more. Fulfils in any case. */
async function keepSoon(
  key: string,
  transformed: TransformedModule,
  { cache, resumeCopies }: { readonly cache: ModuleCache; readonly resumeCopies: () => readonly number[] | undefined },
): Promise<void> {
  await new Promise((done) => {
    setTimeout(done, 0);
  });
  try {
    const wanted = resumeCopies();
    await cache.set(key, pack(transformed, { facts: { key }, ...(wanted && { resumeCopies: wanted }) }));
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
