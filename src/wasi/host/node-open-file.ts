/** An open regular file, in Node. */

import type * as fileSystem from "node:fs";
import type { FileStat, OpenFile, TimeChange } from "./file-system.ts";
import { HostError } from "./host-error.ts";
import { requireBuiltin } from "./node-builtin.ts";
import { canHoldDirectories } from "./node-directory-place.ts";
import { fileStat, setTimes } from "./node-times.ts";

/** Reads and writes at once, in the calling thread: what the system has in memory is there sooner than another thread could be asked. */
export class NodeOpenFile implements OpenFile {
  readonly kind = "file";
  readonly answersAtOnce = true;
  readonly #fs: typeof fileSystem = requireBuiltin("node:fs");
  #fd: number;
  /** The same file, opened for appending. */
  #appending: number | undefined;
  /** Those who wait for the disk. */
  readonly #syncs = new Set<Promise<void>>();

  /** Takes over `fd`. */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** A closed number may be somebody else's by now. */
  #open(): number {
    if (this.#fd < 0) throw new HostError("EBADF");
    return this.#fd;
  }

  read(buffers: readonly Uint8Array[], position: number): number {
    const [first] = buffers;
    if (first !== undefined && buffers.length === 1) {
      return this.#fs.readSync(this.#open(), first, 0, first.length, position);
    }
    return this.#fs.readvSync(this.#open(), buffers, position);
  }

  write(buffers: readonly Uint8Array[], position: number): number {
    return this.#writeTo(this.#open(), buffers, position);
  }

  append(buffers: readonly Uint8Array[]): number {
    this.#appending ??= this.#openForAppending();
    // The system writes to the end then, wherever it is told to write.
    if (this.#appending !== undefined) return this.#writeTo(this.#appending, buffers, 0);
    return this.#writeTo(this.#open(), buffers, this.#fs.fstatSync(this.#open()).size);
  }

  #writeTo(fd: number, buffers: readonly Uint8Array[], position: number): number {
    const [first] = buffers;
    if (first !== undefined && buffers.length === 1) return this.#fs.writeSync(fd, first, 0, first.length, position);
    return this.#fs.writevSync(fd, buffers, position);
  }

  /** `undefined` where that is not possible: another process that appends at the same time could be overwritten then. */
  #openForAppending(): number | undefined {
    if (!canHoldDirectories()) return undefined;
    const { O_WRONLY, O_APPEND, O_NONBLOCK } = this.#fs.constants;
    try {
      return this.#fs.openSync(`/proc/self/fd/${this.#open()}`, O_WRONLY | O_APPEND | O_NONBLOCK);
    } catch {
      return undefined;
    }
  }

  stat(): FileStat {
    return fileStat(this.#fs.fstatSync(this.#open(), { bigint: true }));
  }

  setSize(bytes: number): void {
    this.#fs.ftruncateSync(this.#open(), bytes);
  }

  setTimes(times: TimeChange): void {
    const fd = this.#open();
    const stat = (): fileSystem.BigIntStats => this.#fs.fstatSync(fd, { bigint: true });
    setTimes({ stat, utimes: (accessed, modified) => this.#fs.futimesSync(fd, accessed, modified) }, times);
  }

  /** In another thread: a disk takes its time. */
  async sync(dataOnly: boolean): Promise<void> {
    const { fsync, fdatasync } = this.#fs;
    const fd = this.#open();
    const end = new Promise<void>((resolve, reject) => {
      (dataOnly ? fdatasync : fsync)(fd, (error) => (error ? reject(error) : resolve()));
    });
    this.#syncs.add(end);
    try {
      await end;
    } finally {
      this.#syncs.delete(end);
    }
  }

  /** After those who wait for the disk: the number must not be another file's by the time that the other thread looks at it. */
  close(): void | Promise<void> {
    if (this.#fd < 0) return undefined;
    const fds = [this.#fd, this.#appending].filter((fd) => fd !== undefined);
    this.#fd = -1;
    this.#appending = undefined;
    const close = (): void => fds.forEach((fd) => this.#fs.closeSync(fd));
    return this.#syncs.size === 0 ? close() : Promise.allSettled(this.#syncs).then(close);
  }
}
