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
  mkdir(directory: string | URL, options: { recursive: boolean }): Promise<unknown>;
  readdir(directory: string | URL): Promise<string[]>;
  stat(file: string | URL): Promise<{ readonly size: number; readonly mtimeMs: number }>;
  utimes(file: string | URL, accessed: Date, modified: Date): Promise<void>;
}

/** What is used of the `process` of Node, Deno and Bun. */
interface NodeProcess {
  readonly pid: number;
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
      await files.mkdir(this.#directory, { recursive: true });
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

function requireKey(key: string): string {
  if (KEY.test(key)) return key;
  throw new RangeError(`Cannot find cached module: expected a SHA-256 in hexadecimal, received ${JSON.stringify(key)}`);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
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
