/** `fd_prestat_*` and `fd_readdir`: directories a program starts with, and what is in them. */

import type { DirectoryEntry } from "../host/file-system.ts";
import type { Descriptor } from "./descriptor.ts";
import { DirectoryDescriptor } from "./directory.ts";
import { Errno } from "./errno.ts";
import { fileTypeNumber } from "./file-stat.ts";
import { encodeText } from "./guest-memory.ts";
import { DIRENT, PRESTAT } from "./layout.ts";
import { RIGHTS } from "./rights.ts";
import { afterCall } from "./soon.ts";
import type { Syscall, Syscalls } from "./syscall.ts";

/** witx: `preopentype` */
const PREOPENED_DIRECTORY = 0;

export const directories: Syscalls = {
  fd_prestat_get({ program, memory }: Syscall, fd: number, prestat: number) {
    const name = preopenName(program.descriptors.get(fd));
    memory.clear(prestat, PRESTAT.bytes);
    memory.setU8((prestat >>> 0) + PRESTAT.tag, PREOPENED_DIRECTORY);
    memory.setU32((prestat >>> 0) + PRESTAT.nameLength, name.length);
  },

  fd_prestat_dir_name({ program, memory }: Syscall, fd: number, path: number, length: number) {
    const name = preopenName(program.descriptors.get(fd));
    if (length >>> 0 < name.length) throw new Errno("ENAMETOOLONG");
    memory.setBytes(path, name);
  },

  fd_readdir(call: Syscall, fd: number, buffer: number, length: number, cookie: bigint, used: number) {
    const { program, memory } = call;
    const descriptor = program.descriptors.get(fd);
    if (!(descriptor instanceof DirectoryDescriptor)) throw new Errno("ENOTDIR");
    descriptor.requireRights(RIGHTS.fd_readdir);
    memory.require(buffer, length >>> 0);
    memory.require(used, 4);
    const start = BigInt.asUintN(64, cookie);
    return afterCall(call, descriptor.list(start === 0n), (entries) => {
      memory.setU32(used, writeEntries(memory.bytes(buffer, length), entries, start));
    });
  },
};

/** C libraries ask for one number after the other, until there is none: `EBADF`. */
function preopenName(descriptor: Descriptor): Uint8Array {
  if (!(descriptor instanceof DirectoryDescriptor) || descriptor.preopenName === undefined) throw new Errno("EBADF");
  return descriptor.preopenName;
}

/**
 * witx: `dirent`. A cookie is the number of the entry after. What does not fit is cut off, in the middle of an entry: a full buffer
 * tells the program that there is more.
 *
 * @returns bytes written
 */
function writeEntries(target: Uint8Array, entries: readonly DirectoryEntry[], cookie: bigint): number {
  let used = 0;
  // Number() of a cookie that no entry has is beyond the end, too.
  for (let index = Number(cookie); index < entries.length && used < target.length; index++) {
    const entry = direntBytes(entries[index] as DirectoryEntry, index + 1).subarray(0, target.length - used);
    target.set(entry, used);
    used += entry.length;
  }
  return used;
}

function direntBytes({ name, type, inode }: DirectoryEntry, next: number): Uint8Array {
  const encoded = encodeText(name);
  const bytes = new Uint8Array(DIRENT.bytes + encoded.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(DIRENT.next, BigInt(next), true);
  view.setBigUint64(DIRENT.inode, inode, true);
  view.setUint32(DIRENT.nameLength, encoded.length, true);
  view.setUint8(DIRENT.type, fileTypeNumber(type));
  bytes.set(encoded, DIRENT.bytes);
  return bytes;
}
