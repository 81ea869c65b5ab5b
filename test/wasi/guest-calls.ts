/** A program that is none: calls what WASI offers by hand, with pointers into a memory of its own. */

import assert from "node:assert/strict";
import { WASI } from "stackful/wasi";
import type { WasiImports, WasiOptions } from "stackful/wasi";
import { ERRNO, errnoName } from "#src/wasi/preview1/errno";
import { FDSTAT, FILESTAT, OPEN_FLAGS, SYMLINK_FOLLOW } from "#src/wasi/preview1/layout";
import { DIRECTORY_RIGHTS, FILE_RIGHTS, RIGHTS } from "#src/wasi/preview1/rights";
import type { Right } from "#src/wasi/preview1/rights";

/** What a call answered other than success. */
export class CallError extends Error {
  readonly code: string;

  constructor(call: string, errno: number) {
    super(`${call}: ${errnoName(errno)}`);
    this.code = errnoName(errno);
  }
}

export interface OpenRequest {
  readonly follow?: boolean;
  readonly create?: boolean;
  readonly exclusive?: boolean;
  readonly truncate?: boolean;
  readonly directory?: boolean;
  /** All that a file or a directory can have when left out. */
  readonly rights?: readonly Right[] | bigint;
  readonly inheriting?: readonly Right[] | bigint;
  readonly flags?: number;
}

export interface StatResult {
  readonly device: bigint;
  readonly inode: bigint;
  readonly type: number;
  readonly links: bigint;
  readonly size: bigint;
  readonly accessed: bigint;
  readonly modified: bigint;
  readonly changed: bigint;
}

export interface EntryResult {
  readonly name: string;
  readonly type: number;
  readonly inode: bigint;
  readonly next: bigint;
}

type Param = number | bigint;

/** A name may begin with a byte order mark. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Where parameters of a call are put. Nothing that lies lower is used. */
const SCRATCH = 1024;
const RESULT = 64;

/** The rights of these names. */
export function rights(...names: readonly Right[]): bigint {
  return names.reduce((bits, name) => bits | RIGHTS[name], 0n);
}

export const READ_WRITE: readonly Right[] = ["fd_read", "fd_write", "fd_seek", "fd_tell", "fd_filestat_get"];

function bitsOf(given: readonly Right[] | bigint | undefined, otherwise: bigint): bigint {
  if (given === undefined) return otherwise;
  return typeof given === "bigint" ? given : rights(...given);
}

/**
 * Each method makes one call, and throws a {@link CallError} unless it succeeds. `call()` makes any call, with any pointers.
 */
export class GuestCalls {
  readonly wasi: WASI;
  readonly memory: WebAssembly.Memory;
  readonly #functions: Readonly<Record<string, (...params: unknown[]) => unknown>>;
  #top = SCRATCH;
  /** Aborts the calls that are waiting, and those that follow. */
  signal: AbortSignal = new AbortController().signal;
  /** Whether its calls may answer later. */
  canWait = true;

  /** @param module what it imports its calls from */
  constructor(
    options: WasiOptions = {},
    memory: WebAssembly.Memory = new WebAssembly.Memory({ initial: 32 }),
    module: keyof WasiImports = "wasi_snapshot_preview1",
  ) {
    this.wasi = new WASI(options);
    this.memory = memory;
    this.#functions = this.wasi.imports()[module] as never;
  }

  /** The call as it is: at once where it is ready. @returns its error number */
  start(name: string, ...params: readonly Param[]): number | Promise<number> {
    const caller = { memory: this.memory, signal: this.signal, canWait: this.canWait };
    const signed = params.map((param) => (typeof param === "bigint" ? BigInt.asIntN(64, param) : param | 0));
    return this.#functions[name]!(caller, ...signed) as number | Promise<number>;
  }

  /** @returns the name of its error number */
  async errno(name: string, ...params: readonly Param[]): Promise<string> {
    return errnoName(await this.start(name, ...params));
  }

  async call(name: string, ...params: readonly Param[]): Promise<void> {
    const errno = await this.start(name, ...params);
    if (errno !== ERRNO.ESUCCESS) throw new CallError(name, errno);
  }

  get view(): DataView {
    return new DataView(this.memory.buffer);
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.memory.buffer);
  }

  /** Room for the parameters of one call; everything from earlier ones is forgotten. */
  #reset(): void {
    this.#top = SCRATCH;
  }

  /** Puts bytes into the memory. @returns where */
  put(bytes: Uint8Array): number {
    const at = this.#top;
    this.bytes.set(bytes, at);
    this.#top += bytes.length + 8 - (bytes.length % 8);
    return at;
  }

  /** Pointer and bytes of a text. */
  text(text: string | Uint8Array): [number, number] {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    return [this.put(bytes), bytes.length];
  }

  /** An array of vectors. @returns where it is, and how many they are */
  vectors(...places: readonly (readonly [pointer: number, length: number])[]): [number, number] {
    return [this.put(new Uint8Array(new Uint32Array(places.flat()).buffer)), places.length];
  }

  /** A file, or a directory if there is one of that name. */
  async open(fd: number, path: string | Uint8Array, request: OpenRequest = {}): Promise<number> {
    this.#reset();
    const openFlags =
      (request.create === true ? OPEN_FLAGS.creat : 0) |
      (request.exclusive === true ? OPEN_FLAGS.excl : 0) |
      (request.truncate === true ? OPEN_FLAGS.trunc : 0) |
      (request.directory === true ? OPEN_FLAGS.directory : 0);
    const base = bitsOf(request.rights, request.directory === true ? DIRECTORY_RIGHTS : FILE_RIGHTS | DIRECTORY_RIGHTS);
    const inheriting = bitsOf(request.inheriting, DIRECTORY_RIGHTS | FILE_RIGHTS);
    const lookup = request.follow === true ? SYMLINK_FOLLOW : 0;
    const place = this.text(path);
    await this.call("path_open", fd, lookup, ...place, openFlags, base, inheriting, request.flags ?? 0, RESULT);
    return this.view.getUint32(RESULT, true);
  }

  async openDirectory(fd: number, path: string): Promise<number> {
    return this.open(fd, path, { directory: true });
  }

  async close(fd: number): Promise<void> {
    await this.call("fd_close", fd);
  }

  /** Makes a file with that content. */
  async create(fd: number, path: string, content: string | Uint8Array = ""): Promise<void> {
    const file = await this.open(fd, path, { create: true, exclusive: true, rights: ["fd_write"] });
    if (content.length > 0) await this.write(file, content);
    await this.close(file);
  }

  /** All of a file, as text. */
  async content(fd: number, path: string): Promise<string> {
    const file = await this.open(fd, path, { rights: ["fd_read"] });
    let text = "";
    for (let part = await this.read(file, 4096); part !== ""; part = await this.read(file, 4096)) text += part;
    await this.close(file);
    return text;
  }

  async write(fd: number, content: string | Uint8Array): Promise<number> {
    this.#reset();
    await this.call("fd_write", fd, ...this.vectors(this.text(content)), RESULT);
    return this.view.getUint32(RESULT, true);
  }

  async writeAt(fd: number, content: string, offset: bigint): Promise<number> {
    this.#reset();
    await this.call("fd_pwrite", fd, ...this.vectors(this.text(content)), offset, RESULT);
    return this.view.getUint32(RESULT, true);
  }

  async read(fd: number, maxBytes: number): Promise<string> {
    this.#reset();
    const at = SCRATCH + 4096;
    await this.call("fd_read", fd, ...this.vectors([at, maxBytes]), RESULT);
    return decoder.decode(this.bytes.slice(at, at + this.view.getUint32(RESULT, true)));
  }

  async readAt(fd: number, maxBytes: number, offset: bigint): Promise<string> {
    this.#reset();
    const at = SCRATCH + 4096;
    await this.call("fd_pread", fd, ...this.vectors([at, maxBytes]), offset, RESULT);
    return decoder.decode(this.bytes.slice(at, at + this.view.getUint32(RESULT, true)));
  }

  async seek(fd: number, delta: bigint, whence: number): Promise<bigint> {
    await this.call("fd_seek", fd, delta, whence, RESULT);
    return this.view.getBigUint64(RESULT, true);
  }

  async tell(fd: number): Promise<bigint> {
    await this.call("fd_tell", fd, RESULT);
    return this.view.getBigUint64(RESULT, true);
  }

  #stat(): StatResult {
    const { view } = this;
    const u64 = (offset: number): bigint => view.getBigUint64(RESULT + offset, true);
    return {
      device: u64(FILESTAT.device),
      inode: u64(FILESTAT.inode),
      type: view.getUint8(RESULT + FILESTAT.type),
      links: u64(FILESTAT.links),
      size: u64(FILESTAT.size),
      accessed: u64(FILESTAT.accessed),
      modified: u64(FILESTAT.modified),
      changed: u64(FILESTAT.changed),
    };
  }

  async stat(fd: number): Promise<StatResult> {
    await this.call("fd_filestat_get", fd, RESULT);
    return this.#stat();
  }

  async statPath(fd: number, path: string, follow = false): Promise<StatResult> {
    this.#reset();
    await this.call("path_filestat_get", fd, follow ? SYMLINK_FOLLOW : 0, ...this.text(path), RESULT);
    return this.#stat();
  }

  async status(fd: number): Promise<{ type: number; flags: number; base: bigint; inheriting: bigint }> {
    await this.call("fd_fdstat_get", fd, RESULT);
    return {
      type: this.view.getUint8(RESULT + FDSTAT.type),
      flags: this.view.getUint16(RESULT + FDSTAT.flags, true),
      base: this.view.getBigUint64(RESULT + FDSTAT.rights, true),
      inheriting: this.view.getBigUint64(RESULT + FDSTAT.inheriting, true),
    };
  }

  async setTimes(fd: number, accessed: bigint, modified: bigint, flags: number): Promise<void> {
    await this.call("fd_filestat_set_times", fd, accessed, modified, flags);
  }

  async setPathTimes(
    fd: number,
    path: string,
    times: { accessed?: bigint; modified?: bigint; flags: number; follow?: boolean },
  ): Promise<void> {
    this.#reset();
    const { accessed = 0n, modified = 0n, flags, follow = false } = times;
    const place = this.text(path);
    await this.call("path_filestat_set_times", fd, follow ? SYMLINK_FOLLOW : 0, ...place, accessed, modified, flags);
  }

  async makeDirectory(fd: number, path: string): Promise<void> {
    this.#reset();
    await this.call("path_create_directory", fd, ...this.text(path));
  }

  async removeDirectory(fd: number, path: string): Promise<void> {
    this.#reset();
    await this.call("path_remove_directory", fd, ...this.text(path));
  }

  async unlink(fd: number, path: string): Promise<void> {
    this.#reset();
    await this.call("path_unlink_file", fd, ...this.text(path));
  }

  async symlink(target: string, fd: number, path: string): Promise<void> {
    this.#reset();
    const says = this.text(target);
    await this.call("path_symlink", ...says, fd, ...this.text(path));
  }

  async readLink(fd: number, path: string, room = 256): Promise<string> {
    this.#reset();
    const at = SCRATCH + 8192;
    await this.call("path_readlink", fd, ...this.text(path), at, room, RESULT);
    return decoder.decode(this.bytes.slice(at, at + this.view.getUint32(RESULT, true)));
  }

  async link(fd: number, path: string, newFd: number, ...[newPath, follow]: [string, boolean?]): Promise<void> {
    this.#reset();
    const from = this.text(path);
    await this.call("path_link", fd, follow === true ? SYMLINK_FOLLOW : 0, ...from, newFd, ...this.text(newPath));
  }

  async rename(fd: number, path: string, newFd: number, newPath: string): Promise<void> {
    this.#reset();
    const from = this.text(path);
    await this.call("path_rename", fd, ...from, newFd, ...this.text(newPath));
  }

  /** One call of `fd_readdir`: the entries that are whole, and whether there is more. */
  async readDirectory(fd: number, room: number, cookie = 0n): Promise<{ entries: EntryResult[]; isMore: boolean }> {
    const at = SCRATCH + 8192;
    await this.call("fd_readdir", fd, at, room, cookie, RESULT);
    const used = this.view.getUint32(RESULT, true);
    assert.ok(used <= room);
    return { entries: this.#entries(at, at + used), isMore: used === room };
  }

  #entries(start: number, end: number): EntryResult[] {
    const entries: EntryResult[] = [];
    for (let at = start; at + 24 <= end;) {
      const length = this.view.getUint32(at + 16, true);
      if (at + 24 + length > end) break;
      entries.push({
        next: this.view.getBigUint64(at, true),
        inode: this.view.getBigUint64(at + 8, true),
        type: this.view.getUint8(at + 20),
        name: decoder.decode(this.bytes.slice(at + 24, at + 24 + length)),
      });
      at += 24 + length;
    }
    return entries;
  }

  /** Names of everything in a directory but `.` and `..`, in order. */
  async names(fd: number, room = 4096): Promise<string[]> {
    const names: string[] = [];
    for (let cookie = 0n; ;) {
      const { entries, isMore } = await this.readDirectory(fd, room, cookie);
      names.push(...entries.map(({ name }) => name));
      if (!isMore) return names.filter((name) => name !== "." && name !== "..").toSorted();
      cookie = entries.at(-1)!.next;
    }
  }
}

/** That a call fails with one of these. */
export async function fails(codes: string | readonly string[], call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error: unknown) => {
    assert.ok(error instanceof CallError, String(error));
    assert.ok([codes].flat().includes(error.code), `${error.message}, not ${String(codes)}`);
    return true;
  });
}
