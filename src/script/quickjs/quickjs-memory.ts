/** Text and words in the memory of QuickJS. */

import { asciiText } from "../ascii-text.ts";
import type { QuickJSFunctions } from "./quickjs-functions.ts";
import type { QuickJSMemoryLimit } from "./quickjs-memory-limit.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface Text {
  readonly address: number;
  /** Without the zero at its end. */
  readonly bytes: number;
}

export class QuickJSMemory {
  readonly #memory: WebAssembly.Memory;
  readonly #functions: QuickJSFunctions;
  readonly #limit: QuickJSMemoryLimit;
  #bytes: Uint8Array;
  #words: Int32Array;

  constructor(memory: WebAssembly.Memory, functions: QuickJSFunctions, limit: QuickJSMemoryLimit) {
    this.#limit = limit;
    this.#memory = memory;
    this.#functions = functions;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
  }

  /** Of the memory as it is now: growing it replaces them. */
  get bytes(): Uint8Array {
    if (this.#bytes.buffer !== this.#memory.buffer) this.#renew();
    return this.#bytes;
  }

  get words(): Int32Array {
    if (this.#words.buffer !== this.#memory.buffer) this.#renew();
    return this.#words;
  }

  read(address: number): number {
    return this.words[address >> 2]!;
  }

  write(address: number, word: number): void {
    this.words[address >> 2] = word;
  }

  /**
   * For the host. What is small it gets whatever scripts may take; anything larger, which may come from a script and would be its own
   * afterwards, counts as what scripts take.
   *
   * @throws {RangeError} when there is no room for it
   */
  allocate(bytes: number): number {
    let address = this.#functions.malloc(bytes);
    if (address === 0 && bytes <= SMALL_BYTES) {
      this.#limit.beginException();
      address = this.#functions.malloc(bytes);
      this.#limit.endException();
    }
    if (address === 0) throw new RangeError(`Cannot pass ${bytes} bytes to a script: its memory is full`);
    return address;
  }

  /** A copy, with a zero at its end, that the caller frees. */
  copyText(text: string): Text {
    return text.length * 3 < SMALL_BYTES ? this.#copyShortText(text) : this.#copyLongText(text);
  }

  #copyShortText(text: string): Text {
    const room = text.length * 3 + 1;
    const address = this.allocate(room);
    const { written } = encoder.encodeInto(text, this.bytes.subarray(address, address + room));
    this.bytes[address + written] = 0;
    return { address, bytes: written };
  }

  /** In no more room than it takes. */
  #copyLongText(text: string): Text {
    const encoded = encoder.encode(text);
    const address = this.allocate(encoded.length + 1);
    this.bytes.set(encoded, address);
    this.bytes[address + encoded.length] = 0;
    return { address, bytes: encoded.length };
  }

  copyBytes(bytes: Uint8Array): number {
    const address = this.allocate(Math.max(bytes.length, 1));
    this.bytes.set(bytes, address);
    return address;
  }

  /** The text that ends with a zero. */
  textAt(address: number): string {
    return this.text(address, this.bytes.indexOf(0, address) - address);
  }

  text(address: number, bytes: number): string {
    const short = bytes < SHORT ? asciiText(this.bytes, address, bytes) : undefined;
    return short ?? decoder.decode(this.bytes.subarray(address, address + bytes));
  }

  #renew(): void {
    this.#bytes = new Uint8Array(this.#memory.buffer);
    this.#words = new Int32Array(this.#memory.buffer);
  }
}

const SHORT = 16;
const SMALL_BYTES = 64 * 1024;
