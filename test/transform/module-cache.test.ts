import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { hasMultiMemory } from "#src/transform/runtime-home";
import { transformCached } from "#src/transform/cached-transform";
import { MemoryCache, moduleCache } from "#src/transform/module-cache";
import type { ModuleCache } from "#src/transform/module-cache";
import { pack, unpack } from "#src/transform/packaged-module";
import { transformModule } from "#src/transform/transform-module";
import { assemble } from "./assemble.ts";
import { RAN, TEXT, run } from "./packaged/guest.ts";

const guest = Uint8Array.from(await assemble(TEXT));
const scratch = mkdtempSync(path.join(tmpdir(), "stackful-cache-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

let directories = 0;
const newDirectory = (): string => path.join(scratch, String(directories++), "cache");
const key = "0".repeat(64);
const otherKey = "1".repeat(64);
const entriesOf = (directory: string): string[] => readdirSync(directory).filter((name) => name.endsWith(".wasm"));

/** A cache that counts what it is asked, and tells when it has been given something. */
class Watched implements ModuleCache {
  readonly entries = new Map<string, Uint8Array>();
  hits = 0;
  misses = 0;
  readonly #waiting: (() => void)[] = [];

  get(wanted: string): Uint8Array | undefined {
    const found = this.entries.get(wanted);
    if (found) this.hits++;
    else this.misses++;
    return found;
  }

  set(given: string, bytes: Uint8Array): void {
    this.entries.set(given, bytes);
    for (const done of this.#waiting.splice(0)) done();
  }

  /** The next {@link Watched.set}. */
  stored(): Promise<void> {
    return new Promise((done) => this.#waiting.push(done));
  }
}

describe("transformCached()", () => {
  it("transforms once", async () => {
    const cache = new Watched();
    const stored = cache.stored();
    assert.deepEqual(run(await transformCached(guest, {}, cache)), RAN);
    await stored;
    assert.deepEqual(run(await transformCached(guest, {}, cache)), RAN);
    assert.deepEqual([cache.misses, cache.hits, cache.entries.size], [1, 1, 1]);
  });

  it("keeps resume copies as soon as they were needed", async () => {
    const cache = new Watched();
    let stored = cache.stored();
    const transformed = await transformCached(guest, {}, cache);
    await stored;
    assert.deepEqual(unpack(only(cache)).resumeCopies, []);
    stored = cache.stored();
    run(transformed);
    await stored;
    assert.deepEqual(unpack(only(cache)).resumeCopies, [0, 1]);
    // What is there is enough for a second run.
    assert.deepEqual(run(unpack(only(cache)).transformed), RAN);
    const expected = transformModule(guest);
    const found = await transformCached(guest, {}, cache);
    assert.deepEqual(found.resume(), expected.resume());
  });

  it("makes all resume copies for a file without those that are needed, and adds them", async () => {
    const cache = new Watched();
    let stored = cache.stored();
    await transformCached(guest, {}, cache);
    await stored;
    const found = await transformCached(guest, {}, cache);
    stored = cache.stored();
    assert.deepEqual(run(found), RAN);
    await stored;
    assert.equal(unpack(only(cache)).resumeCopies, "all");
    assert.deepEqual(run(await transformCached(guest, {}, cache)), RAN);
  });

  it("tells modules and options apart", async () => {
    const cache = new Map<string, Uint8Array>();
    const other = await assemble(TEXT.replace("1000", "1001"));
    const kinds = [
      transformCached(guest, {}, cache),
      transformCached(Uint8Array.from(other), {}, cache),
      transformCached(guest, { imports: (_, name) => name === "ask" }, cache),
      transformCached(guest, { exclude: (_, name) => name === "sum" }, cache),
      transformCached(guest, { multiMemory: false }, cache),
    ];
    await Promise.all(kinds);
    // Where there are no multiple memories the last one is the first one.
    const different = hasMultiMemory() ? kinds.length : kinds.length - 1;
    // They are stored when their hashes are known, which takes a thread.
    await until(() => cache.size >= different);
    assert.equal(cache.size, different);
  });

  it("makes it once for all who ask while it is being made", async () => {
    const cache = new Watched();
    const all = await Promise.all(Array.from({ length: 8 }, () => transformCached(guest, {}, cache)));
    // Hashing takes a thread: who comes late has it from the cache.
    for (const one of all) assert.deepEqual(run(one), RAN);
    assert.equal(cache.misses, 1);
  });

  it("passes on why a module cannot be transformed, again and again", async () => {
    const cache = new Map<string, Uint8Array>();
    const broken = guest.slice(0, -3);
    for (let time = 0; time < 2; time++) {
      await assert.rejects(transformCached(broken, {}, cache), WebAssembly.CompileError);
    }
    assert.equal(cache.size, 0);
  });

  const damage: Record<string, (bytes: Uint8Array) => unknown> = {
    "a changed bit": (bytes) => bytes.map((byte, position) => (position === 100 ? byte ^ 1 : byte)),
    "a truncated file": (bytes) => bytes.slice(0, bytes.length / 2),
    "no bytes": () => new Uint8Array(),
    "something else": () => ({ length: 3 }),
    "a module that was transformed with other options": () => pack(transformModule(guest), { facts: { key } }),
    "facts that are null": () => pack(transformModule(guest), { facts: null! }),
  };
  for (const [what, change] of Object.entries(damage)) {
    it(`makes it again when the cache has ${what}`, async () => {
      const cache = new Watched();
      let stored = cache.stored();
      await transformCached(guest, {}, cache);
      await stored;
      const [[name, bytes]] = [...cache.entries] as [[string, Uint8Array]];
      cache.entries.set(name, change(bytes) as Uint8Array);
      stored = cache.stored();
      assert.deepEqual(run(await transformCached(guest, {}, cache)), RAN);
      await stored;
      assert.deepEqual(only(cache), bytes);
    });
  }

  it("does without a cache that throws or rejects", async () => {
    const fail = (): never => {
      throw new Error("no cache today");
    };
    assert.deepEqual(run(await transformCached(guest, {}, { get: fail, set: fail })), RAN);
    const reject = (): Promise<never> => Promise.reject(new Error("no cache today"));
    assert.deepEqual(run(await transformCached(guest, {}, { get: reject, set: reject })), RAN);
    await turns();
  });
});

describe("MemoryCache", () => {
  it("forgets what was not used for longest", () => {
    const cache = new MemoryCache(100);
    cache.set("a", new Uint8Array(40));
    cache.set("b", new Uint8Array(40));
    cache.get("a");
    cache.set("c", new Uint8Array(40));
    assert.deepEqual([cache.get("a")?.length, cache.get("b")?.length, cache.get("c")?.length], [40, undefined, 40]);
    assert.equal(cache.bytes, 80);
  });

  it("does not keep what is larger than all of it, nor what it replaces", () => {
    const cache = new MemoryCache(100);
    cache.set("a", new Uint8Array(40));
    cache.set("a", new Uint8Array(101));
    assert.equal(cache.get("a"), undefined);
    assert.equal(cache.bytes, 0);
  });

  it("is what moduleCache() makes without a directory", () => {
    assert.ok(moduleCache() instanceof MemoryCache);
    assert.throws(() => moduleCache({ maxBytes: -1 }), RangeError);
    assert.throws(() => moduleCache({ maxBytes: Number.NaN }), RangeError);
  });
});

describe("moduleCache({ directory })", () => {
  for (const kind of ["path", "URL"]) {
    it(`keeps files in a directory given as a ${kind}, which it makes`, async () => {
      const directory = newDirectory();
      const cache = moduleCache({ directory: kind === "URL" ? pathToFileURL(directory) : directory });
      assert.equal(await cache.get(key), undefined);
      await cache.set(key, Uint8Array.of(1, 2, 3));
      assert.deepEqual(readdirSync(directory), [`${key}.wasm`]);
      assert.deepEqual([...(await cache.get(key))!], [1, 2, 3]);
      await cache.set(key, Uint8Array.of(4));
      assert.deepEqual([...(await cache.get(key))!], [4]);
    });
  }

  it("refuses keys that are no hash: they become file names", async () => {
    const cache = moduleCache({ directory: newDirectory() });
    await assert.rejects(async () => cache.get("../../etc/passwd"), RangeError);
    await assert.rejects(async () => cache.set("", new Uint8Array()), RangeError);
  });

  it("notices damaged files and makes them again", async () => {
    const directory = newDirectory();
    const errors: unknown[] = [];
    const cache = moduleCache({ directory, onError: (error) => errors.push(error) });
    await transformCached(guest, {}, cache);
    const file = path.join(directory, await firstEntry(directory));
    const good = readFileSync(file);
    for (const bad of [good.subarray(0, 1000), Buffer.alloc(0), good.map((byte, at) => (at === 500 ? ~byte : byte))]) {
      writeFileSync(file, bad);
      assert.deepEqual(run(await transformCached(guest, {}, cache)), RAN);
      await until(() => readFileSync(file).length > good.length);
    }
    unpack(Uint8Array.from(readFileSync(file)));
    assert.deepEqual(errors, []);
  });

  it("keeps no more than it may, and what was used last", async () => {
    const directory = newDirectory();
    const cache = moduleCache({ directory, maxBytes: 100 });
    await cache.set(key, new Uint8Array(60));
    utimesSync(path.join(directory, `${key}.wasm`), new Date(0), new Date(0));
    await cache.set(otherKey, new Uint8Array(60));
    assert.deepEqual(readdirSync(directory), [`${otherKey}.wasm`]);
    await cache.set(key, new Uint8Array(101));
    assert.deepEqual(readdirSync(directory), [`${otherKey}.wasm`]);
  });

  it("removes what a process has left half-written, and nothing that is not its own", async () => {
    const directory = newDirectory();
    mkdirSync(directory, { recursive: true });
    const names = [`${otherKey}.12-0.tmp`, `${otherKey}.13-0.tmp`, "notes.txt"];
    for (const name of names) writeFileSync(path.join(directory, name), "half");
    utimesSync(path.join(directory, names[0]!), new Date(0), new Date(0));
    utimesSync(path.join(directory, "notes.txt"), new Date(0), new Date(0));
    await moduleCache({ directory }).set(key, Uint8Array.of(1));
    assert.deepEqual(readdirSync(directory).toSorted(), [`${key}.wasm`, names[1]!, "notes.txt"]);
  });

  it("says once that the directory cannot be used, and goes on without it", async () => {
    const file = path.join(scratch, "a-file");
    writeFileSync(file, "");
    const errors: unknown[] = [];
    const cache = moduleCache({ directory: file, onError: (error) => errors.push(error) });
    assert.deepEqual(run(await transformCached(guest, {}, cache)), RAN);
    assert.deepEqual(run(await transformCached(guest, {}, cache)), RAN);
    await until(() => errors.length > 0);
    await turns();
    assert.equal(errors.length, 1);
    assert.match(String(errors[0]), /ENOTDIR|EEXIST/);
  });

  const isAllowedEverything = process.getuid?.() === 0;
  it(
    "reads from a directory that it may not write",
    { skip: isAllowedEverything && "the user of this process may write everywhere" },
    async () => {
      const directory = newDirectory();
      await moduleCache({ directory }).set(key, Uint8Array.of(1));
      chmodSync(directory, 0o555);
      const errors: unknown[] = [];
      const cache = moduleCache({ directory, onError: (error) => errors.push(error) });
      await cache.set(otherKey, Uint8Array.of(2));
      assert.deepEqual([...(await cache.get(key))!], [1]);
      assert.equal(errors.length, 1);
    },
  );

  it(
    "gives up where no directory can be made",
    { skip: process.platform !== "linux" && "it is about /proc" },
    async () => {
      for (const directory of ["/proc/none", "/proc/none/deeper", pathToFileURL("/proc/none/deeper")]) {
        const errors: unknown[] = [];
        const cache = moduleCache({ directory, onError: (error) => errors.push(error) });
        await cache.set(key, Uint8Array.of(1));
        assert.equal(await cache.get(key), undefined);
        assert.match(String(errors), /ENOENT/);
      }
    },
  );

  it("makes all directories that are missing", async () => {
    for (const directory of [`${newDirectory()}/a//b/`, pathToFileURL(`${newDirectory()}/a/b/c`)]) {
      await moduleCache({ directory }).set(key, Uint8Array.of(1));
      assert.deepEqual([...(await moduleCache({ directory }).get(key))!], [1]);
    }
  });

  it("warns when nobody asked to be told", async () => {
    const file = path.join(scratch, "another-file");
    writeFileSync(file, "");
    const warned = new Promise<Error>((done) => process.once("warning", done));
    await moduleCache({ directory: file }).set(key, Uint8Array.of(1));
    assert.match((await warned).message, /^Cannot use the cache of transformed modules: /);
  });

  it("is shared by processes that write the same at the same time", async () => {
    const directory = newDirectory();
    const program = fileURLToPath(new URL("packaged/use-cache.ts", import.meta.url));
    const isSource = existsSync(program);
    const args = isSource ? ["--conditions=source", program] : [program.replace(/\.ts$/, ".js")];
    const runs = await Promise.all(
      Array.from({ length: 4 }, () => promisify(execFile)(process.execPath, [...args, directory])),
    );
    for (const { stdout, stderr } of runs) assert.deepEqual([stdout, stderr], ["ok\n", ""]);
    assert.equal(readdirSync(directory).length, 1);
    unpack(Uint8Array.from(readFileSync(path.join(directory, entriesOf(directory)[0]!))));
  });
});

function only(cache: Watched): Uint8Array<ArrayBuffer> {
  assert.equal(cache.entries.size, 1);
  return Uint8Array.from([...cache.entries.values()][0]!);
}

/** What has been put off has been done. */
async function turns(): Promise<void> {
  for (let count = 0; count < 20; count++) await new Promise((done) => setTimeout(done, 1));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((done) => setTimeout(done, 1));
}

async function firstEntry(directory: string): Promise<string> {
  await until(() => existsSync(directory) && entriesOf(directory).length > 0);
  return entriesOf(directory)[0]!;
}
