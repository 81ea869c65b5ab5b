/** Streams that have something, and take something, when they are told to. */

import type { InputStream, OutputStream } from "stackful/wasi";

export class ManualInput implements InputStream {
  readonly #chunks: (Uint8Array | null | Error)[] = [];
  #resolve: ((chunk: Uint8Array | null) => void) | undefined;
  #reject: ((error: Error) => void) | undefined;
  /** How often it was read. */
  reads = 0;
  /** How often somebody began and ceased to wait for it. */
  readonly waits = { begun: 0, ended: 0 };
  isClosed = false;

  /** Text, or nothing for the end. */
  push(text: string | null | Error): void {
    const chunk = typeof text === "string" ? new TextEncoder().encode(text) : text;
    const [resolve, reject] = [this.#resolve, this.#reject];
    this.#resolve = undefined;
    this.#reject = undefined;
    if (resolve === undefined) this.#chunks.push(chunk);
    else if (chunk instanceof Error) reject!(chunk);
    else resolve(chunk);
  }

  read(): Uint8Array | null | Promise<Uint8Array | null> {
    this.reads++;
    if (this.#resolve !== undefined) throw new Error("Read while a read was pending");
    const chunk = this.#chunks.shift();
    if (chunk instanceof Error) throw chunk;
    if (chunk !== undefined) return chunk;
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  keepAlive(isWaitedFor: boolean): void {
    if (isWaitedFor) this.waits.begun++;
    else this.waits.ended++;
  }

  close(): void {
    this.isClosed = true;
  }
}

export class ManualOutput implements OutputStream {
  #settle: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;
  text = "";
  isClosed = false;

  write(bytes: Uint8Array): Promise<void> {
    if (this.#settle !== undefined) throw new Error("Written to while a write was pending");
    this.text += new TextDecoder().decode(bytes);
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  /** Makes room. */
  take(): void {
    const settle = this.#settle!;
    this.#settle = undefined;
    settle.resolve();
  }

  fail(error: Error): void {
    const settle = this.#settle!;
    this.#settle = undefined;
    settle.reject(error);
  }

  close(): void {
    this.isClosed = true;
  }
}
