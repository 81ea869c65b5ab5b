/** An open regular file, as a program sees it: with a place in it where it reads and writes. */

import type { FileStat, OpenFile, Soon, TimeChange } from "../host/file-system.ts";
import { Descriptor } from "./descriptor.ts";
import type { Direction, Readiness, Waiting } from "./descriptor.ts";
import { Errno } from "./errno.ts";
import type { GuestVectors } from "./guest-memory.ts";
import { FD_FLAGS, FILE_TYPE, WHENCE } from "./layout.ts";
import { after, isPromise, requireWanted, run, soon } from "./soon.ts";
import type { Steps } from "./soon.ts";

/** Bytes at a time, for a file that is not given the program's memory. */
const CHUNK_BYTES = 1 << 20;

/** Flags that make a difference when something is written. */
const WRITE_FLAGS = FD_FLAGS.append | FD_FLAGS.dsync | FD_FLAGS.rsync | FD_FLAGS.sync;

const MAX_OFFSET = Number.MAX_SAFE_INTEGER;

export class FileDescriptor extends Descriptor {
  readonly fileType: number = FILE_TYPE.regularFile;
  readonly #file: OpenFile;
  /** Bytes. `undefined`: at the end, after something was appended there. */
  #offset: number | undefined = 0;
  /** What uses the offset of a file that answers later, one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(file: OpenFile, rights: bigint, flags: number) {
    super(rights, 0n);
    this.#file = file;
    this.flags = flags;
  }

  stat(): Soon<FileStat> {
    return this.#file.stat();
  }

  /** Does what uses the offset, when nothing else does. */
  #inTurn<Result>(steps: () => Steps<Result>): Soon<Result> {
    if (this.#file.answersAtOnce) return run(steps());
    const result = this.#last.then(() => run(steps()));
    this.#last = result.catch(() => undefined);
    return result;
  }

  override read(into: GuestVectors, call: Waiting): Soon<number> {
    const offset = this.#offset;
    if (offset === undefined || !this.#file.answersAtOnce) return this.#inTurn(() => this.#read(into, call));
    if (into.total === 0) return 0;
    return after(this.#file.read(into.views(), offset), (bytes) => {
      this.#offset = offset + bytes;
      return bytes;
    });
  }

  *#read(into: GuestVectors, call: Waiting): Steps<number> {
    const offset = yield* this.#position();
    const bytes = yield* this.#readAt(into, offset, call);
    this.#offset = offset + bytes;
    return bytes;
  }

  override write(from: GuestVectors, call: Waiting): Soon<number> {
    const offset = this.#offset;
    // What is common, without a generator.
    if ((this.flags & WRITE_FLAGS) !== 0 || offset === undefined || !this.#file.answersAtOnce) {
      return this.#inTurn(() => this.#write(from, call));
    }
    if (from.total === 0) return 0;
    requireRoom(offset, from.total);
    return after(this.#file.write(from.views(), offset), (bytes) => {
      this.#offset = offset + bytes;
      return bytes;
    });
  }

  *#write(from: GuestVectors, call: Waiting): Steps<number> {
    if ((this.flags & FD_FLAGS.append) !== 0) {
      const bytes = yield* this.#transfer(from, call, (buffers) => this.#file.append(buffers));
      if (from.total > 0) this.#offset = undefined;
      yield* this.#syncIfAsked();
      return bytes;
    }
    const offset = yield* this.#position();
    const bytes = yield* this.#writeAt(from, offset, call);
    this.#offset = offset + bytes;
    return bytes;
  }

  /** witx: `fdflags`: what is written is on the disk before the call returns. */
  *#syncIfAsked(): Steps<void> {
    const { dsync, sync, rsync } = FD_FLAGS;
    if ((this.flags & (dsync | sync | rsync)) === 0) return;
    yield* soon(this.#file.sync((this.flags & (sync | rsync)) === 0));
  }

  *#position(): Steps<number> {
    this.#offset ??= Number((yield* soon(this.#file.stat())).size);
    return this.#offset;
  }

  override readAt(into: GuestVectors, offset: bigint, call: Waiting): Soon<number> {
    const position = positionOf(offset, MAX_OFFSET);
    // What is common, without a generator.
    if (this.#file.answersAtOnce && into.total > 0) return this.#file.read(into.views(), position);
    return run(this.#readAt(into, position, call));
  }

  *#readAt(into: GuestVectors, offset: number, call: Waiting): Steps<number> {
    if (into.total === 0) return 0;
    if (this.#file.answersAtOnce) return yield* soon(this.#file.read(into.views(), offset));
    let read = 0;
    while (read < into.total) {
      const buffer = new Uint8Array(Math.min(into.total - read, CHUNK_BYTES));
      const bytes = yield* soon(this.#file.read([buffer], offset + read));
      requireWanted(call);
      into.scatter(buffer.subarray(0, bytes), read);
      read += bytes;
      if (bytes < buffer.length) break;
    }
    return read;
  }

  /** POSIX: at `offset`, also if the file is open for appending. */
  override writeAt(from: GuestVectors, offset: bigint, call: Waiting): Soon<number> {
    const position = positionOf(offset, MAX_OFFSET);
    return run(this.#writeAt(from, position, call));
  }

  *#writeAt(from: GuestVectors, offset: number, call: Waiting): Steps<number> {
    if (from.total === 0) return 0;
    requireRoom(offset, from.total);
    const written = yield* this.#transfer(from, call, (buffers, done) => this.#file.write(buffers, offset + done));
    yield* this.#syncIfAsked();
    return written;
  }

  /** Writes it all, as far as the file takes it. */
  *#transfer(
    from: GuestVectors,
    call: Waiting,
    write: (buffers: readonly Uint8Array[], done: number) => Soon<number>,
  ): Steps<number> {
    if (from.total === 0) return 0;
    if (this.#file.answersAtOnce) return yield* soon(write(from.views(), 0));
    let written = 0;
    while (written < from.total) {
      requireWanted(call);
      const chunk = from.gather(written, CHUNK_BYTES);
      const bytes = yield* soon(write([chunk], written));
      written += bytes;
      if (bytes < chunk.length) break;
    }
    return written;
  }

  override seek(delta: bigint, whence: number): Soon<bigint> {
    return this.#inTurn(() => this.#seek(delta, whence));
  }

  *#seek(delta: bigint, whence: number): Steps<bigint> {
    const target = (yield* this.#origin(whence)) + delta;
    if (target < 0n) throw new Errno("EINVAL");
    if (target > BigInt(MAX_OFFSET)) throw new Errno("EOVERFLOW");
    this.#offset = Number(target);
    return target;
  }

  *#origin(whence: number): Steps<bigint> {
    switch (whence) {
      case WHENCE.set:
        return 0n;
      case WHENCE.cur:
        return BigInt(yield* this.#position());
      case WHENCE.end:
        return (yield* soon(this.#file.stat())).size;
      default:
        throw new Errno("EINVAL");
    }
  }

  /** Always ready. How much there is to read is only said where that is known at once. */
  override readiness(direction: Direction): Readiness {
    const offset = this.#offset;
    const stat =
      direction === "read" && this.#file.answersAtOnce && offset !== undefined ? this.#file.stat() : undefined;
    if (stat === undefined || isPromise(stat)) return { bytes: 0n, isHangup: false };
    const left = stat.size - BigInt(offset ?? 0);
    return { bytes: left > 0n ? left : 0n, isHangup: false };
  }

  /** There is nobody to take advice. */
  override advise(): void {}

  /** Makes the file that long if it is not; the room is not reserved. */
  override allocate(offset: bigint, length: bigint): Soon<void> {
    if (length === 0n) throw new Errno("EINVAL");
    const end = offset + length;
    if (end > BigInt(MAX_OFFSET)) throw new Errno("EFBIG");
    return run(this.#growTo(end));
  }

  *#growTo(end: bigint): Steps<void> {
    const { size } = yield* soon(this.#file.stat());
    if (end > size) yield* soon(this.#file.setSize(Number(end)));
  }

  override setSize(bytes: bigint): Soon<void> {
    if (bytes > BigInt(MAX_OFFSET)) throw new Errno("EFBIG");
    return this.#file.setSize(Number(bytes));
  }

  override setTimes(times: TimeChange): Soon<void> {
    return this.#file.setTimes(times);
  }

  override sync(dataOnly: boolean): Soon<void> {
    return this.#file.sync(dataOnly);
  }

  override close(): Soon<void> {
    return this.#file.close();
  }
}

/** @throws {Errno} `EINVAL` when it is more than a file can have */
function positionOf(offset: bigint, max: number): number {
  if (offset > BigInt(max)) throw new Errno("EINVAL");
  return Number(offset);
}

function requireRoom(offset: number, bytes: number): void {
  if (offset + bytes > MAX_OFFSET) throw new Errno("EFBIG");
}
