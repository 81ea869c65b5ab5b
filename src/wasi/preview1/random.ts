/** `random_get`. */

import type { Syscall, Syscalls } from "./syscall.ts";

/** Bytes at a time: the program's memory may be shared, which the platform does not fill. */
const CHUNK_BYTES = 65_536;

export const random: Syscalls = {
  random_get({ program, memory }: Syscall, buffer: number, length: number) {
    const target = memory.bytes(buffer, length);
    const chunk = new Uint8Array(Math.min(target.length, CHUNK_BYTES));
    for (let start = 0; start < target.length; start += chunk.length) {
      const part = chunk.subarray(0, target.length - start);
      program.random.fill(part);
      target.set(part, start);
    }
  },
};
