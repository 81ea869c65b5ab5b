/** The computer's files, in Node. */

import type * as fileSystem from "node:fs";
import type {
  Directory,
  DirectoryEntry,
  FileStat,
  FileType,
  OpenFile,
  OpenOptions,
  OpenStream,
  TimeChange,
} from "./file-system.ts";
import { HostError } from "./host-error.ts";
import { requireBuiltin } from "./node-builtin.ts";
import { NodeDevice, UnreadPipe } from "./node-device.ts";
import { HeldPlace, NamedPlace, O_PATH, canHoldDirectories, openPlace } from "./node-directory-place.ts";
import type { DirectoryPlace } from "./node-directory-place.ts";
import { NodeOpenFile } from "./node-open-file.ts";
import { fileStat, fileTypeOf, setTimes } from "./node-times.ts";

/** For names and links; a name may begin with a byte order mark. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export interface NodeDirectoryOptions {
  /**
   * Whether directories are held by descriptors, which nothing can lead astray, or found by their paths, which somebody could swap.
   * Held when left out, where the system can do that: Linux with `/proc`.
   */
  readonly isHeld?: boolean | undefined;
}

/**
 * Opens a directory of this computer.
 *
 * @throws {TypeError} where there is no `node:fs`
 * @throws {Error} with a `code`: `ENOENT`, `ENOTDIR`, `EACCES`, …
 */
export function openNodeDirectory(path: string, options: NodeDirectoryOptions = {}): Directory {
  return new NodeDirectory(openPlace(path, options.isHeld ?? canHoldDirectories()));
}

class NodeDirectory implements Directory {
  readonly kind = "directory";
  readonly #fs: typeof fileSystem = requireBuiltin("node:fs");
  readonly #place: DirectoryPlace;

  constructor(place: DirectoryPlace) {
    this.#place = place;
  }

  open(name: string, options: OpenOptions): OpenFile | OpenStream | Directory {
    const place = this.#place.entry(name);
    return this.#place.isHeld ? this.#openHeld(place, options) : this.#openNamed(place, options);
  }

  #openHeld(path: string, options: OpenOptions): OpenFile | OpenStream | Directory {
    const { O_DIRECTORY, O_NOFOLLOW } = this.#fs.constants;
    if (!options.directory) return this.#openNoDirectory(path, options);
    try {
      return new NodeDirectory(new HeldPlace(this.#fs.openSync(path, O_PATH | O_DIRECTORY | O_NOFOLLOW)));
    } catch (error) {
      throw this.#isLink(path, error) ? new HostError("ELOOP") : error;
    }
  }

  #openNoDirectory(path: string, options: OpenOptions): OpenFile | OpenStream | Directory {
    let fd: number;
    try {
      fd = this.#fs.openSync(path, this.#flags(options), 0o666);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "ENXIO") throw error;
      return this.#unreadPipe(path, error);
    }
    return this.#opened(fd, options);
  }

  /** The system says `ENXIO` of a pipe that is to be written to and that nobody reads; and of other things. */
  #unreadPipe(path: string, error: unknown): OpenStream {
    const fd = this.#fs.openSync(path, O_PATH | this.#fs.constants.O_NOFOLLOW);
    if (this.#fs.fstatSync(fd).isFIFO()) return new UnreadPipe(fd);
    this.#fs.closeSync(fd);
    throw error;
  }

  /** The system says `ENOTDIR` of a symbolic link, if it was to open a directory. */
  #isLink(path: string, error: unknown): boolean {
    if ((error as { code?: unknown }).code !== "ENOTDIR") return false;
    return this.#fs.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  }

  #openNamed(path: string, options: OpenOptions): OpenFile | OpenStream | Directory {
    const before = this.#fs.lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (before === undefined) return this.#makeNamed(path, options);
    if (options.create && options.exclusive) throw new HostError("EEXIST");
    if (before.isSymbolicLink()) throw new HostError("ELOOP");
    if (before.isDirectory()) return this.#namedDirectory(path, before, options);
    if (options.directory) throw new HostError("ENOTDIR");
    // Emptied only when it is known to be the right one.
    const fd = this.#fs.openSync(
      path,
      this.#flags({ ...options, write: options.write || options.truncate, truncate: false }),
    );
    return this.#checked(fd, before, options);
  }

  #makeNamed(path: string, options: OpenOptions): OpenFile | OpenStream | Directory {
    if (!options.create || options.directory) throw new HostError("ENOENT");
    let fd: number;
    try {
      fd = this.#fs.openSync(path, this.#flags({ ...options, exclusive: true }), 0o666);
    } catch (error) {
      // Somebody was faster: what is there now is not known yet.
      if ((error as { code?: unknown }).code === "EEXIST" && !options.exclusive) return this.#openNamed(path, options);
      throw error;
    }
    return this.#opened(fd, options);
  }

  #namedDirectory(path: string, stat: fileSystem.BigIntStats, { write, truncate, create }: OpenOptions): Directory {
    if (write || truncate || create) throw new HostError("EISDIR");
    return new NodeDirectory(new NamedPlace(path, stat));
  }

  #checked(fd: number, before: fileSystem.BigIntStats, options: OpenOptions): OpenFile | OpenStream | Directory {
    try {
      const { dev, ino } = this.#fs.fstatSync(fd, { bigint: true });
      if (dev !== before.dev || ino !== before.ino) throw new HostError("ELOOP");
      if (options.truncate) this.#fs.ftruncateSync(fd, 0);
    } catch (error) {
      this.#fs.closeSync(fd);
      throw error;
    }
    return this.#opened(fd, options);
  }

  #flags({ read, write, create, exclusive, truncate }: OpenOptions): number {
    const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } =
      this.#fs.constants;
    let flags = O_RDONLY;
    if (write || truncate) flags = read ? O_RDWR : O_WRONLY;
    if (create) flags |= O_CREAT;
    if (create && exclusive) flags |= O_EXCL;
    if (truncate) flags |= O_TRUNC;
    // Not blocking: opening a pipe would wait for its other end, and this thread with it. None of them is there on Windows.
    return flags | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0) | (O_NOCTTY ?? 0);
  }

  #opened(fd: number, options: OpenOptions): OpenFile | OpenStream | Directory {
    try {
      const stat = this.#fs.fstatSync(fd);
      if (stat.isFile()) return new NodeOpenFile(fd);
      if (stat.isDirectory()) return new NodeDirectory(new HeldPlace(fd));
      return new NodeDevice(fd, options);
    } catch (error) {
      this.#fs.closeSync(fd);
      throw error;
    }
  }

  statEntry(name: string): FileStat {
    return fileStat(this.#fs.lstatSync(this.#place.entry(name), { bigint: true }));
  }

  setEntryTimes(name: string, times: TimeChange): void {
    const path = this.#place.entry(name);
    const stat = (): fileSystem.BigIntStats => this.#fs.lstatSync(path, { bigint: true });
    setTimes({ stat, utimes: (accessed, modified) => this.#fs.lutimesSync(path, accessed, modified) }, times);
  }

  readLink(name: string): string {
    return decode(this.#fs.readlinkSync(this.#place.entry(name), "buffer"));
  }

  makeLink(name: string, target: string): void {
    this.#fs.symlinkSync(target, this.#place.entry(name));
  }

  makeDirectory(name: string): void {
    this.#fs.mkdirSync(this.#place.entry(name));
  }

  removeDirectory(name: string): void {
    this.#fs.rmdirSync(this.#place.entry(name));
  }

  removeFile(name: string): void {
    this.#fs.unlinkSync(this.#place.entry(name));
  }

  addName(name: string, directory: Directory, newName: string): void {
    this.#fs.linkSync(this.#place.entry(name), entryOf(directory, newName));
  }

  rename(name: string, directory: Directory, newName: string): void {
    this.#fs.renameSync(this.#place.entry(name), entryOf(directory, newName));
  }

  /** Names that are no UTF-8 are left out: a program could not use them. */
  entries(): readonly DirectoryEntry[] {
    const found = this.#fs.readdirSync(this.#place.path(), { withFileTypes: true, encoding: "buffer" });
    return found.flatMap((entry) => {
      try {
        return [new NodeEntry(this.#fs, this.#place, decode(entry.name), fileTypeOf(entry))];
      } catch {
        return [];
      }
    });
  }

  stat(): FileStat {
    return fileStat(this.#place.stat());
  }

  setTimes(times: TimeChange): void {
    const path = this.#place.path();
    const stat = (): fileSystem.BigIntStats => this.#place.stat();
    setTimes({ stat, utimes: (accessed, modified) => this.#fs.utimesSync(path, accessed, modified) }, times);
  }

  async sync(dataOnly: boolean): Promise<void> {
    const file = new NodeOpenFile(this.#fs.openSync(this.#place.path(), "r"));
    try {
      await file.sync(dataOnly);
    } finally {
      await file.close();
    }
  }

  reopen(): Directory {
    return new NodeDirectory(this.#place.reopen());
  }

  close(): void {
    this.#place.close();
  }

  static entry(directory: Directory, name: string): string {
    if (!(directory instanceof NodeDirectory)) throw new HostError("EXDEV");
    return directory.#place.entry(name);
  }
}

function entryOf(directory: Directory, name: string): string {
  return NodeDirectory.entry(directory, name);
}

/** Node gives names and types of entries; their inodes are looked up one by one, only where somebody asks. */
class NodeEntry implements DirectoryEntry {
  readonly #fs: typeof fileSystem;
  readonly #place: DirectoryPlace;
  readonly name: string;
  readonly type: FileType;

  constructor(fs: typeof fileSystem, place: DirectoryPlace, name: string, type: FileType) {
    this.#fs = fs;
    this.#place = place;
    this.name = name;
    this.type = type;
  }

  /** 0 if it is gone. */
  get inode(): bigint {
    try {
      return this.#fs.lstatSync(this.#place.entry(this.name), { bigint: true }).ino;
    } catch {
      return 0n;
    }
  }
}

/** @throws {HostError} `EILSEQ` */
function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new HostError("EILSEQ");
  }
}
