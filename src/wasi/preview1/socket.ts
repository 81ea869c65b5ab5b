/** Connections, and where they come from. */

import type { FileStat, OpenStream, Soon } from "../host/file-system.ts";
import type { Connection, Listener } from "../host/network.ts";
import { Ahead } from "./ahead.ts";
import { Descriptor } from "./descriptor.ts";
import type { Direction, Readiness, Waiting } from "./descriptor.ts";
import { Errno } from "./errno.ts";
import type { GuestVectors } from "./guest-memory.ts";
import { FILE_TYPE, RECEIVE_FLAGS, SHUTDOWN } from "./layout.ts";
import { CONNECTION_RIGHTS, LISTENER_RIGHTS, RIGHTS } from "./rights.ts";
import { StreamDescriptor, statOf } from "./stream-descriptor.ts";
import { isPromise } from "./soon.ts";
import { whenReady } from "./waiting.ts";

/** One end of a connection. Reads and writes like a pipe. */
export class ConnectionDescriptor extends StreamDescriptor {
  override readonly fileType: number = FILE_TYPE.socketStream;
  readonly #connection: Connection;
  #isReadShut = false;
  #isWriteShut = false;

  constructor(connection: Connection, flags = 0) {
    super({ input: connection, output: connection, close: () => connection.close() }, { rights: CONNECTION_RIGHTS });
    this.#connection = connection;
    this.flags = flags;
  }

  override stat(): FileStat {
    return statOf("socket");
  }

  override read(into: GuestVectors, call: Waiting): Soon<number> {
    return this.#isReadShut ? 0 : super.read(into, call);
  }

  override write(from: GuestVectors, call: Waiting): Soon<number> {
    if (this.#isWriteShut) throw new Errno("EPIPE");
    return super.write(from, call);
  }

  override receive(into: GuestVectors, flags: number, call: Waiting): Soon<number> {
    this.requireRights(RIGHTS.fd_read);
    if (this.#isReadShut) return 0;
    if ((flags & RECEIVE_FLAGS.peek) !== 0) return this.peek(into, call);
    return (flags & RECEIVE_FLAGS.waitall) === 0 ? this.read(into, call) : this.readAll(into, call);
  }

  override send(from: GuestVectors, call: Waiting): Soon<number> {
    this.requireRights(RIGHTS.fd_write);
    return this.write(from, call);
  }

  override readiness(direction: Direction): Readiness | undefined {
    const isShut = direction === "read" ? this.#isReadShut : this.#isWriteShut;
    return isShut ? { bytes: 0n, isHangup: true } : super.readiness(direction);
  }

  override shutdown(how: number): Soon<void> {
    this.requireRights(RIGHTS.sock_shutdown);
    const [read, write] = [(how & SHUTDOWN.read) !== 0, (how & SHUTDOWN.write) !== 0];
    if (how === 0 || (how & ~(SHUTDOWN.read | SHUTDOWN.write)) !== 0) throw new Errno("EINVAL");
    this.#isReadShut ||= read;
    this.#isWriteShut ||= write;
    if (read) this.stopReading();
    if (read && write) return this.#connection.shutdown("both");
    return this.#connection.shutdown(read ? "read" : "write");
  }
}

/** The descriptor of something that was opened by name. */
export function openedStream(opened: OpenStream, rights: bigint, flags: number): Descriptor {
  const { connection } = opened;
  const descriptor = connection === undefined ? new StreamDescriptor(opened) : new ConnectionDescriptor(connection);
  descriptor.flags = flags;
  descriptor.rights &= rights | RIGHTS.sock_shutdown;
  return descriptor;
}

/** What others connect to. */
export class ListenerDescriptor extends Descriptor {
  readonly fileType: number = FILE_TYPE.socketStream;
  readonly #listener: Listener;
  readonly #ahead: Ahead<Connection | undefined>;
  /** What ends the wait for a connection. */
  #stop: AbortController | undefined;
  #isClosed = false;

  /** It stays open when the descriptor is closed: it is somebody else's, and may be that of several programs. */
  constructor(listener: Listener, flags = 0) {
    super(LISTENER_RIGHTS, CONNECTION_RIGHTS);
    this.#listener = listener;
    this.flags = flags;
    this.#ahead = new Ahead({
      next: () => this.#next(),
      // What nobody here waits for any more may be for another program.
      keepAlive: (isWaitedFor) => isWaitedFor || this.#stop?.abort(),
    });
  }

  #next(): Connection | undefined | Promise<Connection | undefined> {
    const stop = new AbortController();
    this.#stop = stop;
    const connection = this.#listener.accept(stop.signal);
    if (!isPromise(connection)) return connection;
    return connection.catch((error: unknown) => {
      if (stop.signal.aborted) return undefined;
      throw error;
    });
  }

  stat(): FileStat {
    return statOf("socket");
  }

  override read(): never {
    throw new Errno("ENOTCONN");
  }

  override receive(): never {
    throw new Errno("ENOTCONN");
  }

  override send(): never {
    throw new Errno("ENOTCONN");
  }

  override shutdown(): never {
    throw new Errno("ENOTCONN");
  }

  /** @param flags those of the connection (witx: `fdflags`) */
  override accept(flags: number, call: Waiting): Soon<Descriptor> {
    this.requireRights(RIGHTS.sock_accept);
    return whenReady(this, "read", call, () => {
      if (this.#isClosed) throw new Errno("EBADF");
      const connection = this.#ahead.look(1) ? this.#ahead.take() : undefined;
      return connection && new ConnectionDescriptor(connection, flags);
    });
  }

  override readiness(direction: Direction): Readiness | undefined {
    if (direction === "write" || this.#isClosed) throw new Errno("EBADF");
    return this.#ahead.look(1) ? { bytes: 1n, isHangup: false } : undefined;
  }

  override watch(_direction: Direction, wake: () => void): () => void {
    return this.#ahead.watch(wake);
  }

  override close(): Soon<void> {
    if (this.#isClosed) return undefined;
    this.#isClosed = true;
    this.#stop?.abort();
    // Whoever was about to be accepted is told that nobody is here.
    this.#ahead.close((connection) => void connection?.close());
    return undefined;
  }
}
