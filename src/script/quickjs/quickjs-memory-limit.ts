/**
 * How much memory scripts may take. QuickJS has a limit of its own, but as Emscripten builds it it does not know how large a block is, and
 * counts 8 bytes for each. So the memory of the instance is not let grow further, and what it has from the beginning is taken away
 * as far as it is more than the limit.
 *
 *     | engine, its stack | … what scripts take … | ballast |      memory.buffer, 16 MiB
 *     | engine, its stack | … what scripts take …             |    grown up to the limit
 *
 * Stacks of overlapping scripts lie there, too, but do not count, nor do small things that the host cannot do without: for these the memory
 * may grow further. What Emscripten grows it by is more than was asked for, by up to a fifth, and scripts must not have the rest: it is the
 * reserve, which is taken away as well, and given back while the host needs something again.
 */

import type { QuickJSFunctions } from "./quickjs-functions.ts";

type Allocator = Pick<QuickJSFunctions, "malloc" | "free">;

/** Less than that is not worth a block. */
const SMALLEST_PIECE = 4096;

export class QuickJSMemoryLimit {
  readonly #memory: WebAssembly.Memory;
  /** What the memory may grow to; the whole of it until scripts run. */
  #maxBytes = Number.POSITIVE_INFINITY;
  /** Whether it is the host who needs memory. */
  #exceptions = 0;
  #functions: Allocator | undefined;
  /** Blocks of the reserve, and the bytes that they should have together. */
  #reserve: number[] = [];
  #reserveBytes = 0;
  /** What the host has taken since the first of the exceptions that are under way, and keeps. */
  #keptBytes = 0;
  #hasRefused = false;

  /** `memory` has not been given away yet. */
  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
    const grow = (pages: number): number => {
      try {
        return WebAssembly.Memory.prototype.grow.call(memory, pages);
      } catch (error) {
        this.#hasRefused = true;
        throw error;
      }
    };
    // It is this method that the package's JavaScript calls when the allocator wants more, and takes an exception for "no".
    Object.defineProperty(memory, "grow", {
      value: (pages: number): number => {
        this.#require(pages);
        return grow(pages);
      },
    });
  }

  /** From now on scripts may take `bytes`, beside what has been taken. */
  start(bytes: number, functions: Allocator): void {
    const end = functions.malloc(16);
    functions.free(end);
    const there = this.#memory.buffer.byteLength - end;
    if (there > bytes) functions.malloc(there - bytes);
    this.#maxBytes = Math.max(end + bytes, this.#memory.buffer.byteLength);
    this.#functions = functions;
  }

  /** For the host and for stacks there is more: until `endException`. */
  beginException(): void {
    if (this.#exceptions++ > 0) return;
    for (const block of this.#reserve) this.#functions?.free(block);
    this.#reserve = [];
  }

  /** `keptBytes`: what the host has taken, and keeps. */
  endException(keptBytes = 0): void {
    this.#keptBytes += keptBytes;
    if (--this.#exceptions > 0) return;
    const grown = this.#memory.buffer.byteLength - this.#maxBytes;
    if (grown > 0) {
      this.#maxBytes += grown;
      this.#reserveBytes += grown;
    }
    const hasRefused = this.#hasRefused;
    if (this.#reserveBytes > 0) this.#takeReserve();
    this.#hasRefused = hasRefused;
    this.#keptBytes = 0;
  }

  /** In pieces, where there is no room for all of it at once. */
  #takeReserve(): void {
    this.#reserveBytes = Math.max(0, this.#reserveBytes - this.#keptBytes);
    let left = this.#reserveBytes;
    for (let bytes = left; bytes >= SMALLEST_PIECE; bytes = Math.min(bytes, left)) {
      const block = this.#functions?.malloc(bytes) ?? 0;
      if (block === 0) {
        bytes >>= 1;
        continue;
      }
      this.#reserve.push(block);
      left -= bytes;
    }
  }

  /** Whether scripts wanted more than they may take since this was asked last. */
  takeRefusal(): boolean {
    const hasRefused = this.#hasRefused;
    this.#hasRefused = false;
    return hasRefused;
  }

  #require(pages: number): void {
    if (this.#exceptions > 0) return;
    const wanted = this.#memory.buffer.byteLength + pages * 65_536;
    if (wanted <= this.#maxBytes) return;
    this.#hasRefused = true;
    throw new RangeError(`Cannot grow memory of scripts to ${wanted} bytes: ${this.#maxBytes} are allowed`);
  }
}
