/** `args_*` and `environ_*`: what the program was started with. */

import type { GuestMemory } from "./guest-memory.ts";
import type { Syscall, Syscalls } from "./syscall.ts";

const POINTER_BYTES = 4;

export const args: Syscalls = {
  args_sizes_get({ program, memory }: Syscall, count: number, bytes: number) {
    writeSizes(memory, program.args, { count, bytes });
  },

  args_get({ program, memory }: Syscall, pointers: number, buffer: number) {
    writeTexts(memory, program.args, { pointers, buffer });
  },

  environ_sizes_get({ program, memory }: Syscall, count: number, bytes: number) {
    writeSizes(memory, program.env, { count, bytes });
  },

  environ_get({ program, memory }: Syscall, pointers: number, buffer: number) {
    writeTexts(memory, program.env, { pointers, buffer });
  },
};

function writeSizes(memory: GuestMemory, texts: readonly Uint8Array[], at: { count: number; bytes: number }): void {
  memory.setU32(at.count, texts.length);
  memory.setU32(at.bytes, bytesOf(texts));
}

function writeTexts(memory: GuestMemory, texts: readonly Uint8Array[], at: { pointers: number; buffer: number }): void {
  // Nothing is written unless there is room for all of it, nor beyond the last address, where pointers begin again.
  memory.require(at.pointers, texts.length * POINTER_BYTES);
  memory.require(at.buffer, bytesOf(texts));
  let pointer = at.pointers >>> 0;
  let text = at.buffer >>> 0;
  for (const bytes of texts) {
    memory.setU32(pointer, text);
    memory.setBytes(text, bytes);
    pointer += POINTER_BYTES;
    text += bytes.length;
  }
}

function bytesOf(texts: readonly Uint8Array[]): number {
  return texts.reduce((sum, { length }) => sum + length, 0);
}
