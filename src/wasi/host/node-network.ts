/** The network of the computer, in Node. */

import type * as net from "node:net";
import { AcceptQueue } from "./accept-queue.ts";
import { HostError } from "./host-error.ts";
import type { Connection, Listener, Network } from "./network.ts";
import { requireBuiltin } from "./node-builtin.ts";

/** Bytes that came and were not read: when there are more, the other side has to wait. */
const MAX_UNREAD_BYTES = 65_536;
/** Connections that nobody has accepted yet; more are refused. */
const MAX_WAITING = 4096;

/** Where a {@link NodeListener} can be connected to. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

/** TCP, by `node:net`. */
export class NodeNetwork implements Network {
  readonly #net: typeof net = requireBuiltin("node:net");

  connect(host: string, port: number, signal?: AbortSignal): Promise<Connection> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const socket = this.#net.connect({ host, port, allowHalfOpen: true, noDelay: true });
      socket.pause();
      // The system tries it for minutes.
      const stop = (): void => {
        socket.destroy();
        reject(signal?.reason as Error);
      };
      const onError = (error: Error): void => {
        signal?.removeEventListener("abort", stop);
        reject(error);
      };
      socket.once("error", onError);
      socket.once("connect", () => {
        signal?.removeEventListener("abort", stop);
        socket.off("error", onError);
        resolve(new NodeConnection(socket));
      });
      signal?.addEventListener("abort", stop);
    });
  }

  /**
   * Listens for connections; on any free port if `port` is 0. It keeps the process alive until it is closed, by the program that it is
   * given to or by you.
   */
  listen(host: string, port: number): Promise<NodeListener> {
    return new Promise((resolve, reject) => {
      const server = this.#net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
      server.once("error", reject);
      server.listen({ host, port, backlog: MAX_WAITING }, () => {
        server.off("error", reject);
        resolve(new NodeListener(server));
      });
    });
  }
}

/** Where a program accepts connections from the network. Made by {@link NodeNetwork.listen}, or of a server of `node:net`. */
export class NodeListener implements Listener {
  readonly #server: net.Server;
  readonly #queue = new AcceptQueue<net.Socket>();

  /** @param server made with `allowHalfOpen` and `pauseOnConnect` */
  constructor(server: net.Server) {
    this.#server = server;
    server.on("connection", (socket) => this.#add(socket));
    server.on("close", () => this.#endAll());
  }

  get address(): NodeAddress {
    const address = this.#server.address();
    if (address === null || typeof address === "string")
      throw new TypeError("Cannot read address: it is no TCP server");
    return { host: address.address, port: address.port };
  }

  #add(socket: net.Socket): void {
    // It may fail before anybody accepts it.
    socket.on("error", ignore);
    if (this.#queue.length < MAX_WAITING) this.#queue.add(socket);
    else socket.destroy();
  }

  accept(signal?: AbortSignal): Connection | Promise<Connection> {
    const socket = this.#queue.accept(signal);
    return socket instanceof Promise ? socket.then(connectionOf) : connectionOf(socket);
  }

  close(): void {
    this.#server.close();
    this.#endAll();
  }

  #endAll(): void {
    for (const socket of this.#queue.close()) socket.destroy();
  }
}

function connectionOf(socket: net.Socket): Connection {
  return new NodeConnection(socket);
}

function ignore(): void {}

class NodeConnection implements Connection {
  readonly kind = "socket";
  readonly #socket: net.Socket;
  readonly #chunks: Uint8Array[] = [];
  #unreadBytes = 0;
  #isPaused = true;
  #isOver = false;
  #error: Error | undefined;
  #reader:
    | { readonly resolve: (chunk: Uint8Array | null) => void; readonly reject: (error: Error) => void }
    | undefined;
  #writer: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;

  /** @param socket is paused */
  constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onEnd);
    socket.on("error", this.#onError);
    socket.on("drain", this.#onDrain);
    // What has happened to it before there was anybody to be told.
    this.#isOver = socket.destroyed;
    this.#error = socket.errored ?? undefined;
  }

  readonly #onData = (chunk: Uint8Array): void => {
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader.resolve(chunk);
    } else if (!this.#isOver) {
      this.#chunks.push(chunk);
      this.#unreadBytes += chunk.length;
      if (this.#unreadBytes >= MAX_UNREAD_BYTES) this.#pause();
    }
  };

  readonly #onEnd = (): void => {
    this.#isOver = true;
    this.#reader?.resolve(null);
    this.#reader = undefined;
    if (!this.#socket.writable) this.#failWriter(new HostError("EPIPE"));
  };

  readonly #onError = (error: Error): void => {
    this.#isOver = true;
    const reader = this.#reader;
    this.#reader = undefined;
    // Told once, to whoever asks first. (POSIX: SO_ERROR)
    if (reader === undefined) this.#error = error;
    else reader.reject(error);
    this.#failWriter(new HostError("EPIPE", error.message, { cause: error }));
  };

  readonly #onDrain = (): void => {
    const writer = this.#writer;
    this.#writer = undefined;
    writer?.resolve();
  };

  #failWriter(error: Error): void {
    const writer = this.#writer;
    this.#writer = undefined;
    writer?.reject(error);
  }

  #pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  #resume(): void {
    this.#isPaused = false;
    this.#socket.resume();
  }

  read(): Uint8Array | null | Promise<Uint8Array | null> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#unreadBytes -= chunk.length;
      return chunk;
    }
    this.#throwError();
    if (this.#isOver) return null;
    if (this.#isPaused) this.#resume();
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  #throwError(): void {
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) throw error;
  }

  write(bytes: Uint8Array<ArrayBuffer>): void | Promise<void> {
    const socket = this.#socket;
    if (!socket.writable) {
      this.#throwError();
      throw new HostError("EPIPE");
    }
    if (socket.write(bytes)) return undefined;
    return new Promise((resolve, reject) => {
      this.#writer = { resolve, reject };
    });
  }

  shutdown(how: "read" | "write" | "both"): void {
    if (how !== "write") {
      this.#chunks.length = 0;
      this.#onEnd();
      // What still comes is dropped, so that the other side can go on.
      this.#resume();
    }
    if (how !== "read") this.#socket.end();
  }

  close(): void {
    const socket = this.#socket;
    this.#onEnd();
    this.#chunks.length = 0;
    if (!socket.writable) socket.destroy();
    // Ends when what was written has gone.
    else socket.destroySoon();
  }
}
