/** Bytes that come and go in order: standard input and output, pipes, terminals, connections. */

/** What a stream is to the program. Whoever asks `isatty` wants to know it. */
export type StreamKind = "pipe" | "terminal" | "file" | "socket";

export interface InputStream {
  /** `"pipe"` when left out. */
  readonly kind?: StreamKind;
  /**
   * The next bytes, at least one; `null` at the end. Best not more than `maxBytes`: what is more is kept for the next read. A promise only
   * if nothing is there yet: what is there is not worth a suspension. Not called again before it has answered, nor after the end.
   */
  read(maxBytes: number): Uint8Array | null | Promise<Uint8Array | null>;
  /**
   * Puts what is there into the program's own memory: for streams that can do so faster than with buffers of their own.
   *
   * @returns bytes, 0 at the end; `undefined`: nothing is there yet, or this is not possible now, and {@link InputStream.read} is asked
   */
  readNow?(buffers: readonly Uint8Array[]): number | undefined;
  /** Told when somebody begins to wait for it, and when nobody does any more: what is not waited for keeps no process alive. */
  keepAlive?(isWaitedFor: boolean): void;
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
  /**
   * Takes bytes out of the program's own memory before it returns: for streams that need no copy of them.
   *
   * @returns how many; {@link OutputStream.write} is given the others
   */
  writeNow?(buffers: readonly Uint8Array[]): number;
  /** Nobody will write to it any more. Returns when all that was written has gone. */
  close?(): void | Promise<void>;
}
