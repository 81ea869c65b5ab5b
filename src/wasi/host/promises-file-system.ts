/**
 * Anything with the shape of `fs.promises` as a file system: Node's own, one in memory, one over what a browser stores.
 *
 * Such a file system is asked by paths. Names that lead elsewhere are found out by looking first and comparing afterwards; whoever can swap
 * a directory for a symbolic link in between can lead a program out. For the computer's own files there is `openNodeDirectory`, which
 * has no such moment.
 */

import type {
  Directory,
  DirectoryEntry,
  FileStat,
  FileType,
  OpenFile,
  OpenOptions,
  TimeChange,
} from "./file-system.ts";
import { HostError } from "./host-error.ts";

/** A time, as those file systems take it: seconds, or a `Date`. */
type PromisesTime = number | Date;

/** What `stat` and `lstat` answer. Numbers or bigints; nanoseconds are used where there are some. */
export interface PromisesStat {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
  isFIFO?(): boolean;
  isSocket?(): boolean;
  isCharacterDevice?(): boolean;
  isBlockDevice?(): boolean;
  readonly dev?: number | bigint;
  readonly ino?: number | bigint;
  readonly nlink?: number | bigint;
  readonly size: number | bigint;
  readonly atimeMs?: number | bigint;
  readonly mtimeMs?: number | bigint;
  readonly ctimeMs?: number | bigint;
  readonly atimeNs?: bigint;
  readonly mtimeNs?: bigint;
  readonly ctimeNs?: bigint;
}

/** What `open` answers. */
export interface PromisesHandle {
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  write(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
  stat(options?: { bigint: true }): Promise<PromisesStat>;
  truncate(bytes: number): Promise<void>;
  utimes?(accessed: PromisesTime, modified: PromisesTime): Promise<void>;
  sync?(): Promise<void>;
  datasync?(): Promise<void>;
  close(): Promise<void>;
}

/** What is used of `fs.promises`. What is missing, a program is told, is not supported (`ENOTSUP`). */
export interface PromisesFileSystem {
  open(path: string, flags: string): Promise<PromisesHandle>;
  /** Used for everything where there is no `lstat`: such a file system has no symbolic links. */
  stat(path: string, options?: { bigint: true }): Promise<PromisesStat>;
  lstat?(path: string, options?: { bigint: true }): Promise<PromisesStat>;
  readdir(path: string): Promise<readonly string[]>;
  mkdir?(path: string): Promise<unknown>;
  rmdir?(path: string): Promise<void>;
  unlink?(path: string): Promise<void>;
  rename?(path: string, newPath: string): Promise<void>;
  link?(path: string, newPath: string): Promise<void>;
  symlink?(target: string, path: string): Promise<void>;
  readlink?(path: string): Promise<string>;
  utimes?(path: string, accessed: PromisesTime, modified: PromisesTime): Promise<void>;
  lutimes?(path: string, accessed: PromisesTime, modified: PromisesTime): Promise<void>;
}

/**
 * Opens a directory of `fileSystem`.
 *
 * ```ts
 * import { promises } from "node:fs";
 * import { openPromisesDirectory, WASI } from "stackful/wasi";
 *
 * const wasi = new WASI({ preopens: { "/data": await openPromisesDirectory(promises, "/srv/data") } });
 * ```
 *
 * @throws whatever `fileSystem` says when there is no such directory
 */
export async function openPromisesDirectory(fileSystem: PromisesFileSystem, path: string): Promise<Directory> {
  const stat = await fileSystem.stat(path, { bigint: true });
  if (!stat.isDirectory()) throw new HostError("ENOTDIR", `Cannot open ${path}: it is no directory`);
  return new PromisesDirectory(fileSystem, path.endsWith("/") ? path : `${path}/`);
}

class PromisesDirectory implements Directory {
  readonly kind = "directory";
  readonly #fs: PromisesFileSystem;
  /** Ends with a slash. */
  readonly #path: string;

  constructor(fs: PromisesFileSystem, path: string) {
    this.#fs = fs;
    this.#path = path;
  }

  async #lstat(name: string): Promise<PromisesStat> {
    const path = this.#path + name;
    return this.#fs.lstat?.(path, { bigint: true }) ?? this.#fs.stat(path, { bigint: true });
  }

  /** `undefined` if nothing has that name. */
  async #find(name: string): Promise<PromisesStat | undefined> {
    try {
      return await this.#lstat(name);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  async open(name: string, options: OpenOptions): Promise<OpenFile | Directory> {
    const found = await this.#find(name);
    if (found === undefined) return this.#make(name, options);
    if (options.create && options.exclusive) throw new HostError("EEXIST");
    if (found.isSymbolicLink()) throw new HostError("ELOOP");
    if (found.isDirectory()) {
      if (options.write || options.truncate || options.create) throw new HostError("EISDIR");
      return new PromisesDirectory(this.#fs, `${this.#path}${name}/`);
    }
    if (options.directory) throw new HostError("ENOTDIR");
    // Opening a pipe could wait for its other end for ever.
    if (!found.isFile()) throw new HostError("ENOTSUP");
    return this.#openFile(name, found, options);
  }

  async #make(name: string, options: OpenOptions): Promise<OpenFile | Directory> {
    if (!options.create || options.directory) throw new HostError("ENOENT");
    try {
      return new PromisesOpenFile(this.#fs, await this.#fs.open(this.#path + name, "wx+"));
    } catch (error) {
      // Somebody was faster: what is there now is not known yet.
      if (codeOf(error) === "EEXIST" && !options.exclusive) return this.open(name, options);
      throw error;
    }
  }

  async #openFile(name: string, found: PromisesStat, { write, truncate }: OpenOptions): Promise<OpenFile> {
    const handle = await this.#fs.open(this.#path + name, write || truncate ? "r+" : "r");
    try {
      const opened = await handle.stat({ bigint: true });
      const isOther = String(opened.ino) !== String(found.ino) || String(opened.dev) !== String(found.dev);
      if (found.ino !== undefined && opened.ino !== undefined && isOther) throw new HostError("ELOOP");
      if (truncate) await handle.truncate(0);
    } catch (error) {
      await handle.close();
      throw error;
    }
    return new PromisesOpenFile(this.#fs, handle);
  }

  async statEntry(name: string): Promise<FileStat> {
    return fileStat(await this.#lstat(name));
  }

  async setEntryTimes(name: string, times: TimeChange): Promise<void> {
    const stat = await this.#lstat(name);
    const path = this.#path + name;
    const [accessed, modified] = timesOf(times, stat);
    if (this.#fs.lutimes !== undefined) return this.#fs.lutimes(path, accessed, modified);
    if (stat.isSymbolicLink()) throw new HostError("ENOTSUP");
    return this.#fs.utimes?.(path, accessed, modified) ?? refuse();
  }

  async readLink(name: string): Promise<string> {
    if (this.#fs.readlink === undefined) throw new HostError("EINVAL");
    return this.#fs.readlink(this.#path + name);
  }

  async makeLink(name: string, target: string): Promise<void> {
    await (this.#fs.symlink?.(target, this.#path + name) ?? refuse());
  }

  async makeDirectory(name: string): Promise<void> {
    await (this.#fs.mkdir?.(this.#path + name) ?? refuse());
  }

  async removeDirectory(name: string): Promise<void> {
    await (this.#fs.rmdir?.(this.#path + name) ?? refuse());
  }

  async removeFile(name: string): Promise<void> {
    if ((await this.#lstat(name)).isDirectory()) throw new HostError("EISDIR");
    await (this.#fs.unlink?.(this.#path + name) ?? refuse());
  }

  async addName(name: string, directory: Directory, newName: string): Promise<void> {
    await (this.#fs.link?.(this.#path + name, this.#pathIn(directory, newName)) ?? refuse());
  }

  async rename(name: string, directory: Directory, newName: string): Promise<void> {
    await (this.#fs.rename?.(this.#path + name, this.#pathIn(directory, newName)) ?? refuse());
  }

  #pathIn(directory: Directory, name: string): string {
    if (!(directory instanceof PromisesDirectory) || directory.#fs !== this.#fs) throw new HostError("EXDEV");
    return directory.#path + name;
  }

  /** Types and inodes are looked up one by one: only names are the same everywhere. */
  async entries(): Promise<readonly DirectoryEntry[]> {
    const names = await this.#fs.readdir(this.#path);
    const found = await Promise.all(
      names.map(async (name): Promise<DirectoryEntry | undefined> => {
        const stat = await this.#find(name);
        return stat && { name, type: typeOf(stat), inode: BigInt(stat.ino ?? 0) };
      }),
    );
    return found.filter((entry) => entry !== undefined);
  }

  async stat(): Promise<FileStat> {
    return fileStat(await this.#fs.stat(this.#path, { bigint: true }));
  }

  async setTimes(times: TimeChange): Promise<void> {
    const [accessed, modified] = timesOf(times, await this.#fs.stat(this.#path, { bigint: true }));
    await (this.#fs.utimes?.(this.#path, accessed, modified) ?? refuse());
  }

  /** There is no such call. */
  sync(): void {}

  reopen(): Directory {
    return this;
  }

  close(): void {}
}

/** File system → the last append in it. */
const appends = new WeakMap<PromisesFileSystem, Promise<unknown>>();

class PromisesOpenFile implements OpenFile {
  readonly kind = "file";
  readonly answersAtOnce = false;
  readonly #fs: PromisesFileSystem;
  readonly #handle: PromisesHandle;

  constructor(fs: PromisesFileSystem, handle: PromisesHandle) {
    this.#fs = fs;
    this.#handle = handle;
  }

  async read(buffers: readonly Uint8Array[], position: number): Promise<number> {
    let read = 0;
    for (const buffer of buffers) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, position + read);
      read += bytesRead;
      if (bytesRead < buffer.length) break;
    }
    return read;
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<number> {
    let written = 0;
    for (const buffer of buffers) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const { bytesWritten } = await this.#handle.write(buffer, 0, buffer.length, position + written);
      written += bytesWritten;
      if (bytesWritten < buffer.length) break;
    }
    return written;
  }

  /**
   * One after the other: another one between asking for the size and writing there would be overwritten. In the whole file system, since
   * nothing says for sure which handles are of one file.
   */
  append(buffers: readonly Uint8Array[]): Promise<number> {
    const append = async (): Promise<number> => {
      const { size } = await this.#handle.stat();
      return this.write(buffers, Number(size));
    };
    const result = (appends.get(this.#fs) ?? Promise.resolve()).then(append);
    appends.set(
      this.#fs,
      result.catch(() => undefined),
    );
    return result;
  }

  async stat(): Promise<FileStat> {
    return fileStat(await this.#handle.stat({ bigint: true }));
  }

  async setSize(bytes: number): Promise<void> {
    await this.#handle.truncate(bytes);
  }

  async setTimes(times: TimeChange): Promise<void> {
    const [accessed, modified] = timesOf(times, await this.#handle.stat({ bigint: true }));
    await (this.#handle.utimes?.(accessed, modified) ?? refuse());
  }

  async sync(dataOnly: boolean): Promise<void> {
    await ((dataOnly ? this.#handle.datasync?.() : undefined) ?? this.#handle.sync?.());
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** What a file system does not have. */
function refuse(): never {
  throw new HostError("ENOTSUP");
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null | undefined)?.code;
}

function typeOf(stat: PromisesStat): FileType {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symbolic-link";
  if (stat.isFIFO?.() === true) return "pipe";
  if (stat.isSocket?.() === true) return "socket";
  return stat.isBlockDevice?.() === true ? "block-device" : "character-device";
}

function fileStat(stat: PromisesStat): FileStat {
  return {
    type: typeOf(stat),
    device: BigInt(stat.dev ?? 0),
    inode: BigInt(stat.ino ?? 0),
    links: BigInt(stat.nlink ?? 1),
    size: BigInt(stat.size),
    accessed: stat.atimeNs ?? nanoseconds(stat.atimeMs),
    modified: stat.mtimeNs ?? nanoseconds(stat.mtimeMs),
    changed: stat.ctimeNs ?? nanoseconds(stat.ctimeMs),
  };
}

const NS_PER_MS = 1_000_000;

function nanoseconds(milliseconds: number | bigint | undefined): bigint {
  if (typeof milliseconds === "bigint") return milliseconds * BigInt(NS_PER_MS);
  const whole = Math.floor(milliseconds ?? 0);
  return BigInt(whole) * BigInt(NS_PER_MS) + BigInt(Math.floor(((milliseconds ?? 0) - whole) * NS_PER_MS));
}

/** In seconds: exact to a quarter of a microsecond. */
function timesOf({ accessed, modified }: TimeChange, before: PromisesStat): [accessed: number, modified: number] {
  const { accessed: wasAccessed, modified: wasModified } = fileStat(before);
  return [seconds(accessed ?? wasAccessed), seconds(modified ?? wasModified)];
}

function seconds(time: bigint | "now"): number {
  return time === "now" ? Date.now() / 1000 : Number(time) / 1e9;
}
