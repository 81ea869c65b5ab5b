/** What a program's descriptors stand for. */

import type { Directory, FileStat, Soon, TimeChange } from "../host/file-system.ts";
import { Errno } from "./errno.ts";
import type { GuestVectors } from "./guest-memory.ts";

/** What `poll_oneoff` tells of a descriptor that is ready. */
export interface Readiness {
  /** Bytes that can be transferred without waiting, as far as is known. */
  readonly bytes: bigint;
  /** The other side has ended. */
  readonly isHangup: boolean;
}

export type Direction = "read" | "write";

/** On whose behalf something waits. */
export interface Waiting {
  /** Aborts when it is not waited for any more; `undefined`: never. */
  readonly signal: AbortSignal | undefined;
  /** Whether it can be waited for at all: a program that was called synchronously cannot. Only known before anything was. */
  readonly canWait: boolean;
}

/**
 * One thing that can be open. A kind of it is a class with those methods that make sense for it; the others say why they do not.
 *
 * Methods throw {@link Errno}, or whatever the host throws, at once or by a promise.
 */
export abstract class Descriptor {
  /** witx: `filetype` */
  abstract readonly fileType: number;
  /** What it may be used for, and what may be had through it. (witx: `rights`) */
  rights: bigint;
  inheriting: bigint;
  /** witx: `fdflags` */
  flags = 0;

  constructor(rights: bigint, inheriting: bigint) {
    this.rights = rights;
    this.inheriting = inheriting;
  }

  /** @throws {Errno} `ENOTCAPABLE` */
  requireRights(rights: bigint): void {
    if ((this.rights & rights) !== rights) throw new Errno("ENOTCAPABLE");
  }

  abstract stat(): Soon<FileStat>;

  /** @returns bytes; 0 at the end */
  read(_into: GuestVectors, _call: Waiting): Soon<number> {
    throw new Errno("EBADF");
  }

  write(_from: GuestVectors, _call: Waiting): Soon<number> {
    throw new Errno("EBADF");
  }

  readAt(_into: GuestVectors, _offset: bigint, _call: Waiting): Soon<number> {
    throw new Errno("ESPIPE");
  }

  writeAt(_from: GuestVectors, _offset: bigint, _call: Waiting): Soon<number> {
    throw new Errno("ESPIPE");
  }

  /** witx: `whence`. @returns the new offset */
  seek(_delta: bigint, _whence: number): Soon<bigint> {
    throw new Errno("ESPIPE");
  }

  advise(_offset: bigint, _length: bigint): Soon<void> {
    throw new Errno("ESPIPE");
  }

  allocate(_offset: bigint, _length: bigint): Soon<void> {
    throw new Errno("EINVAL");
  }

  setSize(_bytes: bigint): Soon<void> {
    throw new Errno("EINVAL");
  }

  setTimes(_times: TimeChange): Soon<void> {
    throw new Errno("EINVAL");
  }

  sync(_dataOnly: boolean): Soon<void> {
    throw new Errno("EINVAL");
  }

  setFlags(flags: number): Soon<void> {
    this.flags = flags;
  }

  /** The directory that paths start from. */
  get directory(): Directory {
    throw new Errno("ENOTDIR");
  }

  /** Whether a transfer would not wait now; `undefined`: it would. */
  readiness(_direction: Direction): Readiness | undefined {
    return { bytes: 0n, isHangup: false };
  }

  /** Calls `wake` when {@link Descriptor.readiness} may have changed. @returns what ends the wait */
  watch(_direction: Direction, _wake: () => void): () => void {
    return () => {};
  }

  accept(_flags: number, _call: Waiting): Soon<Descriptor> {
    throw new Errno("ENOTSOCK");
  }

  /** witx: `riflags`. @returns bytes; 0 at the end */
  receive(_into: GuestVectors, _flags: number, _call: Waiting): Soon<number> {
    throw new Errno("ENOTSOCK");
  }

  send(_from: GuestVectors, _call: Waiting): Soon<number> {
    throw new Errno("ENOTSOCK");
  }

  /** witx: `sdflags` */
  shutdown(_how: number): Soon<void> {
    throw new Errno("ENOTSOCK");
  }

  close(): Soon<void> {}
}
