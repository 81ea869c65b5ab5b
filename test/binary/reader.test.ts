import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Reader } from "#src/binary/reader";
import { Writer } from "#src/binary/writer";

function readerOf(...bytes: number[]): Reader {
  return new Reader(Uint8Array.from(bytes));
}

/** Every change of length, and the values beside it. */
const powers = [0, 6, 7, 8, 13, 14, 20, 21, 27, 28, 31, 32, 33, 48, 49, 55, 56, 62, 63, 64].map(
  (bits) => 2n ** BigInt(bits),
);
const integers = powers.flatMap((power) => [power - 1n, power, power + 1n, -power - 1n, -power, -power + 1n]);

function within(least: bigint, greatest: bigint): bigint[] {
  return integers.filter((value) => value >= least && value <= greatest);
}

describe("Reader integers", () => {
  it("reads what Writer.u32() wrote", () => {
    for (const value of within(0n, 2n ** 32n - 1n).map(Number)) {
      const writer = new Writer();
      writer.u32(value);
      assert.equal(new Reader(writer.view()).u32(), value);
    }
  });

  it("reads what Writer.s32() wrote", () => {
    for (const value of within(-(2n ** 31n), 2n ** 31n - 1n).map(Number)) {
      const writer = new Writer();
      writer.s32(value);
      assert.equal(new Reader(writer.view()).s32(), value);
    }
  });

  it("reads what Writer.s33() wrote", () => {
    for (const value of within(-(2n ** 32n), 2n ** 32n - 1n).map(Number)) {
      const writer = new Writer();
      writer.s33(value);
      assert.equal(new Reader(writer.view()).s33(), value);
    }
  });

  it("reads what Writer.u64() and Writer.s64() wrote", () => {
    for (const value of within(0n, 2n ** 64n - 1n)) {
      const writer = new Writer();
      writer.u64(value);
      assert.equal(new Reader(writer.view()).u64(), value);
    }
    for (const value of within(-(2n ** 63n), 2n ** 63n - 1n)) {
      const writer = new Writer();
      writer.s64(value);
      assert.equal(new Reader(writer.view()).s64(), value);
    }
  });

  it("accepts encodings with padding", () => {
    assert.equal(readerOf(0x83, 0x80, 0x80, 0x80, 0x00).u32(), 3);
    assert.equal(readerOf(0xfe, 0xff, 0xff, 0xff, 0x7f).s32(), -2);
    assert.equal(readerOf(0xfe, 0xff, 0x7f).s64(), -2n);
  });

  it("refuses integers with more bits or bytes than their type", () => {
    const refused = { name: "CompileError", message: /at offset 0: expected .*integer/ };
    assert.throws(() => readerOf(0xff, 0xff, 0xff, 0xff, 0x10).u32(), refused);
    assert.throws(() => readerOf(0x80, 0x80, 0x80, 0x80, 0x80, 0x00).u32(), refused);
    assert.throws(() => readerOf(0xff, 0xff, 0xff, 0xff, 0x08).s32(), refused);
    assert.throws(() => readerOf(0x80, 0x80, 0x80, 0x80, 0x70).s32(), refused);
    assert.throws(() => readerOf(0x80, 0x80, 0x80, 0x80, 0x20).s33(), refused);
    const nine = Array<number>(9).fill(0x80);
    assert.throws(() => readerOf(...nine, 0x02).u64(), refused);
    assert.throws(() => readerOf(...nine, 0x01).s64(), refused);
    assert.throws(() => readerOf(...nine, 0x80, 0x00).u64(), refused);
  });

  it("refuses integers that the input ends in", () => {
    const refused = { name: "CompileError", message: /at offset 2: .* ends here/ };
    assert.throws(() => readerOf(0x80, 0x80).u32(), refused);
    assert.throws(() => readerOf(0x80, 0x80).s64(), refused);
    assert.throws(() => new Reader(Uint8Array.of(0x80, 0x80, 0x00), 0, 2).u32(), refused);
  });
});

describe("Reader.count()", () => {
  it("refuses more items than the rest of the input can hold", () => {
    assert.equal(readerOf(2, 0, 0).count("items"), 2);
    const expected = { name: "CompileError", message: /no more items than fit into the remaining 2 bytes/ };
    assert.throws(() => readerOf(3, 0, 0).count("items"), expected);
    assert.throws(() => readerOf(2, 0, 0).count("items", 2), expected);
  });
});

describe("Reader.name()", () => {
  it("reads what Writer.name() wrote", () => {
    for (const name of ["", "memory", "\uFEFFbom", "größe", "🦀".repeat(100)]) {
      const writer = new Writer();
      writer.name(name);
      const reader = new Reader(writer.toBytes());
      assert.equal(reader.name(), name);
      assert.equal(reader.remaining, 0);
    }
  });

  it("refuses bytes that are not UTF-8", () => {
    assert.throws(() => readerOf(1, 0xff).name("the name of an import"), {
      name: "CompileError",
      message: "Cannot decode WebAssembly binary at offset 1: expected the name of an import in UTF-8",
    });
  });

  it("reads shared memory", () => {
    const bytes = new Uint8Array(new SharedArrayBuffer(3));
    bytes.set([2, 0x68, 0x69]);
    assert.equal(new Reader(bytes).name(), "hi");
  });
});

describe("Writer", () => {
  it("keeps what it wrote when it grows", () => {
    const writer = new Writer(1);
    const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index);
    for (const byte of bytes) writer.u8(byte);
    writer.bytes(bytes);
    writer.bytes(bytes, 3, 10);
    assert.deepEqual(writer.toBytes(), Uint8Array.of(...bytes, ...bytes, ...bytes.subarray(3, 10)));
  });

  it("puts the size before what is written, whatever its length", () => {
    for (const size of [0, 1, 127, 128, 20_000]) {
      const writer = new Writer(1);
      writer.u8(0xaa);
      writer.sized(() => writer.bytes(new Uint8Array(size).fill(0xbb)));
      writer.u8(0xcc);
      const reader = new Reader(writer.view(), 1);
      assert.equal(reader.u32(), size);
      assert.equal(reader.skip(size), reader.position - size);
      assert.equal(reader.u8(), 0xcc);
    }
  });

  it("writes floats", () => {
    const writer = new Writer(1);
    writer.f32(1.5);
    writer.f64(Math.PI);
    const reader = new Reader(writer.view());
    assert.equal(reader.f32(), 1.5);
    assert.equal(reader.f64(), Math.PI);
  });
});
