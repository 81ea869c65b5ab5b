/** An open directory, as a program sees it. */

import type { Directory, DirectoryEntry, FileStat, Soon, TimeChange } from "../host/file-system.ts";
import { Descriptor } from "./descriptor.ts";
import { Errno } from "./errno.ts";
import { FILE_TYPE } from "./layout.ts";
import { run, soon } from "./soon.ts";
import type { Steps } from "./soon.ts";

/** How a directory came to be open. */
export interface DirectoryOrigin {
  /** What the program calls it, as UTF-8: it was there when the program started. */
  readonly preopenName?: Uint8Array | undefined;
  /** Whether closing the descriptor leaves the directory open: it is somebody else's. */
  readonly isShared?: boolean | undefined;
}

export class DirectoryDescriptor extends Descriptor {
  readonly fileType: number = FILE_TYPE.directory;
  /** `undefined`: the program has opened it itself. */
  readonly preopenName: Uint8Array | undefined;
  readonly #directory: Directory;
  readonly #isShared: boolean;
  /** What it had in it when it was read from its beginning: so that nothing is left out or comes twice when something is removed. */
  #entries: readonly DirectoryEntry[] | undefined;

  constructor(
    directory: Directory,
    rights: { readonly base: bigint; readonly inheriting: bigint },
    origin: DirectoryOrigin = {},
  ) {
    super(rights.base, rights.inheriting);
    this.#directory = directory;
    this.preopenName = origin.preopenName;
    this.#isShared = origin.isShared ?? false;
  }

  override get directory(): Directory {
    return this.#directory;
  }

  stat(): Soon<FileStat> {
    return this.#directory.stat();
  }

  /** `.`, `..` and everything in it. The same list until it is asked for from its beginning again. */
  list(isFromStart: boolean): Soon<readonly DirectoryEntry[]> {
    if (!isFromStart && this.#entries !== undefined) return this.#entries;
    return run(this.#list());
  }

  *#list(): Steps<readonly DirectoryEntry[]> {
    const { inode } = yield* soon(this.#directory.stat());
    const found = yield* soon(this.#directory.entries());
    // What lies above is not the program's business, so `..` has the inode of the directory itself.
    const dots = [".", ".."].map((name): DirectoryEntry => ({ name, type: "directory", inode }));
    this.#entries = [...dots, ...found];
    return this.#entries;
  }

  override read(): never {
    throw new Errno("EISDIR");
  }

  override write(): never {
    throw new Errno("EISDIR");
  }

  override readAt(): never {
    throw new Errno("EISDIR");
  }

  override writeAt(): never {
    throw new Errno("EISDIR");
  }

  override seek(): never {
    throw new Errno("EISDIR");
  }

  override allocate(): never {
    throw new Errno("EISDIR");
  }

  override setSize(): never {
    throw new Errno("EISDIR");
  }

  /** There is nobody to take advice. */
  override advise(): void {}

  override setTimes(times: TimeChange): Soon<void> {
    return this.#directory.setTimes(times);
  }

  override sync(dataOnly: boolean): Soon<void> {
    return this.#directory.sync(dataOnly);
  }

  override close(): Soon<void> {
    this.#entries = undefined;
    if (!this.#isShared) return this.#directory.close();
  }
}
