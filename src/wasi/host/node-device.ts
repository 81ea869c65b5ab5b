/** What is opened by name and no file: pipes, terminals, devices. */

import type * as fileSystem from "node:fs";
import type { FileStat, FileType, OpenStream } from "./file-system.ts";
import { HostError } from "./host-error.ts";
import { requireBuiltin } from "./node-builtin.ts";
import { fileStat } from "./node-times.ts";
import type { InputStream, OutputStream } from "./stream.ts";

/** A device that answers at once, as `/dev/null`, `/dev/zero` and `/dev/urandom` do. */
export class NodeDevice implements OpenStream {
  readonly kind = "stream";
  readonly input: InputStream;
  readonly output: OutputStream;
  readonly #fs: typeof fileSystem = requireBuiltin("node:fs");
  #fd: number;

  /** Takes over `fd`. */
  constructor(fd: number, type: FileType) {
    this.#fd = fd;
    if (type === "socket") throw new HostError("ENXIO");
    this.input = { kind: "file", read: (maxBytes) => this.#read(maxBytes) };
    this.output = { kind: "file", write: (bytes) => this.#write(bytes) };
  }

  #open(): number {
    if (this.#fd < 0) throw new HostError("EBADF");
    return this.#fd;
  }

  #read(maxBytes: number): Uint8Array | null {
    const bytes = new Uint8Array(Math.min(maxBytes, 65_536));
    const length = this.#fs.readSync(this.#open(), bytes, 0, bytes.length, null);
    return length === 0 ? null : bytes.subarray(0, length);
  }

  #write(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.length;) {
      start += this.#fs.writeSync(this.#open(), bytes, start, bytes.length - start, null);
    }
  }

  stat(): FileStat {
    return fileStat(this.#fs.fstatSync(this.#open(), { bigint: true }));
  }

  close(): void {
    if (this.#fd < 0) return;
    this.#fs.closeSync(this.#fd);
    this.#fd = -1;
  }
}
