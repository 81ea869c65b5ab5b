/**
 * Descriptors of the process as streams: 0, 1 and 2, or others that it was started with.
 *
 * - A regular file, or a device that is no terminal, answers at once.
 * - A terminal goes through Node's own streams.
 * - A pipe or a socket is made non-blocking, which Node does for its own streams: what it takes or gives at once costs one system call;
 *   what it does not is left to Node's stream, and the program waits for that.
 *
 * Nothing here keeps the process alive while no program waits for it.
 */

import type * as fileSystem from "node:fs";
import { readEventReadable, writeEventWritable } from "./event-streams.ts";
import type { EventReadable, EventWritable } from "./event-streams.ts";
import { requireBuiltin } from "./node-builtin.ts";
import type { InputStream, OutputStream } from "./stream.ts";

/** Node has them all. */
interface StandardStreams {
  readonly stdin?: EventReadable;
  readonly stdout?: EventWritable & { readonly fd?: number };
  readonly stderr?: EventWritable & { readonly fd?: number };
}

/** Their getters make them when they are asked for, and so take the descriptor into use. There are none but in Node. */
const { process: standard }: { readonly process: StandardStreams } = globalThis;

/** What can be read from `fd`. A terminal, pipe or socket above 2 is closed with the stream; nothing else is. */
export function nodeInput(fd: number): InputStream {
  const kind = kindOf(fd);
  if (kind === "file") return new FileInput(fd);
  if (fd === 0) return new StandardInput(kind);
  if (kind === "terminal") return readEventReadable(new (requireBuiltin("node:tty").ReadStream)(fd));
  const { Socket } = requireBuiltin("node:net");
  // manualStart, which its types leave out: it is read when somebody asks for it.
  const options = { fd, readable: true, writable: false, manualStart: true };
  return readEventReadable(new Socket(options));
}

/** What takes bytes for `fd`, closed like {@link nodeInput}. */
export function nodeOutput(fd: number): OutputStream {
  const kind = kindOf(fd);
  if (kind === "file") return new FileOutput(fd);
  if (fd === 1 || fd === 2) return new StandardOutput(fd, kind);
  if (kind === "terminal") return writeEventWritable(new (requireBuiltin("node:tty").WriteStream)(fd));
  const { Socket } = requireBuiltin("node:net");
  const socket = new Socket({ fd, readable: false, writable: true });
  return new PipeOutput(fd, socket, writeEventWritable(socket));
}

type Kind = "file" | "terminal" | "pipe";

/** @throws {TypeError} when nothing is open under that number */
function kindOf(fd: number): Kind {
  if (requireBuiltin("node:tty").isatty(fd)) return "terminal";
  let stat: fileSystem.Stats;
  try {
    stat = requireBuiltin("node:fs").fstatSync(fd);
  } catch (error) {
    throw new TypeError(`Cannot use descriptor ${fd}: it is not open`, { cause: error });
  }
  return stat.isFIFO() || stat.isSocket() ? "pipe" : "file";
}

/** At most so much is read at once into a buffer of its own. */
const BUFFER_BYTES = 65_536;

/** Reads on from where whoever has opened the file stands. */
class FileInput implements InputStream {
  readonly kind = "file";
  readonly #fs: typeof fileSystem = requireBuiltin("node:fs");
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  read(maxBytes: number): Uint8Array | null {
    const bytes = new Uint8Array(Math.min(maxBytes, BUFFER_BYTES));
    const length = this.#fs.readSync(this.#fd, bytes, 0, bytes.length, null);
    return length === 0 ? null : bytes.subarray(0, length);
  }

  readNow(buffers: readonly Uint8Array[]): number {
    const [first] = buffers;
    if (first !== undefined && buffers.length === 1) return this.#fs.readSync(this.#fd, first, 0, first.length, null);
    return this.#fs.readvSync(this.#fd, buffers);
  }
}

class FileOutput implements OutputStream {
  readonly kind = "file";
  readonly #fs: typeof fileSystem = requireBuiltin("node:fs");
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.length;) {
      start += this.#fs.writeSync(this.#fd, bytes, start, bytes.length - start, null);
    }
  }

  writeNow(buffers: readonly Uint8Array[]): number {
    return writeSync(this.#fs, this.#fd, buffers);
  }
}

/** What Node has for descriptor 0, from when it is read for the first time. */
class StandardInput implements InputStream {
  readonly kind: "terminal" | "pipe";
  #input: InputStream | undefined;

  constructor(kind: "terminal" | "pipe") {
    this.kind = kind;
  }

  #open(): InputStream {
    this.#input ??= readEventReadable(standard.stdin!, { isShared: true });
    return this.#input;
  }

  read(maxBytes: number): Uint8Array | null | Promise<Uint8Array | null> {
    return this.#open().read(maxBytes);
  }

  keepAlive(isWaitedFor: boolean): void {
    this.#open().keepAlive?.(isWaitedFor);
  }

  close(): void | Promise<void> {
    return this.#input?.close?.();
  }
}

/** What Node has for descriptors 1 and 2, from when something is written for the first time. */
class StandardOutput implements OutputStream {
  readonly kind: "terminal" | "pipe";
  readonly #fd: 1 | 2;
  #output: OutputStream | undefined;

  constructor(fd: 1 | 2, kind: "terminal" | "pipe") {
    this.kind = kind;
    this.#fd = fd;
  }

  #open(): OutputStream {
    this.#output ??= this.#make();
    return this.#output;
  }

  #make(): OutputStream {
    const fd = this.#fd;
    const stream = fd === 1 ? standard.stdout! : standard.stderr!;
    const output = writeEventWritable(stream, { isShared: true });
    // In another thread than the first it is no descriptor; and a stopped terminal would stop the thread.
    return stream.fd === fd && this.kind === "pipe" ? new PipeOutput(fd, stream, output) : output;
  }

  write(bytes: Uint8Array<ArrayBuffer>): void | Promise<void> {
    return this.#open().write(bytes);
  }

  writeNow(buffers: readonly Uint8Array[]): number {
    return this.#open().writeNow?.(buffers) ?? 0;
  }

  close(): void | Promise<void> {
    return this.#output?.close?.();
  }
}

class PipeOutput implements OutputStream {
  readonly kind = "pipe";
  readonly #fs: typeof fileSystem = requireBuiltin("node:fs");
  readonly #fd: number;
  readonly #stream: EventWritable;
  readonly #output: OutputStream;

  /**
   * @param stream has made `fd` non-blocking
   * @param output writes to it
   */
  constructor(fd: number, stream: EventWritable, output: OutputStream) {
    this.#fd = fd;
    this.#stream = stream;
    this.#output = output;
  }

  /** Takes nothing while the stream still has something that was written before. */
  writeNow(buffers: readonly Uint8Array[]): number {
    if (this.#stream.writableLength > 0 || this.#stream.destroyed) return 0;
    try {
      return writeSync(this.#fs, this.#fd, buffers);
    } catch (error) {
      if ((error as { code?: unknown }).code === "EAGAIN") return 0;
      throw error;
    }
  }

  write(bytes: Uint8Array<ArrayBuffer>): void | Promise<void> {
    return this.#output.write(bytes);
  }

  close(): void | Promise<void> {
    return this.#output.close?.();
  }
}

function writeSync(fs: typeof fileSystem, fd: number, buffers: readonly Uint8Array[]): number {
  const [first] = buffers;
  return first !== undefined && buffers.length === 1 ? fs.writeSync(fd, first) : fs.writevSync(fd, buffers);
}
