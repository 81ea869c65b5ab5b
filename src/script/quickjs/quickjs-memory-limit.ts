/**
 * How much memory scripts may take. QuickJS has a limit of its own, but as Emscripten builds it it does not know how large a block is, and
 * counts 8 bytes for each. So the memory of the instance is not let grow further, and what it has from the beginning is taken away
 * as far as it is more than the limit.
 *
 *     | engine, its stack | … what scripts take … | ballast |      memory.buffer, 16 MiB
 *     | engine, its stack | … what scripts take …             |    grown up to the limit
 *
 * Stacks of overlapping scripts lie there, too, but do not count.
 */

import type { QuickJSFunctions } from "./quickjs-functions.ts";

export class QuickJSMemoryLimit {
  readonly #memory: WebAssembly.Memory;
  /** What the memory may grow to; the whole of it until scripts run. */
  #maxBytes = Number.POSITIVE_INFINITY;
  /** Whether it is the host who needs memory. */
  #exceptions = 0;

  /** `memory` has not been given away yet. */
  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
    const grow = memory.grow.bind(memory);
    // It is this method that the package's JavaScript calls when the allocator wants more, and takes an exception for "no".
    Object.defineProperty(memory, "grow", {
      value: (pages: number): number => {
        this.#require(pages);
        return grow(pages);
      },
    });
  }

  /** From now on scripts may take `bytes`, beside what has been taken. */
  start(bytes: number, functions: Pick<QuickJSFunctions, "malloc" | "free">): void {
    const end = functions.malloc(16);
    functions.free(end);
    const there = this.#memory.buffer.byteLength - end;
    if (there > bytes) functions.malloc(there - bytes);
    this.#maxBytes = Math.max(end + bytes, this.#memory.buffer.byteLength);
  }

  /** For the host and for stacks there is more: until `endException`. */
  beginException(): void {
    this.#exceptions++;
  }

  endException(): void {
    this.#exceptions--;
  }

  #require(pages: number): void {
    if (this.#exceptions > 0) return;
    const wanted = this.#memory.buffer.byteLength + pages * 65_536;
    if (wanted <= this.#maxBytes) return;
    throw new RangeError(`Cannot grow memory of scripts to ${wanted} bytes: ${this.#maxBytes} are allowed`);
  }
}
