/** Bytes that go from one end to the other, through no system. */

import { HostError } from "./host-error.ts";
import type { InputStream, OutputStream } from "./stream.ts";

/** What a pipe holds before whoever writes has to wait: as much as one of Linux. */
const CAPACITY_BYTES = 65_536;

/**
 * A pipe between two programs, or a program and its host.
 *
 * ```ts
 * const pipe = new MemoryPipe();
 * const first = new WASI({ stdout: pipe.output });
 * const second = new WASI({ stdin: pipe.input });
 * ```
 */
export class MemoryPipe {
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #isEnded = false;
  #isBroken = false;
  /** Goes on with who waits for bytes. */
  #wakeReader: (() => void) | undefined;
  /** And with who waits for room. */
  #wakeWriter: (() => void) | undefined;

  readonly input: InputStream = {
    read: () => this.#read(),
    close: () => {
      this.#isBroken = true;
      this.#chunks.length = 0;
      this.#bytes = 0;
      this.#wake();
    },
  };

  readonly output: OutputStream = {
    write: (bytes) => this.#write(bytes),
    close: () => {
      this.#isEnded = true;
      this.#wake();
    },
  };

  #wake(): void {
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }

  #read(): Uint8Array | null | Promise<Uint8Array | null> {
    const chunk = this.#next();
    if (chunk !== undefined) return chunk;
    return new Promise((resolve) => {
      this.#wakeReader = () => {
        const late = this.#next();
        if (late === undefined) return;
        this.#wakeReader = undefined;
        resolve(late);
      };
    });
  }

  /** @returns `undefined`: nothing is there yet */
  #next(): Uint8Array | null | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return this.#isEnded || this.#isBroken ? null : undefined;
    this.#bytes -= chunk.length;
    this.#wakeWriter?.();
    return chunk;
  }

  #write(bytes: Uint8Array): void | Promise<void> {
    if (this.#isBroken || this.#isEnded) throw new HostError("EPIPE");
    if (bytes.length === 0) return undefined;
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
    this.#wakeReader?.();
    if (this.#bytes <= CAPACITY_BYTES) return undefined;
    return new Promise((resolve, reject) => {
      this.#wakeWriter = () => {
        if (this.#isBroken) reject(new HostError("EPIPE"));
        else if (this.#bytes > CAPACITY_BYTES) return;
        else resolve();
        this.#wakeWriter = undefined;
      };
    });
  }
}
