/** Makes the stack pool of an instance, from what is known of its guest. */

import type { GuestAllocator } from "./allocator.ts";
import { ALLOCATE, FREE_MEMORY, MEMORY_0 } from "./prepare.ts";
import type { PreparedGuest } from "./prepare.ts";
import { AllocatedRegions, GrownRegions } from "./region-source.ts";
import { StackPool } from "./stacks.ts";
import type { RegionSource, StackOptions } from "./stacks.ts";

/** The guest's first memory, exported or not. */
export function guestMemory(raw: WebAssembly.Instance): WebAssembly.Memory | undefined {
  return raw.exports[MEMORY_0] as WebAssembly.Memory | undefined;
}

/** `synchronously` runs what calls the guest's allocator. */
export function makeStackPool(
  guest: PreparedGuest,
  raw: WebAssembly.Instance,
  options: StackOptions,
  synchronously: <Result>(body: () => Result) => Result,
): StackPool {
  const source = makeSource(guest, raw, synchronously);
  const memory = (): WebAssembly.Memory | undefined => guestMemory(raw);
  if (guest.stack.kind === "none") return new StackPool({ kind: "none", source: NO_REGIONS, memory }, options);
  if (guest.stack.kind === "unknown" || source === undefined) {
    return new StackPool({ kind: "single", source: NO_REGIONS, memory }, options);
  }
  return new StackPool({ kind: "regions", source, memory }, options);
}

const NO_REGIONS: RegionSource = { allocate: () => undefined, free: () => {} };

function makeSource(
  { memorySource, original }: PreparedGuest,
  raw: WebAssembly.Instance,
  synchronously: <Result>(body: () => Result) => Result,
): RegionSource | undefined {
  const is64 = original.memories[0]?.is64 === true;
  const memory = guestMemory(raw);
  if (memorySource.kind === "grow") return memory && new GrownRegions(memory, is64);
  if (memorySource.kind === "none" || raw.exports[ALLOCATE] === undefined) return undefined;
  return guarded(memorySource.allocator, is64, raw, synchronously);
}

function guarded(
  allocator: GuestAllocator,
  is64: boolean,
  raw: WebAssembly.Instance,
  synchronously: <Result>(body: () => Result) => Result,
): RegionSource {
  type GuestFunction = (...args: (number | bigint)[]) => number | bigint | undefined;
  const allocate = raw.exports[ALLOCATE] as GuestFunction;
  const free = raw.exports[FREE_MEMORY] as GuestFunction | undefined;
  return new AllocatedRegions(allocator, is64, {
    allocate: (...args) => synchronously(() => allocate(...args)),
    free: free && ((...args) => synchronously(() => free(...args))),
  });
}
