/**
 * A cursor over the bytes of a WebAssembly binary: fixed-size values, LEB128 integers, names and counts.
 *
 * Nothing is trusted: each read is checked against `end`, and a count against the bytes that are left, so hostile input
 * can neither read outside its section nor ask for more memory than it has bytes. Every failure is a
 * `WebAssembly.CompileError`, the class with which engines reject the same bytes, and says at which offset what was
 * expected.
 */

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The error for bytes that are not a WebAssembly binary. `expected` completes "expected …"; `offset` counts bytes of
 * the file.
 */
export function malformed(expected: string, offset: number): WebAssembly.CompileError {
  return new WebAssembly.CompileError(`Cannot decode WebAssembly binary at offset ${offset}: expected ${expected}`);
}

export class Reader {
  readonly bytes: Uint8Array;
  /** Offset of the next byte to read, from the start of `bytes`. */
  position: number;
  /** Offset of the first byte that may not be read: the end of the module, of a section or of a function body. */
  end: number;

  constructor(bytes: Uint8Array, position = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.position;
  }

  /** @throws {WebAssembly.CompileError} always: `expected` was not found at `offset` */
  fail(expected: string, offset: number = this.position): never {
    throw malformed(expected, offset);
  }

  u8(expected = "a byte"): number {
    if (this.position >= this.end) this.fail(`${expected}, but the input ends here`);
    return this.bytes[this.position++]!;
  }

  /** Moves over `byteCount` bytes and returns the offset of the first. */
  skip(byteCount: number, expected = "data"): number {
    const start = this.position;
    if (byteCount > this.end - start)
      this.fail(`${byteCount} bytes of ${expected}, but only ${this.remaining} are left`);
    this.position = start + byteCount;
    return start;
  }

  u32(expected = "an unsigned 32-bit integer"): number {
    const { bytes, position } = this;
    if (position < this.end && bytes[position]! < 0x80) {
      this.position = position + 1;
      return bytes[position]!;
    }
    const value = this.#leb128(5, expected);
    if (value >= 2 ** 32) this.fail(`${expected}, but it has more than 32 bits`, position);
    return value;
  }

  s32(): number {
    const start = this.position;
    const value = this.#signed(this.#leb128(5, "a signed 32-bit integer"), start);
    if (value !== (value | 0)) this.fail("a signed 32-bit integer, but it has more than 32 bits", start);
    return value;
  }

  /**
   * A signed integer of 33 bits: block types and heap types, where a type index is positive and a type code negative.
   */
  s33(expected = "a signed 33-bit integer"): number {
    const start = this.position;
    const value = this.#signed(this.#leb128(5, expected), start);
    if (value < -(2 ** 32) || value >= 2 ** 32) this.fail(`${expected}, but it has more than 33 bits`, start);
    return value;
  }

  u64(): bigint {
    const start = this.position;
    const value = this.#bigLeb128("an unsigned 64-bit integer");
    if (value !== BigInt.asUintN(64, value))
      this.fail("an unsigned 64-bit integer, but it has more than 64 bits", start);
    return value;
  }

  s64(): bigint {
    const start = this.position;
    const value = this.#bigLeb128("a signed 64-bit integer");
    const signed = BigInt.asIntN(7 * (this.position - start), value);
    if (signed !== BigInt.asIntN(64, signed)) this.fail("a signed 64-bit integer, but it has more than 64 bits", start);
    return signed;
  }

  f32(): number {
    const start = this.skip(4, "a 32-bit float");
    return new DataView(this.bytes.buffer, this.bytes.byteOffset).getFloat32(start, true);
  }

  f64(): number {
    const start = this.skip(8, "a 64-bit float");
    return new DataView(this.bytes.buffer, this.bytes.byteOffset).getFloat64(start, true);
  }

  /**
   * The length of a vector whose items have at least `itemBytes` bytes each; refuses more items than the input can
   * hold.
   */
  count(items: string, itemBytes = 1): number {
    const start = this.position;
    const count = this.u32(`the number of ${items}`);
    if (count * itemBytes > this.remaining) {
      this.fail(
        `no more ${items} than fit into the remaining ${this.remaining} bytes, received a count of ${count}`,
        start,
      );
    }
    return count;
  }

  /** A name: its length in bytes, then UTF-8. */
  name(what = "a name"): string {
    const length = this.u32(`the length of ${what}`);
    const start = this.skip(length, what);
    try {
      // A copy, because TextDecoder refuses views of shared memory.
      return utf8.decode(this.bytes.slice(start, start + length));
    } catch {
      return this.fail(`${what} in UTF-8`, start);
    }
  }

  /**
   * An unsigned LEB128 integer of at most seven groups of seven bits, which is what a double holds without rounding.
   */
  #leb128(maxBytes: number, expected: string): number {
    const start = this.position;
    let value = 0;
    for (let group = 0; group < maxBytes; group++) {
      const byte = this.u8(expected);
      value += (byte & 0x7f) * 2 ** (7 * group);
      if (byte < 0x80) return value;
    }
    return this.fail(`${expected}, but it has more than ${maxBytes} bytes`, start);
  }

  /** An unsigned LEB128 integer of at most ten groups: 70 bits. */
  #bigLeb128(expected: string): bigint {
    const start = this.position;
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.u8(expected);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return this.fail(`${expected}, but it has more than 10 bytes`, start);
  }

  /** Extends the sign of the integer whose groups lie between `start` and the cursor. */
  #signed(value: number, start: number): number {
    const negative = (this.bytes[this.position - 1]! & 0x40) !== 0;
    return negative ? value - 2 ** (7 * (this.position - start)) : value;
  }
}
