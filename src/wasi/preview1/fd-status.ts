/** `fd_*` that ask or change what a descriptor is, and end it. */

import type { Soon } from "../host/file-system.ts";
import { Errno } from "./errno.ts";
import { timeChange, writeFileStat } from "./file-stat.ts";
import { ALL_FD_FLAGS, FDSTAT } from "./layout.ts";
import { RIGHTS } from "./rights.ts";
import { afterCall } from "./soon.ts";
import type { Syscall, Syscalls } from "./syscall.ts";

export const status: Syscalls = {
  fd_close({ program }: Syscall, fd: number) {
    return program.descriptors.remove(fd).close();
  },

  fd_renumber({ program }: Syscall, from: number, to: number) {
    return program.descriptors.move(from, to)?.close();
  },

  fd_fdstat_get({ program, memory }: Syscall, fd: number, stat: number) {
    const { fileType, flags, rights, inheriting } = program.descriptors.get(fd);
    memory.clear(stat, FDSTAT.bytes);
    const at = stat >>> 0;
    memory.setU8(at + FDSTAT.type, fileType);
    memory.setU16(at + FDSTAT.flags, flags);
    memory.setU64(at + FDSTAT.rights, rights);
    memory.setU64(at + FDSTAT.inheriting, inheriting);
  },

  fd_fdstat_set_flags({ program }: Syscall, fd: number, flags: number) {
    const descriptor = program.descriptors.with(fd, RIGHTS.fd_fdstat_set_flags);
    if ((flags & ~ALL_FD_FLAGS) !== 0) throw new Errno("EINVAL");
    return descriptor.setFlags(flags);
  },

  /** Rights can be given up, not gained. */
  fd_fdstat_set_rights({ program }: Syscall, fd: number, base: bigint, inheriting: bigint) {
    const descriptor = program.descriptors.get(fd);
    const rights = [BigInt.asUintN(64, base), BigInt.asUintN(64, inheriting)] as const;
    const isMore = (rights[0] & ~descriptor.rights) !== 0n || (rights[1] & ~descriptor.inheriting) !== 0n;
    if (isMore) throw new Errno("ENOTCAPABLE");
    [descriptor.rights, descriptor.inheriting] = rights;
  },

  fd_filestat_get(call: Syscall, fd: number, stat: number) {
    const { program, memory } = call;
    const descriptor = program.descriptors.with(fd, RIGHTS.fd_filestat_get);
    memory.require(stat, program.snapshot.filestat.bytes);
    return afterCall(call, descriptor.stat(), (found) => writeFileStat(call, stat, found));
  },

  fd_filestat_set_size({ program }: Syscall, fd: number, bytes: bigint): Soon<void> {
    const descriptor = program.descriptors.with(fd, RIGHTS.fd_filestat_set_size);
    return descriptor.setSize(BigInt.asUintN(64, bytes));
  },

  fd_filestat_set_times({ program }: Syscall, fd: number, accessed: bigint, modified: bigint, flags: number) {
    const descriptor = program.descriptors.with(fd, RIGHTS.fd_filestat_set_times);
    return descriptor.setTimes(timeChange(accessed, modified, flags));
  },

  fd_sync({ program }: Syscall, fd: number) {
    return program.descriptors.with(fd, RIGHTS.fd_sync).sync(false);
  },

  fd_datasync({ program }: Syscall, fd: number) {
    return program.descriptors.with(fd, RIGHTS.fd_datasync).sync(true);
  },
};
