/**
 * A file system as a tree of open directories.
 *
 * A directory answers for one name in it at a time, and never follows a symbolic link: whoever resolves a path goes from one open
 * directory to the next, and so cannot be led out of the first one. Names are single components: never empty, `.`, `..`, or with `/` or
 * a null character in them.
 *
 * Everything may answer at once or with a promise. What is there at once does not cost the program a suspension.
 */

import type { Connection } from "./network.ts";
import type { InputStream, OutputStream } from "./stream.ts";

/** An answer now, or later. */
export type Soon<Value> = Value | Promise<Value>;

export type FileType = "file" | "directory" | "symbolic-link" | "character-device" | "block-device" | "socket" | "pipe";

export interface FileStat {
  readonly type: FileType;
  readonly device: bigint;
  readonly inode: bigint;
  readonly links: bigint;
  /** Bytes. */
  readonly size: bigint;
  /** Nanoseconds since 1970. */
  readonly accessed: bigint;
  readonly modified: bigint;
  readonly changed: bigint;
}

/** Nanoseconds since 1970, or the file system's own idea of the present. What is left out stays as it is. */
export interface TimeChange {
  readonly accessed?: bigint | "now" | undefined;
  readonly modified?: bigint | "now" | undefined;
}

export interface OpenOptions {
  readonly read: boolean;
  readonly write: boolean;
  /** Makes a file if nothing has that name. */
  readonly create: boolean;
  /** With `create`: fails with `EEXIST` if something has that name, a symbolic link included. */
  readonly exclusive: boolean;
  /** Empties the file. */
  readonly truncate: boolean;
  /** Fails with `ENOTDIR` if it is none. */
  readonly directory: boolean;
  /** Aborts when nobody waits for it any more: for what takes long to open. */
  readonly signal?: AbortSignal | undefined;
}

export interface OpenFile {
  readonly kind: "file";
  /**
   * Whether it answers at once, always: it may then be given the program's memory itself to read into and write from. If not, it is given
   * buffers of its own, which stay as they are until it has answered.
   */
  readonly answersAtOnce: boolean;
  /** Fills `buffers` in order with what is at `position`. @returns bytes; 0 at the end */
  read(buffers: readonly Uint8Array[], position: number): Soon<number>;
  /** @returns bytes written, which may be fewer */
  write(buffers: readonly Uint8Array[], position: number): Soon<number>;
  /** Writes to the end of the file, wherever that is by now. */
  append(buffers: readonly Uint8Array[]): Soon<number>;
  stat(): Soon<FileStat>;
  setSize(bytes: number): Soon<void>;
  setTimes(times: TimeChange): Soon<void>;
  /** Returns when it is on the disk, with its times unless `dataOnly`. */
  sync(dataOnly: boolean): Soon<void>;
  close(): Soon<void>;
}

/** A pipe, a terminal or another device that was opened by name. */
export interface OpenStream {
  readonly kind: "stream";
  readonly input?: InputStream | undefined;
  readonly output?: OutputStream | undefined;
  /** Both, if it is a connection: then what sockets can do is possible, too. */
  readonly connection?: Connection | undefined;
  stat(): Soon<FileStat>;
  close(): Soon<void>;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly type: FileType;
  readonly inode: bigint;
}

export interface Directory {
  readonly kind: "directory";
  /** Opens what has that name. `ELOOP` if it is a symbolic link, which it does not follow. */
  open(name: string, options: OpenOptions): Soon<OpenFile | OpenStream | Directory>;
  /** Of what has that name: of a symbolic link itself. */
  statEntry(name: string): Soon<FileStat>;
  setEntryTimes(name: string, times: TimeChange): Soon<void>;
  /** What a symbolic link says; `EINVAL` if it is none. */
  readLink(name: string): Soon<string>;
  makeLink(name: string, target: string): Soon<void>;
  makeDirectory(name: string): Soon<void>;
  removeDirectory(name: string): Soon<void>;
  removeFile(name: string): Soon<void>;
  /** Gives what has that name a second one in `directory`, which is of the same file system: `EXDEV` if not. */
  addName(name: string, directory: Directory, newName: string): Soon<void>;
  rename(name: string, directory: Directory, newName: string): Soon<void>;
  /** Everything in it, without `.` and `..`. */
  entries(): Soon<readonly DirectoryEntry[]>;
  stat(): Soon<FileStat>;
  setTimes(times: TimeChange): Soon<void>;
  sync(dataOnly: boolean): Soon<void>;
  /** The same directory, opened once more: closed on its own. */
  reopen(): Soon<Directory>;
  close(): Soon<void>;
}
