/** Connections to others. */

import type { InputStream, OutputStream } from "./stream.ts";

export interface Connection extends InputStream, OutputStream {
  /** Ends one direction, or both: the other side reads the end after `"write"`; reading gives the end after `"read"`. */
  shutdown(how: "read" | "write" | "both"): void | Promise<void>;
  /** Returns at once: what was written goes on its way. */
  close(): void | Promise<void>;
}

/** Where others connect to. */
export interface Listener {
  /**
   * The next connection; a promise only if there is none yet. When `signal` aborts, nobody waits for it any more: it rejects, and the
   * connection is for whoever asks next. Several programs may wait at the same time.
   */
  accept(signal: AbortSignal): Connection | Promise<Connection>;
  close(): void | Promise<void>;
}

export interface Network {
  /** Rejects with `ECONNREFUSED`, `EHOSTUNREACH`, …; and best when `signal` aborts, as nobody waits for it any more then. */
  connect(host: string, port: number, signal?: AbortSignal): Promise<Connection>;
}
