/** What is opened by name and is no file: named pipes, terminals, devices. */

import type * as fileSystem from "node:fs";
import type { FileStat, OpenOptions, OpenStream } from "./file-system.ts";
import { HostError } from "./host-error.ts";
import { platform, requireBuiltin } from "./node-builtin.ts";
import { nodeInput, nodeOutput } from "./node-stdio.ts";
import { fileStat } from "./node-times.ts";
import type { InputStream, OutputStream } from "./stream.ts";

/** For what a device is open. */
type Use = Pick<OpenOptions, "read" | "write">;

/**
 * Opening a named pipe waits for its other end elsewhere; here the first read or write does.
 *
 * `/dev/null` and its like answer at once.
 */
export class NodeDevice implements OpenStream {
  readonly kind = "stream";
  readonly input: InputStream | undefined;
  readonly output: OutputStream | undefined;
  readonly #fs: typeof fileSystem = requireBuiltin("node:fs");
  readonly #fd: number;
  /** Whether the streams close the descriptor. */
  readonly #isStreams: boolean;
  #isClosed = false;

  /** Takes over `fd`, which does not block. @throws {HostError} `ENXIO` for a socket, which cannot be opened */
  constructor(fd: number, { read, write }: Use) {
    const stat = this.#fs.fstatSync(fd);
    if (stat.isSocket() || stat.isBlockDevice()) throw new HostError("ENXIO");
    this.#fd = fd;
    const isTransient = stat.isFIFO() || requireBuiltin("node:tty").isatty(fd);
    this.#isStreams = isTransient && (read || write);
    // A descriptor belongs to one stream.
    const writtenFd = isTransient && read && write ? this.#openAgain() : fd;
    if (read) this.input = nodeInput(fd);
    if (write) this.output = nodeOutput(writtenFd);
  }

  #openAgain(): number {
    if (platform !== "linux") throw new HostError("ENOTSUP");
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = this.#fs.constants;
    return this.#fs.openSync(`/proc/self/fd/${this.#fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  }

  stat(): FileStat {
    if (this.#isClosed) throw new HostError("EBADF");
    return fileStat(this.#fs.fstatSync(this.#fd, { bigint: true }));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.all([this.input?.close?.(), this.output?.close?.()]);
    if (!this.#isStreams) this.#fs.closeSync(this.#fd);
  }
}

/** How often is looked whether somebody reads a pipe: the system does not tell. */
const LOOK_MS = 20;

/** A named pipe that nobody reads yet: the first write waits until somebody does. */
export class UnreadPipe implements OpenStream {
  readonly kind = "stream";
  readonly output: OutputStream;
  readonly #fs: typeof fileSystem = requireBuiltin("node:fs");
  /** Opened by `O_PATH`. */
  readonly #fd: number;
  #opened: OutputStream | undefined;
  #isClosed = false;
  #stopWaiting: (() => void) | undefined;

  /** Takes over `fd`. */
  constructor(fd: number) {
    this.#fd = fd;
    this.output = {
      kind: "pipe",
      write: (bytes) => (this.#opened === undefined ? this.#writeWhenRead(bytes) : this.#opened.write(bytes)),
      writeNow: (buffers) => this.#opened?.writeNow?.(buffers) ?? 0,
    };
  }

  async #writeWhenRead(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (;;) {
      if (this.#isClosed) throw new HostError("EBADF");
      const fd = this.#tryOpen();
      if (fd !== undefined) {
        this.#opened = nodeOutput(fd);
        await this.#opened.write(bytes);
        return;
      }
      // oxlint-disable-next-line no-await-in-loop -- until somebody reads
      await this.#wait();
    }
  }

  /** `undefined` while nobody reads it. */
  #tryOpen(): number | undefined {
    const { O_WRONLY, O_NONBLOCK } = this.#fs.constants;
    try {
      return this.#fs.openSync(`/proc/self/fd/${this.#fd}`, O_WRONLY | O_NONBLOCK);
    } catch (error) {
      if ((error as { code?: unknown }).code === "ENXIO") return undefined;
      throw error;
    }
  }

  async #wait(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LOOK_MS);
      this.#stopWaiting = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  stat(): FileStat {
    if (this.#isClosed) throw new HostError("EBADF");
    return fileStat(this.#fs.fstatSync(this.#fd, { bigint: true }));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopWaiting?.();
    this.#fs.closeSync(this.#fd);
    await this.#opened?.close?.();
  }
}
