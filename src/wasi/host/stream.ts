/** Bytes that come and go in order: standard input and output, pipes, terminals, connections. */

/** What a stream is to the program. Whoever asks `isatty` wants to know it. */
export type StreamKind = "pipe" | "terminal" | "file" | "socket";

export interface InputStream {
  /** `"pipe"` when left out. */
  readonly kind?: StreamKind;
  /**
   * The next bytes: at least one, at most `maxBytes`; `null` at the end. A promise only if nothing is there yet: what is there is not
   * worth a suspension. Not called again before it has answered.
   */
  read(maxBytes: number): Uint8Array | null | Promise<Uint8Array | null>;
  /** Nobody will read it any more. */
  close?(): void | Promise<void>;
}

export interface OutputStream {
  /** `"pipe"` when left out. */
  readonly kind?: StreamKind;
  /**
   * Takes all of `bytes`, which are the stream's own from now on. A promise tells when there is room for more: the program waits
   * for it. Not called again before it has answered.
   */
  write(bytes: Uint8Array<ArrayBuffer>): void | Promise<void>;
  /** Nobody will write to it any more. */
  close?(): void | Promise<void>;
}
