/** The memory of Lua: texts that go in and come out. */

import { asciiText } from "../ascii-text.ts";
import type { LuaExports } from "./lua-exports.ts";

/** Bytes for a text on its way into the guest; longer ones get a block of their own. */
const SCRATCH_BYTES = 4096;
/** UTF-8 has at most so many for each unit of a JavaScript string. */
const MAX_BYTES_PER_UNIT = 3;
/** Characters up to which a loop is faster than a decoder. */
const SHORT = 24;

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export class LuaMemory {
  readonly #memory: WebAssembly.Memory;
  readonly #allocator: Pick<LuaExports, "malloc" | "free">;
  readonly #scratch: number;
  #bytes: Uint8Array;
  #words: Int32Array;

  constructor(memory: WebAssembly.Memory, allocator: Pick<LuaExports, "malloc" | "free">) {
    this.#memory = memory;
    this.#allocator = allocator;
    this.#scratch = allocator.malloc(SCRATCH_BYTES);
    this.#bytes = new Uint8Array(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
  }

  /** Of now: memory that grows is another buffer. */
  get bytes(): Uint8Array {
    if (this.#bytes.length === 0) this.#bytes = new Uint8Array(this.#memory.buffer);
    return this.#bytes;
  }

  word(address: number): number {
    if (this.#words.length === 0) this.#words = new Int32Array(this.#memory.buffer);
    return this.#words[address >> 2]!;
  }

  setWord(address: number, value: number): void {
    if (this.#words.length === 0) this.#words = new Int32Array(this.#memory.buffer);
    this.#words[address >> 2] = value;
  }

  /** Has `use` take a text, or bytes, which are in the memory as long as it runs, with a zero behind. */
  with<Result>(content: string | Uint8Array, use: (address: number, bytes: number) => Result): Result {
    const most = typeof content === "string" ? content.length * MAX_BYTES_PER_UNIT : content.length;
    if (most < SCRATCH_BYTES) return use(this.#scratch, this.#write(content, this.#scratch));
    const block = this.#allocator.malloc(most + 1);
    if (block === 0) throw new RangeError("Cannot pass text to script: there is no memory for it");
    try {
      return use(block, this.#write(content, block));
    } finally {
      this.#allocator.free(block);
    }
  }

  #write(content: string | Uint8Array, address: number): number {
    const { bytes } = this;
    const length = typeof content === "string" ? this.#encode(content, address) : content.length;
    if (typeof content !== "string") bytes.set(content, address);
    bytes[address + length] = 0;
    return length;
  }

  #encode(text: string, address: number): number {
    const { bytes } = this;
    let length = 0;
    while (length < text.length && length < SHORT) {
      const unit = text.charCodeAt(length);
      if (unit >= 0x80) break;
      bytes[address + length++] = unit;
    }
    if (length === text.length) return length;
    return encoder.encodeInto(text, bytes.subarray(address)).written;
  }

  /** Text, if the bytes are UTF-8, and a copy of them if they are not. */
  read(address: number, length: number): string | Uint8Array {
    if (length <= SHORT) {
      const short = asciiText(this.bytes, address, length);
      if (short !== undefined) return short;
    }
    const bytes = this.bytes.subarray(address, address + length);
    try {
      return strictDecoder.decode(bytes);
    } catch {
      return bytes.slice();
    }
  }

  /** Text whatever the bytes are. */
  readText(address: number, length: number): string {
    return decoder.decode(this.bytes.subarray(address, address + length));
  }

  /** As far as the zero behind it. */
  readCString(address: number): string {
    return this.readText(address, this.bytes.indexOf(0, address) - address);
  }
}
