/** Directories that are not on any disk: what has a name in them is made when it is opened. */

import type { Directory, DirectoryEntry, FileStat, FileType, OpenOptions } from "./file-system.ts";
import { HostError } from "./host-error.ts";

/** In which nothing can be changed, and of which no list is given. */
export abstract class VirtualDirectory implements Directory {
  readonly kind = "directory";

  abstract open(name: string, options: OpenOptions): ReturnType<Directory["open"]>;
  abstract statEntry(name: string): FileStat;

  stat(): FileStat {
    return statOf("directory");
  }

  entries(): readonly DirectoryEntry[] {
    return [];
  }

  reopen(): Directory {
    return this;
  }

  sync(): void {}
  close(): void {}

  readLink(name: string): never {
    this.statEntry(name);
    throw new HostError("EINVAL");
  }

  setEntryTimes(): never {
    return refuse();
  }

  makeLink(): never {
    return refuse();
  }

  makeDirectory(): never {
    return refuse();
  }

  removeDirectory(): never {
    return refuse();
  }

  removeFile(): never {
    return refuse();
  }

  addName(): never {
    return refuse();
  }

  rename(): never {
    return refuse();
  }

  setTimes(): never {
    return refuse();
  }
}

/** As what may not be done is refused. */
export function refuse(): never {
  throw new HostError("EACCES");
}

/** Of what has neither size nor times. */
export function statOf(type: FileType): FileStat {
  const none = 0n;
  return { type, device: none, inode: none, links: 1n, size: none, accessed: none, modified: none, changed: none };
}
