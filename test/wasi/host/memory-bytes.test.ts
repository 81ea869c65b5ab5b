/** Compares bytes in pieces with bytes in one. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryBytes } from "#src/wasi/host/memory-bytes";

const MIB = 1 << 20;

describe("MemoryBytes", () => {
  it("is what one array would be, whatever is done with it", () => {
    const bytes = new MemoryBytes();
    let plain = new Uint8Array(0);
    let seed = 12_345;
    const random = (limit: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return Math.floor((seed / 2 ** 31) * limit);
    };
    /** Places near the ends of pieces, where mistakes are. */
    const place = (): number => Math.max(random(4) * MIB + random(7) - 3, 0);
    for (let round = 0; round < 300; round++) {
      if (random(3) === 0) {
        const size = place();
        bytes.resize(size);
        const resized = new Uint8Array(size);
        resized.set(plain.subarray(0, size));
        plain = resized;
      } else if (plain.length > 0) {
        const position = Math.min(place(), plain.length);
        const part = new Uint8Array(random(plain.length - position + 1)).fill((round % 255) + 1);
        bytes.write(part, position);
        plain.set(part, position);
      }
      assert.equal(bytes.size, plain.length);
      const start = place();
      const target = new Uint8Array(random(2 * MIB)).fill(7);
      const length = bytes.read(target, start);
      assert.deepEqual(target.subarray(0, length), plain.slice(start, start + target.length));
      assert.ok(target.subarray(length).every((byte) => byte === 7));
    }
    assert.deepEqual(bytes.copy(), plain);
  });

  it("takes little room for what was cut off", () => {
    const bytes = new MemoryBytes();
    for (const size of [0, 1, 1000, MIB / 2, MIB + 1]) {
      bytes.resize(4 * MIB);
      bytes.write(new Uint8Array(4 * MIB).fill(1), 0);
      bytes.resize(size);
      assert.ok(bytes.allocatedBytes <= size * 2 + 256, `${bytes.allocatedBytes} for ${size}`);
      assert.ok(bytes.copy().every((byte) => byte === 1));
    }
    bytes.resize(2 * MIB);
    assert.ok(
      bytes
        .copy()
        .subarray(MIB + 1)
        .every((byte) => byte === 0),
    );
  });

  it("takes no room for what was never written", () => {
    const bytes = new MemoryBytes();
    bytes.resize(2 ** 45);
    bytes.write(Uint8Array.of(1, 2), 2 ** 25 - 1);
    const around = new Uint8Array(4);
    assert.equal(bytes.read(around, 2 ** 25 - 2), 4);
    assert.deepEqual(around, Uint8Array.of(0, 1, 2, 0));
    assert.equal(bytes.read(around, 2 ** 45 - 3), 3);
  });
});
