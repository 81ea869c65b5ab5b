import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { GuestMemory } from "#src/wasi/preview1/guest-memory";

const PAGE = 65_536;

describe("GuestMemory", () => {
  const accesses: Readonly<Record<string, (memory: GuestMemory, pointer: number) => unknown>> = {
    u8: (memory, pointer) => memory.u8(pointer),
    u16: (memory, pointer) => memory.u16(pointer),
    u32: (memory, pointer) => memory.u32(pointer),
    u64: (memory, pointer) => memory.u64(pointer),
    setU8: (memory, pointer) => memory.setU8(pointer, 1),
    setU16: (memory, pointer) => memory.setU16(pointer, 1),
    setU32: (memory, pointer) => memory.setU32(pointer, 1),
    setU64: (memory, pointer) => memory.setU64(pointer, 1n),
    bytes: (memory, pointer) => memory.bytes(pointer, 1),
    text: (memory, pointer) => memory.text(pointer, 1),
  };
  for (const [name, access] of Object.entries(accesses)) {
    it(`${name} finds what the memory has become when it has grown`, () => {
      const memory = new WebAssembly.Memory({ initial: 1 });
      const guest = new GuestMemory(memory);
      memory.grow(1);
      access(guest, 0);
      memory.grow(1);
      access(guest, 2 * PAGE);
    });

    it(`${name} throws EFAULT where a pointer leads out of the memory, also by wrapping around`, () => {
      const guest = new GuestMemory(new WebAssembly.Memory({ initial: 1 }));
      for (const pointer of [PAGE, 0x7fff_ffff, -1, -PAGE, 0x8000_0000 | 0]) {
        assert.throws(() => access(guest, pointer), { code: "EFAULT" }, `${name} at ${pointer}`);
      }
    });
  }
});
