/** `random_get`. */

import { requireWanted, run, soon } from "./soon.ts";
import type { Steps } from "./soon.ts";
import type { Syscall, Syscalls } from "./syscall.ts";
import { giveWay } from "./waiting.ts";

/** Bytes at a time: the program's memory may be shared, which the platform does not fill. */
const CHUNK_BYTES = 65_536;

export const random: Syscalls = {
  random_get(call: Syscall, buffer: number, length: number) {
    const [start, end] = [buffer >>> 0, (buffer >>> 0) + (length >>> 0)];
    call.memory.require(start, end - start);
    if (end - start > CHUNK_BYTES) return run(fillAll(call, start, end));
    fill(call, start, new Uint8Array(end - start));
  },
};

/** Gigabytes take seconds, in which nothing else would happen. */
function* fillAll(call: Syscall, start: number, end: number): Steps<void> {
  const { canWait } = call;
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let at = start; at < end; at += CHUNK_BYTES) {
    fill(call, at, chunk.subarray(0, end - at));
    const turn = giveWay({ signal: call.signal, canWait });
    if (turn === undefined) continue;
    yield* soon(turn);
    requireWanted(call);
  }
}

function fill({ program, memory }: Syscall, at: number, chunk: Uint8Array<ArrayBuffer>): void {
  program.random.fill(chunk);
  memory.setBytes(at, chunk);
}
