/** A directory in which nothing can be changed, whatever rights a program has. */

import type {
  Directory,
  DirectoryEntry,
  FileStat,
  FileType,
  OpenFile,
  OpenOptions,
  OpenStream,
} from "./file-system.ts";
import { HostError } from "./host-error.ts";

/**
 * `directory` as a file system that was mounted for reading: everything that would change something fails with `EROFS`.
 * Closing it closes `directory`.
 */
export function readOnly(directory: Directory): Directory {
  return directory instanceof ReadOnlyDirectory ? directory : new ReadOnlyDirectory(directory);
}

function refuse(): never {
  throw new HostError("EROFS");
}

/** Waits if it has to, like what it wraps. */
function after<Value, Result>(
  answer: Value | Promise<Value>,
  use: (value: Value) => Result | Promise<Result>,
): Result | Promise<Result> {
  return answer instanceof Promise ? answer.then(use) : use(answer);
}

class ReadOnlyDirectory implements Directory {
  readonly kind = "directory";
  readonly #directory: Directory;

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  open(name: string, options: OpenOptions): ReturnType<Directory["open"]> {
    const { create, exclusive, write, truncate } = options;
    if (!create && !write && !truncate) return after(this.#directory.open(name, options), wrap);
    return this.#look(name, (type) => {
      if (type === undefined) throw new HostError(create ? "EROFS" : "ENOENT");
      if (create && exclusive) throw new HostError("EEXIST");
      if (type === "symbolic-link") throw new HostError("ELOOP");
      if (type === "directory") throw new HostError("EISDIR");
      if (write || truncate) refuse();
      return after(this.#directory.open(name, { ...options, create: false }), wrap);
    });
  }

  /** What has that name; `undefined`: nothing. */
  #look<Result>(name: string, use: (type: FileType | undefined) => Result | Promise<Result>): Result | Promise<Result> {
    const missing = (error: unknown): Result | Promise<Result> => {
      if ((error as { code?: unknown } | undefined)?.code !== "ENOENT") throw error;
      return use(undefined);
    };
    let found: FileStat | Promise<FileStat>;
    try {
      found = this.#directory.statEntry(name);
    } catch (error) {
      return missing(error);
    }
    return found instanceof Promise ? found.then(({ type }) => use(type), missing) : use(found.type);
  }

  statEntry(name: string): ReturnType<Directory["statEntry"]> {
    return this.#directory.statEntry(name);
  }

  readLink(name: string): ReturnType<Directory["readLink"]> {
    return this.#directory.readLink(name);
  }

  entries(): readonly DirectoryEntry[] | Promise<readonly DirectoryEntry[]> {
    return this.#directory.entries();
  }

  stat(): FileStat | Promise<FileStat> {
    return this.#directory.stat();
  }

  sync(dataOnly: boolean): void | Promise<void> {
    return this.#directory.sync(dataOnly);
  }

  reopen(): Directory | Promise<Directory> {
    return after(this.#directory.reopen(), readOnly);
  }

  close(): void | Promise<void> {
    return this.#directory.close();
  }

  setEntryTimes(): void {
    refuse();
  }

  makeLink(): void {
    refuse();
  }

  makeDirectory(): void {
    refuse();
  }

  removeDirectory(): void {
    refuse();
  }

  removeFile(): void {
    refuse();
  }

  /** A second name elsewhere would be one through which the file could be changed. */
  addName(): void {
    refuse();
  }

  rename(): void {
    refuse();
  }

  setTimes(): void {
    refuse();
  }
}

function wrap(opened: OpenFile | OpenStream | Directory): OpenFile | OpenStream | Directory {
  if (opened.kind === "directory") return readOnly(opened);
  if (opened.kind === "file") return new ReadOnlyFile(opened);
  return { kind: "stream", input: opened.input, stat: () => opened.stat(), close: () => opened.close() };
}

class ReadOnlyFile implements OpenFile {
  readonly kind = "file";
  readonly answersAtOnce: boolean;
  readonly #file: OpenFile;

  constructor(file: OpenFile) {
    this.#file = file;
    this.answersAtOnce = file.answersAtOnce;
  }

  read(buffers: readonly Uint8Array[], position: number): number | Promise<number> {
    return this.#file.read(buffers, position);
  }

  stat(): FileStat | Promise<FileStat> {
    return this.#file.stat();
  }

  sync(dataOnly: boolean): void | Promise<void> {
    return this.#file.sync(dataOnly);
  }

  close(): void | Promise<void> {
    return this.#file.close();
  }

  write(): number {
    return refuse();
  }

  append(): number {
    return refuse();
  }

  setSize(): void {
    refuse();
  }

  setTimes(): void {
    refuse();
  }
}
