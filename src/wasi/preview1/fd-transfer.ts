/** `fd_*` that move bytes, or the place where they are read and written. */

import type { Soon } from "../host/file-system.ts";
import type { Descriptor } from "./descriptor.ts";
import { Errno } from "./errno.ts";
import { WHENCE } from "./layout.ts";
import { RIGHTS } from "./rights.ts";
import { afterCall } from "./soon.ts";
import type { Syscall, Syscalls } from "./syscall.ts";

const PREAD = RIGHTS.fd_read | RIGHTS.fd_seek;
const PWRITE = RIGHTS.fd_write | RIGHTS.fd_seek;
/** witx: `advice` */
const LAST_ADVICE = 5;

export const transfers: Syscalls = {
  fd_read(call: Syscall, fd: number, vectors: number, count: number, read: number) {
    const { program, memory } = call;
    const descriptor = program.descriptors.with(fd, RIGHTS.fd_read);
    const into = memory.vectors(vectors, count);
    memory.require(read, 4);
    return afterCall(call, descriptor.read(into, call), (bytes) => memory.setU32(read, bytes));
  },

  fd_write(call: Syscall, fd: number, vectors: number, count: number, written: number) {
    const { program, memory } = call;
    const descriptor = program.descriptors.with(fd, RIGHTS.fd_write);
    const from = memory.vectors(vectors, count);
    memory.require(written, 4);
    return afterCall(call, descriptor.write(from, call), (bytes) => memory.setU32(written, bytes));
  },

  fd_pread(call: Syscall, fd: number, vectors: number, count: number, offset: bigint, read: number) {
    const { program, memory } = call;
    const descriptor = program.descriptors.with(fd, PREAD);
    const into = memory.vectors(vectors, count);
    memory.require(read, 4);
    return afterCall(call, descriptor.readAt(into, unsigned(offset), call), (bytes) => memory.setU32(read, bytes));
  },

  fd_pwrite(call: Syscall, fd: number, vectors: number, count: number, offset: bigint, written: number) {
    const { program, memory } = call;
    const descriptor = program.descriptors.with(fd, PWRITE);
    const from = memory.vectors(vectors, count);
    memory.require(written, 4);
    return afterCall(call, descriptor.writeAt(from, unsigned(offset), call), (bytes) => memory.setU32(written, bytes));
  },

  fd_seek(call: Syscall, fd: number, delta: bigint, given: number, result: number) {
    const { program, memory } = call;
    const whence = program.snapshot.whences[given];
    const isTelling = delta === 0n && whence === WHENCE.cur;
    const descriptor = isTelling ? tellable(program.descriptors.get(fd)) : program.descriptors.with(fd, RIGHTS.fd_seek);
    memory.require(result, 8);
    if (whence === undefined) throw new Errno("EINVAL");
    return afterCall(call, descriptor.seek(delta, whence), (offset) => memory.setU64(result, offset));
  },

  fd_tell(call: Syscall, fd: number, result: number) {
    const { program, memory } = call;
    const descriptor = tellable(program.descriptors.get(fd));
    memory.require(result, 8);
    return afterCall(call, descriptor.seek(0n, WHENCE.cur), (offset) => memory.setU64(result, offset));
  },

  fd_advise({ program }: Syscall, fd: number, offset: bigint, length: bigint, advice: number) {
    const descriptor = program.descriptors.with(fd, RIGHTS.fd_advise);
    if (advice >>> 0 > LAST_ADVICE || offset < 0n || length < 0n) throw new Errno("EINVAL");
    return descriptor.advise(offset, length);
  },

  fd_allocate({ program }: Syscall, fd: number, offset: bigint, length: bigint): Soon<void> {
    const descriptor = program.descriptors.with(fd, RIGHTS.fd_allocate);
    if (offset < 0n || length < 0n) throw new Errno("EINVAL");
    return descriptor.allocate(offset, length);
  },
};

/** Either right will do: who may move may also ask. */
function tellable(descriptor: Descriptor): Descriptor {
  if ((descriptor.rights & (RIGHTS.fd_tell | RIGHTS.fd_seek)) === 0n) descriptor.requireRights(RIGHTS.fd_tell);
  return descriptor;
}

function unsigned(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}
