/** Connections to others. */

import type { InputStream, OutputStream } from "./stream.ts";

export interface Connection extends InputStream, OutputStream {
  /** Ends one direction, or both: the other side reads the end after `"write"`; reading gives the end after `"read"`. */
  shutdown(how: "read" | "write" | "both"): void | Promise<void>;
  close(): void | Promise<void>;
}

/** Where others connect to. */
export interface Listener {
  /** The next connection; a promise only if there is none yet. Not called again before it has answered. */
  accept(): Connection | Promise<Connection>;
  /** Told when somebody begins to wait for a connection, and when nobody does any more: what is not waited for keeps no process alive. */
  keepAlive?(isWaitedFor: boolean): void;
  close(): void | Promise<void>;
}

export interface Network {
  /** Rejects with `ECONNREFUSED`, `EHOSTUNREACH`, … */
  connect(host: string, port: number): Promise<Connection>;
}
