/** A network that exists in this thread only. */

import { AcceptQueue } from "./accept-queue.ts";
import { HostError } from "./host-error.ts";
import { MemoryPipe } from "./memory-pipe.ts";
import type { Connection, Listener, Network } from "./network.ts";

/** Connections that nobody has accepted yet, for each listener. */
const MAX_WAITING = 128;

/**
 * Connects programs with each other, and with their host, without the computer's network: for tests, and for browsers.
 *
 * ```ts
 * const network = new MemoryNetwork();
 * const server = new WASI({ args: ["server"], listeners: [network.listen("example.test", 80)] });
 * const client = new WASI({ args: ["client"], network, allowConnect: ["example.test:80"] });
 * ```
 */
export class MemoryNetwork implements Network {
  readonly #listeners = new Map<string, MemoryListener>();

  /** @throws {HostError} `EADDRINUSE` when somebody listens there already */
  listen(host: string, port: number): MemoryListener {
    const address = addressOf(host, port);
    if (this.#listeners.has(address)) throw new HostError("EADDRINUSE");
    const listener = new MemoryListener(() => this.#listeners.delete(address));
    this.#listeners.set(address, listener);
    return listener;
  }

  async connect(host: string, port: number): Promise<Connection> {
    const listener = this.#listeners.get(addressOf(host, port));
    if (listener === undefined) throw new HostError("ECONNREFUSED");
    const [here, there] = [new MemoryPipe(), new MemoryPipe()];
    listener.add(new MemoryConnection(here, there));
    return new MemoryConnection(there, here);
  }
}

function addressOf(host: string, port: number): string {
  return `${host.toLowerCase()}:${port}`;
}

/** Where programs connect to. Made by {@link MemoryNetwork.listen}. */
export class MemoryListener implements Listener {
  readonly #queue = new AcceptQueue<Connection>();
  readonly #onClose: () => void;

  constructor(onClose: () => void) {
    this.#onClose = onClose;
  }

  /** @throws {HostError} `ECONNREFUSED` when too many wait already */
  add(connection: Connection): void {
    if (this.#queue.length >= MAX_WAITING) throw new HostError("ECONNREFUSED");
    this.#queue.add(connection);
  }

  accept(signal?: AbortSignal): Connection | Promise<Connection> {
    return this.#queue.accept(signal);
  }

  close(): void {
    this.#onClose();
    for (const connection of this.#queue.close()) void connection.close();
  }
}

class MemoryConnection implements Connection {
  readonly kind = "socket";
  readonly #incoming: MemoryPipe;
  readonly #outgoing: MemoryPipe;

  constructor(incoming: MemoryPipe, outgoing: MemoryPipe) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  read(maxBytes: number): Uint8Array | null | Promise<Uint8Array | null> {
    return this.#incoming.input.read(maxBytes);
  }

  write(bytes: Uint8Array<ArrayBuffer>): void | Promise<void> {
    return this.#outgoing.output.write(bytes);
  }

  shutdown(how: "read" | "write" | "both"): void {
    if (how !== "write") void this.#incoming.input.close?.();
    if (how !== "read") void this.#outgoing.output.close?.();
  }

  close(): void {
    this.shutdown("both");
  }
}
