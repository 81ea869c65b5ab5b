/** The program's memory, where every pointer is checked. */

import { Errno } from "./errno.ts";
import { IOVEC } from "./layout.ts";

const encoder = new TextEncoder();
/** `ignoreBOM`: a name may begin with one. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes that pointers can point to. */
const ADDRESS_SPACE = 2 ** 32;
/** POSIX: `IOV_MAX`. */
const MAX_VECTORS = 1024;
/** What a call can say that it has transferred: results are signed to a C library. */
const MAX_TRANSFER = 0x7fff_ffff;

/**
 * Reads and writes what pointers point to. Pointers and lengths come as the engine gives them, signed 32-bit numbers.
 *
 * The memory may grow while a call waits, which replaces its buffer: no view of it is to be kept.
 *
 * Everything throws `EFAULT` where a pointer leads out of the memory.
 */
export class GuestMemory {
  readonly #memory: WebAssembly.Memory;
  #buffer: ArrayBuffer;
  #view: DataView;
  /** Bytes of the buffer. 0 when the memory has grown and the buffer is not its own any more; of a shared memory, what it once had. */
  #bytes: Uint8Array;
  #recent: Uint8Array = new Uint8Array(0);

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
    this.#buffer = memory.buffer;
    this.#view = new DataView(this.#buffer);
    this.#bytes = new Uint8Array(this.#buffer);
  }

  /** Whether it is a memory of this `WebAssembly.Memory`. */
  isOf(memory: WebAssembly.Memory): boolean {
    return this.#memory === memory;
  }

  /** Whether other threads may have it, too. */
  get isShared(): boolean {
    return !(this.#buffer instanceof ArrayBuffer);
  }

  /** The offset of `length` bytes at `pointer`. To be called before a view is touched: it may give the memory another one. */
  #offset(pointer: number, length: number): number {
    const offset = pointer >>> 0;
    // A memory never shrinks. Asking it for its buffer each time would cost more than all the rest of a small call.
    if (offset + length > this.#bytes.length || this.#bytes.length === 0) this.#look(offset + length);
    return offset;
  }

  #look(end: number): void {
    const { buffer } = this.#memory;
    if (this.#buffer !== buffer) {
      this.#recent = new Uint8Array(0);
      this.#buffer = buffer;
      this.#view = new DataView(buffer);
      this.#bytes = new Uint8Array(buffer);
    }
    if (end > this.#bytes.length) throw new Errno("EFAULT");
  }

  /** Throws unless `length` bytes can be written there: before anything is done that could not be undone. */
  require(pointer: number, length: number): void {
    this.#offset(pointer, length);
  }

  u8(pointer: number): number {
    const offset = this.#offset(pointer, 1);
    return this.#view.getUint8(offset);
  }

  u16(pointer: number): number {
    const offset = this.#offset(pointer, 2);
    return this.#view.getUint16(offset, true);
  }

  u32(pointer: number): number {
    const offset = this.#offset(pointer, 4);
    return this.#view.getUint32(offset, true);
  }

  u64(pointer: number): bigint {
    const offset = this.#offset(pointer, 8);
    return this.#view.getBigUint64(offset, true);
  }

  setU8(pointer: number, value: number): void {
    const offset = this.#offset(pointer, 1);
    this.#view.setUint8(offset, value);
  }

  setU16(pointer: number, value: number): void {
    const offset = this.#offset(pointer, 2);
    this.#view.setUint16(offset, value, true);
  }

  setU32(pointer: number, value: number): void {
    const offset = this.#offset(pointer, 4);
    this.#view.setUint32(offset, value, true);
  }

  setU64(pointer: number, value: bigint): void {
    const offset = this.#offset(pointer, 8);
    this.#view.setBigUint64(offset, value, true);
  }

  /** The bytes themselves, for use before anything else happens. */
  bytes(pointer: number, length: number): Uint8Array {
    const offset = this.#offset(pointer, length >>> 0);
    return new Uint8Array(this.#buffer, offset, length >>> 0);
  }

  /** {@link GuestMemory.bytes} for whoever uses them at once and leaves the view as it is: programs often use one buffer again and again. */
  recentBytes(offset: number, length: number): Uint8Array {
    const recent = this.#recent;
    if (recent.byteOffset === offset && recent.length === length && length > 0) return recent;
    return (this.#recent = this.bytes(offset, length));
  }

  setBytes(pointer: number, bytes: Uint8Array): void {
    const offset = this.#offset(pointer, bytes.length);
    this.#bytes.set(bytes, offset);
  }

  /** A copy, also of memory that is shared with other threads. */
  copy(pointer: number, length: number): Uint8Array<ArrayBuffer> {
    const offset = this.#offset(pointer, length >>> 0);
    return this.#bytes.slice(offset, offset + (length >>> 0));
  }

  /** Zeros from `pointer` on: what is written into a structure afterwards leaves no byte of it unknown. */
  clear(pointer: number, length: number): void {
    this.bytes(pointer, length).fill(0);
  }

  /** Throws `EILSEQ` where it is no UTF-8. */
  text(pointer: number, length: number): string {
    const bytes = this.copy(pointer, length);
    try {
      return decoder.decode(bytes);
    } catch {
      throw new Errno("EILSEQ");
    }
  }

  /** The buffers that an array of `iovec` or `ciovec` lists: as it is now, whatever the program writes there while the call waits. */
  vectors(pointer: number, count: number): GuestVectors {
    if (count >>> 0 > MAX_VECTORS) throw new Errno("EINVAL");
    const places: Place[] = [];
    let total = 0;
    for (let index = 0; index < count; index++) {
      const vector = (pointer >>> 0) + index * IOVEC.bytes;
      if (vector + IOVEC.bytes > ADDRESS_SPACE) throw new Errno("EFAULT");
      const offset = this.u32(vector + IOVEC.buffer);
      const length = Math.min(this.u32(vector + IOVEC.length), MAX_TRANSFER - total);
      this.#offset(offset, length);
      total += length;
      if (length > 0) places.push({ offset, length });
    }
    return new GuestVectors(this, places, total);
  }
}

/** Bytes of `text` as UTF-8. */
export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

interface Place {
  readonly offset: number;
  readonly length: number;
}

/** Buffers in the program's memory that one call reads into or writes from, in order. */
export class GuestVectors {
  readonly #memory: GuestMemory;
  readonly #places: readonly Place[];
  /** Bytes. */
  readonly total: number;

  constructor(memory: GuestMemory, places: readonly Place[], total: number) {
    this.#memory = memory;
    this.#places = places;
    this.total = total;
  }

  /** The memory itself, for use before anything else happens. */
  views(): Uint8Array[] {
    const [first] = this.#places;
    // A view of a buffer that is gone has no bytes, so it is no recent one.
    if (first !== undefined && this.#places.length === 1) return [this.#memory.recentBytes(first.offset, first.length)];
    return this.#places.map(({ offset, length }) => this.#memory.bytes(offset, length));
  }

  /** A copy of it: from byte `start` on, at most `maxBytes`. */
  gather(start = 0, maxBytes: number = this.total): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(Math.min(this.total - start, maxBytes));
    let position = -start;
    for (const view of this.views()) {
      if (position >= bytes.length) break;
      const from = Math.max(-position, 0);
      if (from < view.length) bytes.set(view.subarray(from, bytes.length - position), position + from);
      position += view.length;
    }
    return bytes;
  }

  /** Writes `bytes` to byte `start` and those after it, as far as there is room. */
  scatter(bytes: Uint8Array, start = 0): void {
    let position = -start;
    for (const view of this.views()) {
      if (position >= bytes.length) return;
      const from = Math.max(-position, 0);
      if (from < view.length) view.set(bytes.subarray(position + from, position + view.length), from);
      position += view.length;
    }
  }
}
