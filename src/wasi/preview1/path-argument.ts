/** Paths as calls give them: a directory, and text in the program's memory. */

import type { Directory } from "../host/file-system.ts";
import { Errno } from "./errno.ts";
import { SYMLINK_FOLLOW } from "./layout.ts";
import { MAX_PATH_BYTES } from "./resolve-path.ts";
import type { Syscall } from "./syscall.ts";

export interface PathArgument {
  /** Pointer and bytes. */
  readonly path: number;
  readonly length: number;
  /** witx: `lookupflags` */
  readonly lookup?: number;
  /** What the directory has to allow. */
  readonly rights: bigint;
}

/** A path that begins at `directory`. */
export interface PathFrom {
  readonly directory: Directory;
  readonly text: string;
}

/** @throws {Errno} `EBADF`, `ENOTDIR`, `ENOTCAPABLE`, `EINVAL`, `ENAMETOOLONG`, `EFAULT`, `EILSEQ` */
export function lookUp({ program, memory }: Syscall, fd: number, argument: PathArgument): PathFrom {
  const descriptor = program.descriptors.get(fd);
  const { directory } = descriptor;
  descriptor.requireRights(argument.rights);
  if (((argument.lookup ?? 0) & ~SYMLINK_FOLLOW) !== 0) throw new Errno("EINVAL");
  const length = argument.length >>> 0;
  if (length > MAX_PATH_BYTES) throw new Errno("ENAMETOOLONG");
  return { directory, text: memory.text(argument.path, length) };
}
