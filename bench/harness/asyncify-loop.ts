/** The guest `loop` made by Binaryen's Asyncify, driven by hand: every call of its import is an asyncify unwind and a rewind. */

import { asyncify } from "./binaryen.ts";
import type { GuestFunctions } from "./guests.ts";

const AREA_BYTES = 65_536;

/** `guest` exports a memory. Null when Binaryen is not installed. */
export function asyncifiedLoop(guest: Uint8Array): ((depth: number, switches: number) => number) | null {
  const made = asyncify(guest);
  if (!made) return null;
  let isRewinding = false;
  const step = (): number => {
    if (isRewinding) {
      isRewinding = false;
      exports["asyncify_stop_rewind"]!();
      return 1;
    }
    exports["asyncify_start_unwind"]!(0);
    return 0;
  };
  const imports = { host: { step, next: step, tick: step } };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(made.bytes), imports);
  const exports = instance.exports as GuestFunctions;
  // Where its stack is, and the end of it, in the memory of the guest.
  const area = new Int32Array((instance.exports["memory"] as WebAssembly.Memory).buffer);
  return (depth, switches) => {
    area[0] = 8;
    area[1] = AREA_BYTES;
    let sum = exports["loop_at"]!(depth, switches) as number;
    while (exports["asyncify_get_state"]!() !== 0) {
      exports["asyncify_stop_unwind"]!();
      exports["asyncify_start_rewind"]!(0);
      isRewinding = true;
      sum = exports["loop_at"]!(depth, switches) as number;
    }
    return sum;
  };
}
