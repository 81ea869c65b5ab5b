/**
 * Edits of modules that take long, found again in a cache: what an edit has made of a module, with a custom section at its end that says of
 * what it was made and what it has to be, so that what is damaged is noticed.
 *
 *     … the module …   0   size   "stackful.edit"   SHA-256 of what it was made of   SHA-256 of the module
 */

import { Writer } from "../binary/writer.ts";
import { COMPILER_VERSION, FORMAT_VERSION } from "./compiler-version.ts";
import { sha256 } from "./content-hash.ts";
import type { ModuleCache } from "./module-cache.ts";

const SECTION = "stackful.edit";
const CUSTOM = 0;
const encoder = new TextEncoder();

/** An edit of certain bytes, which always makes the same of the same. */
export interface Edit {
  /** Tells it from other edits, and from the same with other options. */
  readonly name: string;
  readonly make: () => Uint8Array<ArrayBuffer>;
}

/**
 * What the edit makes of `bytes`, which it is not asked for if `cache` has it. *
 * Errors of the cache are not errors of this function.
 */
export async function editCached(
  bytes: Uint8Array<ArrayBuffer>,
  edit: Edit,
  cache: ModuleCache,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = await keyOf(bytes, edit);
  if (key === undefined) return edit.make();
  const found = await find(key, cache);
  if (found !== undefined) return found;
  const made = edit.make();
  void keep(key, made, cache);
  return made;
}

/** `undefined` when it cannot be computed here. */
async function keyOf(bytes: Uint8Array<ArrayBuffer>, { name }: Edit): Promise<string | undefined> {
  const content = await sha256(bytes);
  if (content === undefined) return undefined;
  return sha256(encoder.encode(JSON.stringify([SECTION, COMPILER_VERSION, FORMAT_VERSION, name, content])));
}

async function find(key: string, cache: ModuleCache): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const bytes = await cache.get(key);
    if (!(bytes instanceof Uint8Array) || !(bytes.buffer instanceof ArrayBuffer)) return undefined;
    const found = bytes as Uint8Array<ArrayBuffer>;
    const { length } = await sectionFor(key, new Uint8Array());
    const end = found.length - length;
    if (end < 0) return undefined;
    const expected = await sectionFor(key, found.subarray(0, end));
    return expected.every((byte, index) => byte === found[end + index]) ? found.subarray(0, end) : undefined;
  } catch {
    return undefined;
  }
}

/** Fulfils in any case, when nobody waits for the module any more. */
async function keep(key: string, made: Uint8Array<ArrayBuffer>, cache: ModuleCache): Promise<void> {
  await new Promise((done) => {
    setTimeout(done, 0);
  });
  try {
    const section = await sectionFor(key, made);
    const bytes = new Uint8Array(made.length + section.length);
    bytes.set(made);
    bytes.set(section, made.length);
    await cache.set(key, bytes);
  } catch {
    // There will be other opportunities; a cache that wants its errors known reports them itself.
  }
}

async function sectionFor(key: string, module: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const hashes = encoder.encode(key + String(await sha256(module)));
  const writer = new Writer();
  writer.section(CUSTOM, () => {
    writer.name(SECTION);
    writer.bytes(hashes);
  });
  return writer.view();
}
