/** What a program writes, as text. Characters may come in pieces. */

import type { OutputStream } from "./stream.ts";

/** Characters after which a line is given away that has no end: whoever writes it should not fill the memory of whoever reads. */
const MAX_LINE = 1 << 20;

/**
 * Calls `take` with each line that a program writes, without its end, and at last with what follows the last one. The program waits for
 * the promise that it returns. Lines of more than a million characters come in pieces.
 *
 * ```ts
 * const wasi = new WASI({ stdout: lines((text) => console.log(text)) });
 * ```
 */
export function lines(take: (text: string) => void | Promise<void>): OutputStream {
  const decoder = new TextDecoder();
  let rest = "";
  // A loop that goes on only where `take` makes it wait.
  const takeAll = (texts: readonly string[], first = 0): void | Promise<void> => {
    for (let index = first; index < texts.length; index++) {
      const pending = take(texts[index]!);
      if (pending instanceof Promise) return pending.then(() => takeAll(texts, index + 1));
    }
    return undefined;
  };
  return {
    write(bytes) {
      const text = decoder.decode(bytes, { stream: true });
      if (!text.includes("\n")) {
        rest += text;
        if (rest.length < MAX_LINE) return undefined;
        const piece = rest;
        rest = "";
        return take(piece);
      }
      const texts = (rest + text).split("\n");
      rest = texts.pop()!;
      return takeAll(texts.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line)));
    },
    close() {
      const last = rest + decoder.decode();
      rest = "";
      return last === "" ? undefined : take(last);
    },
  };
}

/**
 * Keeps all that a program writes.
 *
 * ```ts
 * const output = new TextOutput();
 * await new WASI({ stdout: output }).start(instance);
 * console.log(output.text);
 * ```
 */
export class TextOutput implements OutputStream {
  readonly #chunks: Uint8Array[] = [];

  write(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
  }

  /** What was written by now. */
  get text(): string {
    const decoder = new TextDecoder();
    return this.#chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("") + decoder.decode();
  }
}
