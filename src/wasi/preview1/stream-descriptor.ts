/** Standard input and output, pipes, terminals, and what connections have in common with them. */

import type { FileStat, OpenStream, Soon } from "../host/file-system.ts";
import type { InputStream, OutputStream, StreamKind } from "../host/stream.ts";
import { Ahead } from "./ahead.ts";
import { Descriptor } from "./descriptor.ts";
import type { Direction, Readiness, Waiting } from "./descriptor.ts";
import { Errno } from "./errno.ts";
import type { GuestVectors } from "./guest-memory.ts";
import { FD_FLAGS, FILE_TYPE } from "./layout.ts";
import { RIGHTS, STREAM_RIGHTS } from "./rights.ts";
import { after, isPromise, requireWanted, run, soon } from "./soon.ts";
import type { Steps } from "./soon.ts";
import { whenReady, whileWanted } from "./waiting.ts";

/** What a look-ahead reads, when nobody has said yet how much he wants: what a pipe holds. */
const LOOK_AHEAD_BYTES = 65_536;
/**
 * At most so much is read or written at once. A program with little memory may name the same bytes a thousand times, and so more than its
 * host has room for.
 */
const PIECE_BYTES = 1 << 20;
/** What `poll_oneoff` says can be written without waiting. */
const WRITABLE_BYTES = 65_536n;

/** What a pipe is, preview 1 does not say. A stream that a file is behind can be told from one only by its kind. */
const FILE_TYPES: Readonly<Record<StreamKind, number>> = {
  pipe: FILE_TYPE.unknown,
  terminal: FILE_TYPE.characterDevice,
  file: FILE_TYPE.unknown,
  socket: FILE_TYPE.socketStream,
};

/** What was given to a stream, which has not room for more before `end`. */
interface Written {
  readonly bytes: number;
  readonly end: Promise<void>;
}

/** What a stream descriptor is made of; `stat` and `close` stand for those of the streams. */
type Streams = Partial<Pick<OpenStream, "input" | "output" | "stat" | "close">>;

/**
 * Two streams, or one of them.
 *
 * - What was read ahead for `poll_oneoff`, or for a call that was given up, is kept for the next read.
 * - A write waits until there is room for more, unless the descriptor is not to wait: then the next one answers `EAGAIN` until there is.
 * - An error that nobody was there for is what the next call answers.
 */
export class StreamDescriptor extends Descriptor {
  readonly fileType: number;
  readonly #streams: Streams;
  readonly #input: InputStream | undefined;
  readonly #output: OutputStream | undefined;
  readonly #ahead: Ahead<Uint8Array | null> | undefined;
  /** Under how many numbers it is open. */
  #places: number;
  #isWriting = false;
  #failure: { readonly error: unknown } | undefined;
  readonly #writeWatchers = new Set<() => void>();

  constructor(streams: Streams, { rights = STREAM_RIGHTS, places = 1 }: { rights?: bigint; places?: number } = {}) {
    const { input, output } = streams;
    const impossible = (input ? 0n : RIGHTS.fd_read) | (output ? 0n : RIGHTS.fd_write);
    super(rights & ~impossible, 0n);
    this.fileType = FILE_TYPES[input?.kind ?? output?.kind ?? "pipe"];
    this.#places = places;
    this.#streams = streams;
    this.#input = input;
    this.#output = output;
    this.#ahead =
      input &&
      new Ahead({
        next: (maxBytes) => nextBytes(input, Math.min(maxBytes, PIECE_BYTES)),
        keepAlive: (isWaitedFor) => input.keepAlive?.(isWaitedFor),
      });
  }

  stat(): Soon<FileStat> {
    return this.#streams.stat?.() ?? statOf(this.#input?.kind ?? this.#output?.kind ?? "pipe");
  }

  override read(into: GuestVectors, call: Waiting): Soon<number> {
    const ahead = this.#reader();
    if (into.total === 0) return 0;
    return this.#take(ahead, into) ?? whenReady(this, "read", call, () => this.#take(ahead, into));
  }

  /** @returns bytes; `undefined`: nothing is there */
  #take(ahead: Ahead<Uint8Array | null>, into: GuestVectors): number | undefined {
    this.#requireOpen();
    if (ahead.isEmpty) {
      const bytes = this.#input?.readNow?.(into.views());
      if (bytes !== undefined) return bytes;
    }
    return ahead.look(into.total) ? takeBytes(ahead, into) : undefined;
  }

  /** Like {@link StreamDescriptor.read}, and leaves the bytes where they are. */
  protected peek(into: GuestVectors, call: Waiting): Soon<number> {
    const ahead = this.#reader();
    return whenReady(this, "read", call, () => {
      this.#requireOpen();
      if (!ahead.look(into.total)) return undefined;
      const chunk = ahead.take();
      ahead.putBack(chunk);
      if (chunk === null) return 0;
      into.scatter(chunk.subarray(0, into.total));
      return Math.min(chunk.length, into.total);
    });
  }

  /** Reads until all of `into` is full, or the end or an error is reached. */
  protected readAll(into: GuestVectors, call: Waiting): Soon<number> {
    const ahead = this.#reader();
    const isImpatient = (): boolean => (this.flags & FD_FLAGS.nonblock) !== 0;
    let done = 0;
    const end = whenReady(this, "read", call, () => {
      this.#requireOpen();
      while (done < into.total) {
        if (!ahead.look(into.total - done)) return done > 0 && isImpatient() ? done : undefined;
        const bytes = takeOrStop(ahead, into, done);
        if (bytes === 0) break;
        done += bytes;
      }
      return done;
    });
    // Nobody will know of what it has read by then. (After whenReady() has ceased to wait, which would take it again.)
    return isPromise(end) ? whileWanted(end, call, () => done > 0 && ahead.giveBack(into.gather(0, done))) : end;
  }

  override write(from: GuestVectors, call: Waiting): Soon<number> {
    const output = this.#writer();
    if (from.total === 0) return 0;
    // What is common, without a closure.
    const now = this.#isWriting ? undefined : this.#put(output, from);
    if (now === from.total) return now;
    if (from.total > PIECE_BYTES) return run(this.#writePieces(output, from, { call, first: now }));
    const end = now ?? whenReady(this, "write", call, () => this.#put(output, from));
    return after(end, (written) => (typeof written === "number" ? written : this.#awaitWrite(written)));
  }

  /** One piece after the other. As soon as some are written, an error is what the next call answers. */
  *#writePieces(
    output: OutputStream,
    from: GuestVectors,
    { call, first }: { readonly call: Waiting; readonly first: number | Written | undefined },
  ): Steps<number> {
    let done = 0;
    let next = first;
    try {
      for (;;) {
        const start = done;
        const put = next ?? (yield* soon(whenReady(this, "write", call, () => this.#put(output, from, start))));
        done += typeof put === "number" ? put : yield* soon(this.#awaitWrite(put));
        if (done === from.total || (this.flags & FD_FLAGS.nonblock) !== 0) return done;
        requireWanted(call);
        next = undefined;
      }
    } catch (error) {
      if (done === 0 || call.signal?.aborted === true) throw error;
      this.#failure = { error };
      return done;
    }
  }

  /** @returns bytes, or when they will have gone; `undefined` while what was written before has not */
  #put(output: OutputStream, from: GuestVectors, start = 0): number | Written | undefined {
    this.#requireOpen();
    if (this.#isWriting) return undefined;
    this.#throwFailure();
    const taken = start === 0 ? (output.writeNow?.(from.views()) ?? 0) : 0;
    if (taken === from.total) return taken;
    const piece = from.gather(start + taken, PIECE_BYTES);
    const bytes = taken + piece.length;
    const end = output.write(piece);
    return isPromise(end) ? { bytes, end: this.#untilWritten(end) } : bytes;
  }

  async #untilWritten(end: Promise<void>): Promise<void> {
    this.#isWriting = true;
    try {
      await end;
    } finally {
      this.#isWriting = false;
      // Whoever has begun this write is told first.
      queueMicrotask(() => this.#wakeWriters());
    }
  }

  #awaitWrite({ bytes, end }: Written): Soon<number> {
    if ((this.flags & FD_FLAGS.nonblock) === 0) return end.then(() => bytes);
    end.catch((error: unknown) => {
      this.#failure = { error };
    });
    return bytes;
  }

  override readiness(direction: Direction): Readiness | undefined {
    this.#requireOpen();
    return direction === "read" ? this.#readable() : this.#writable();
  }

  #readable(): Readiness | undefined {
    const ahead = this.#reader();
    if (!ahead.look(LOOK_AHEAD_BYTES)) return undefined;
    const { value } = ahead;
    return { bytes: BigInt(value?.length ?? 0), isHangup: value === null };
  }

  #writable(): Readiness | undefined {
    this.#writer();
    if (this.#isWriting) return undefined;
    const isHangup = this.#failure !== undefined;
    return { bytes: isHangup ? 0n : WRITABLE_BYTES, isHangup };
  }

  override watch(direction: Direction, wake: () => void): () => void {
    if (direction === "read") return this.#ahead?.watch(wake) ?? nothing;
    this.#writeWatchers.add(wake);
    return () => this.#writeWatchers.delete(wake);
  }

  /** Drops what was read ahead, and tells all who wait for more that this is the end. */
  protected stopReading(): void {
    this.#ahead?.end(null);
  }

  override async close(): Promise<void> {
    this.#places--;
    if (this.#places !== 0) return;
    this.#ahead?.close();
    this.#wakeWriters();
    if (this.#streams.close !== undefined) await this.#streams.close();
    else await Promise.all([this.#output?.close?.(), this.#input?.close?.()]);
    this.#throwFailure();
  }

  #wakeWriters(): void {
    for (const wake of this.#writeWatchers) wake();
  }

  #reader(): Ahead<Uint8Array | null> {
    if (this.#ahead === undefined) throw new Errno("EBADF");
    return this.#ahead;
  }

  #writer(): OutputStream {
    if (this.#output === undefined) throw new Errno("EBADF");
    return this.#output;
  }

  /** For calls that were waiting when another one closed it. */
  #requireOpen(): void {
    if (this.#places <= 0) throw new Errno("EBADF");
  }

  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
  }
}

function nothing(): void {}

/** Streams that have nothing for now, and do not say so by a promise, are asked again. */
function nextBytes(input: InputStream, maxBytes: number): Uint8Array | null | Promise<Uint8Array | null> {
  for (;;) {
    const bytes = input.read(maxBytes);
    if (isPromise(bytes)) return bytes.then((late) => (late?.length === 0 ? nextBytes(input, maxBytes) : late));
    if (bytes === null || bytes.length > 0) return bytes;
  }
}

/** Moves what is there into `into`, after its first `skip` bytes. @returns bytes; 0 at the end */
function takeBytes(ahead: Ahead<Uint8Array | null>, into: GuestVectors, skip = 0): number {
  const chunk = ahead.take();
  if (chunk === null) {
    ahead.putBack(null);
    return 0;
  }
  const room = into.total - skip;
  if (chunk.length <= room) {
    into.scatter(chunk, skip);
    return chunk.length;
  }
  into.scatter(chunk.subarray(0, room), skip);
  ahead.putBack(chunk.subarray(room));
  return room;
}

/** {@link takeBytes}; an error is left for the next read if this one has something to answer. */
function takeOrStop(ahead: Ahead<Uint8Array | null>, into: GuestVectors, done: number): number {
  try {
    return takeBytes(ahead, into, done);
  } catch (error) {
    if (done === 0) throw error;
    ahead.putBackFailure(error);
    return 0;
  }
}

const STAT_TYPES: Readonly<Record<StreamKind, FileStat["type"]>> = {
  pipe: "pipe",
  terminal: "character-device",
  file: "pipe",
  socket: "socket",
};

/** A stream has neither size nor times. */
export function statOf(kind: StreamKind): FileStat {
  const type = STAT_TYPES[kind];
  const none = 0n;
  return { type, device: none, inode: none, links: 1n, size: none, accessed: none, modified: none, changed: none };
}
