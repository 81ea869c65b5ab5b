/** A growable byte buffer that speaks the encodings of the WebAssembly binary format. */

const utf8 = new TextEncoder();

/** Room for the largest LEB128 integer of 64 bits. */
const MAX_LEB_BYTES = 10;
/** Room for a size that is not known yet: a LEB128 integer of 32 bits. */
const MAX_SIZE_BYTES = 5;
/** Below this many bytes a loop copies faster than `TypedArray.prototype.set`, which has to make a view first. */
const SHORT_COPY_BYTES = 24;

export class Writer {
  /**
   * The bytes written so far and spare room behind them. Replaced by a larger buffer when it is full: do not keep it.
   */
  buffer: Uint8Array<ArrayBuffer>;
  /** Number of bytes written. */
  length = 0;

  constructor(initialCapacityBytes = 256) {
    this.buffer = new Uint8Array(initialCapacityBytes);
  }

  /** Makes room for `byteCount` more bytes. */
  reserve(byteCount: number): void {
    const needed = this.length + byteCount;
    if (needed <= this.buffer.length) return;
    const larger = new Uint8Array(Math.max(needed, this.buffer.length * 2));
    larger.set(this.buffer.subarray(0, this.length));
    this.buffer = larger;
  }

  u8(value: number): void {
    if (this.length === this.buffer.length) this.reserve(1);
    this.buffer[this.length++] = value;
  }

  u32(value: number): void {
    this.reserve(MAX_LEB_BYTES);
    const { buffer } = this;
    let { length } = this;
    let rest = value >>> 0;
    while (rest >= 0x80) {
      buffer[length++] = rest | 0x80;
      rest >>>= 7;
    }
    buffer[length++] = rest;
    this.length = length;
  }

  s32(value: number): void {
    this.reserve(MAX_LEB_BYTES);
    let rest = value | 0;
    while (rest < -0x40 || rest >= 0x40) {
      this.buffer[this.length++] = rest | 0x80;
      rest >>= 7;
    }
    this.buffer[this.length++] = rest & 0x7f;
  }

  /** A signed integer that may need more than 32 bits: heap types and block types, up to the safe integers. */
  s33(value: number): void {
    this.reserve(MAX_LEB_BYTES);
    let rest = value;
    while (rest < -0x40 || rest >= 0x40) {
      this.buffer[this.length++] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.buffer[this.length++] = rest & 0x7f;
  }

  u64(value: bigint): void {
    this.reserve(MAX_LEB_BYTES);
    let rest = BigInt.asUintN(64, value);
    while (rest >= 0x80n) {
      this.buffer[this.length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.buffer[this.length++] = Number(rest);
  }

  s64(value: bigint): void {
    this.reserve(MAX_LEB_BYTES);
    let rest = BigInt.asIntN(64, value);
    while (rest < -0x40n || rest >= 0x40n) {
      this.buffer[this.length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.buffer[this.length++] = Number(rest & 0x7fn);
  }

  f32(value: number): void {
    this.reserve(4);
    new DataView(this.buffer.buffer).setFloat32(this.length, value, true);
    this.length += 4;
  }

  f64(value: number): void {
    this.reserve(8);
    new DataView(this.buffer.buffer).setFloat64(this.length, value, true);
    this.length += 8;
  }

  /** Appends `source[start..end)`, by default all of it. */
  bytes(source: Uint8Array, start = 0, end: number = source.length): void {
    const byteCount = end - start;
    this.reserve(byteCount);
    if (byteCount < SHORT_COPY_BYTES) {
      for (let from = start; from < end; from++) this.buffer[this.length++] = source[from]!;
      return;
    }
    this.buffer.set(source.subarray(start, end), this.length);
    this.length += byteCount;
  }

  /** A name: its length in bytes, then UTF-8. */
  name(text: string): void {
    const encoded = utf8.encode(text);
    this.u32(encoded.length);
    this.bytes(encoded);
  }

  /** A vector: the number of items, then each of them. */
  vector<Item>(items: readonly Item[], write: (item: Item) => void): void {
    this.u32(items.length);
    for (const item of items) write(item);
  }

  /** What `write` appends, preceded by its size in bytes. */
  sized(write: () => void): void {
    const sizeStart = this.length;
    this.reserve(MAX_SIZE_BYTES);
    this.length += MAX_SIZE_BYTES;
    const contentStart = this.length;
    write();
    const contentEnd = this.length;
    this.length = sizeStart;
    this.u32(contentEnd - contentStart);
    this.buffer.copyWithin(this.length, contentStart, contentEnd);
    this.length += contentEnd - contentStart;
  }

  /** A section: its id, its size, then what `write` appends. */
  section(id: number, write: () => void): void {
    this.u8(id);
    this.sized(write);
  }

  /** A copy of the bytes written so far, in a buffer of their own. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return this.buffer.slice(0, this.length);
  }

  /** The bytes written so far, without a copy: valid until the next write. */
  view(): Uint8Array<ArrayBuffer> {
    return this.buffer.subarray(0, this.length);
  }
}

/** The bytes of an index. */
export function encodeIndex(index: number): Uint8Array {
  const writer = new Writer(5);
  writer.u32(index);
  return writer.toBytes();
}
