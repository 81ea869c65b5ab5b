/** How much an instance has taken of the memory of the areas, which it shares with others. */

import { ABI } from "#src/transform/abi";
import { INSTANCE_TAKEN, SMALLEST_EXTENT_LOG2 } from "#src/transform/area-memory";
import type { SuspendableInstance } from "#src/transform/suspendable-instance";

export function takenBytes({ instance, exports }: SuspendableInstance): number {
  const { buffer } = exports[ABI.memory] as WebAssembly.Memory;
  const record = (instance.exports[ABI.record] as WebAssembly.Global<"i32">).value >>> 0;
  return new Uint32Array(buffer)[(record + INSTANCE_TAKEN) >>> 2]! * 2 ** SMALLEST_EXTENT_LOG2;
}
