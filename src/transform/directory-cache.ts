/**
 * Transformed modules in a directory that any number of processes share: `<key>.wasm`, each of them as `stackful transform`
 * makes it.
 *
 * A file is written under another name and then renamed, so nobody reads half of one; of two processes that write the same, the last
 * one wins. Files may be deleted at any time.
 */

/** What is used of `node:fs/promises`. */
interface FileSystem {
  readFile(file: string | URL): Promise<Uint8Array<ArrayBuffer>>;
  writeFile(file: string | URL, bytes: Uint8Array, options: { flag: string }): Promise<void>;
  rename(from: string | URL, to: string | URL): Promise<void>;
  rm(file: string | URL, options: { force: boolean }): Promise<void>;
  mkdir(directory: string | URL): Promise<unknown>;
  readdir(directory: string | URL): Promise<string[]>;
  stat(file: string | URL): Promise<{ readonly size: number; readonly mtimeMs: number }>;
  utimes(file: string | URL, accessed: Date, modified: Date): Promise<void>;
}

/** What is used of the `process` of Node, Deno and Bun. */
interface NodeProcess {
  readonly pid: number;
  readonly platform: string;
  emitWarning?(warning: string, name: string): void;
}

const KEY = /^[\da-f]{64}$/;
const ENTRY = /^[\da-f]{64}\.wasm$/;
const TEMPORARY = /^[\da-f]{64}\.\d+-\d+\.tmp$/;
/** A file that is still being written by a process that has ended, without doubt. */
const ABANDONED_MS = 3_600_000;

interface Entry {
  readonly name: string;
  readonly size: number;
  readonly mtimeMs: number;
}

export class DirectoryCache {
  readonly #directory: string | URL;
  readonly #maxBytes: number;
  readonly #onError: (error: unknown) => void;
  #hasFailed = false;
  #written = 0;

  constructor(directory: string | URL, maxBytes: number, onError: ((error: unknown) => void) | undefined) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
    this.#onError = onError ?? warn;
  }

  /** `undefined` when there is no such file, or it cannot be read. */
  async get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const file = this.#path(`${requireKey(key)}.wasm`);
    try {
      const files = await fileSystem();
      const bytes = await files.readFile(file);
      const now = new Date();
      // It was used: that is what #prune() goes by. Not everybody who may read it may say so.
      await files.utimes(file, now, now).catch(() => {});
      return bytes;
    } catch (error) {
      if (!isMissing(error)) this.#failed(error);
      return undefined;
    }
  }

  /** Fulfils in any case. */
  async set(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    requireKey(key);
    if (bytes.length > this.#maxBytes) return;
    const temporary = this.#path(`${key}.${processId()}-${this.#written++}.tmp`);
    let files: FileSystem | undefined;
    try {
      files = await fileSystem();
      await makeDirectory(files, this.#directory);
      await files.writeFile(temporary, bytes, { flag: "wx" });
      await files.rename(temporary, this.#path(`${key}.wasm`));
      await this.#prune(files);
    } catch (error) {
      await files?.rm(temporary, { force: true }).catch(() => {});
      this.#failed(error);
    }
  }

  /** Deletes what was not used for longest until the rest fits, and what others have left half-written. */
  async #prune(files: FileSystem): Promise<void> {
    const entries = await this.#entries(files);
    const now = Date.now();
    let bytes = 0;
    for (const { name, size, mtimeMs } of entries.toSorted((a, b) => b.mtimeMs - a.mtimeMs)) {
      if (TEMPORARY.test(name) && now - mtimeMs < ABANDONED_MS) continue;
      bytes += size;
      if (TEMPORARY.test(name) || bytes > this.#maxBytes) await files.rm(this.#path(name), { force: true });
    }
  }

  async #entries(files: FileSystem): Promise<Entry[]> {
    const names = (await files.readdir(this.#directory)).filter((name) => ENTRY.test(name) || TEMPORARY.test(name));
    const found = names.map(async (name) => {
      // Another process may delete it at this moment.
      const state = await files.stat(this.#path(name)).catch(() => undefined);
      return state === undefined ? [] : [{ name, size: state.size, mtimeMs: state.mtimeMs }];
    });
    return (await Promise.all(found)).flat();
  }

  #path(name: string): string | URL {
    if (typeof this.#directory === "string") return `${this.#directory}/${name}`;
    return new URL(name, `${this.#directory.href.replace(/\/$/, "")}/`);
  }

  #failed(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#onError(error);
  }
}

/**
 * With those above it that are missing. Not with the option `recursive`: where an existing directory says that a new one in it cannot be found,
 * as `/proc` does, Node tries for ever.
 */
async function makeDirectory(files: FileSystem, directory: string | URL): Promise<void> {
  try {
    await files.mkdir(directory);
  } catch (error) {
    if (codeOf(error) === "EEXIST") return;
    const above = directoryAbove(directory);
    if (codeOf(error) !== "ENOENT" || above === undefined) throw error;
    await makeDirectory(files, above);
    await files.mkdir(directory).catch((again: unknown) => {
      if (codeOf(again) !== "EEXIST") throw again;
    });
  }
}

/** `undefined`: there is none in its path. */
function directoryAbove(directory: string | URL): string | URL | undefined {
  if (typeof directory === "string") {
    const isWindows = runtimeProcess()?.platform === "win32";
    const parts = isWindows ? /^(.*[^/\\])[/\\]+[^/\\]+[/\\]*$/ : /^(.*[^/])\/+[^/]+\/*$/;
    return parts.exec(directory)?.[1];
  }
  const above = new URL("./", directory.href.replace(/\/+$/, ""));
  return above.href.length < directory.href.length ? above : undefined;
}

function requireKey(key: string): string {
  if (KEY.test(key)) return key;
  throw new RangeError(`Cannot find cached module: expected a SHA-256 in hexadecimal, received ${JSON.stringify(key)}`);
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === "ENOENT";
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function runtimeProcess(): NodeProcess | undefined {
  return (globalThis as { process?: NodeProcess }).process;
}

function processId(): number {
  return runtimeProcess()?.pid ?? 0;
}

function warn(error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error);
  runtimeProcess()?.emitWarning?.(`Cannot use the cache of transformed modules: ${reason}`, "StackfulWarning");
}

/** Bundlers for browsers must not look for it, so its name is no literal. */
const FILE_SYSTEM = "node:fs/promises";

async function fileSystem(): Promise<FileSystem> {
  return (await import(/* @vite-ignore */ /* webpackIgnore: true */ FILE_SYSTEM)) as FileSystem;
}
