/** Makes the stack pool of an instance, from what is known of its guest. */

import { keepContexts } from "./activation-context.ts";
import type { GuestAllocator } from "./allocator.ts";
import { STACK_POINTER } from "./entry-shims.ts";
import type { LinkOptions } from "./linked-guest.ts";
import { ALLOCATE, FREE_MEMORY, MEMORY_0, importsMemory } from "./prepare.ts";
import type { PreparedGuest } from "./prepare.ts";
import { AllocatedRegions, GrownRegions } from "./region-source.ts";
import { TAKEN, tenantsOf } from "./shared-memory.ts";
import type { MemoryTenants } from "./shared-memory.ts";
import { StackPool } from "./stacks.ts";
import type { GuestStackPlan, RegionSource } from "./stacks.ts";

/** The guest's first memory, exported or not. */
export function guestMemory(raw: WebAssembly.Instance): WebAssembly.Memory | undefined {
  return raw.exports[MEMORY_0] as WebAssembly.Memory | undefined;
}

/**
 * The pool for an instance: its own, or that of another one with which it shares its stack. `synchronously` runs what calls the
 * guest's allocator.
 *
 * @throws {WebAssembly.LinkError} when it cannot share a memory with what is there already
 */
export function makeStackPool(
  guest: PreparedGuest,
  raw: WebAssembly.Instance,
  { stacks: options, isThread = false }: Pick<LinkOptions, "stacks" | "isThread">,
  synchronously: <Result>(body: () => Result) => Result,
): StackPool {
  const memory = guestMemory(raw);
  const currentMemory = (): WebAssembly.Memory | undefined => guestMemory(raw);
  if (memory === undefined) return new StackPool({ kind: "none", source: NO_REGIONS, memory: currentMemory }, options);
  const { memorySource, stack } = guest;
  if (isThread) {
    const kind = stack.kind === "none" ? "none" : "regions";
    return new StackPool({ kind, source: NO_REGIONS, memory: currentMemory }, options);
  }
  const tenants = tenantsOf(memory);
  if (memorySource.kind === "none" && memorySource.takesGrownPages && importsMemory(guest.original)) tenants.addTaker();
  if (stack.kind === "none") return new StackPool({ kind: "none", source: NO_REGIONS, memory: currentMemory }, options);
  const pointer = raw.exports[STACK_POINTER] as WebAssembly.Global | undefined;
  const shared = tenants.find(pointer);
  if (shared !== undefined) {
    shared.share(pointer === undefined ? UNKNOWN_STACK : SHARED_STACK);
    keepContexts();
    return shared;
  }
  const source = makeSource(guest, raw, { tenants, synchronously });
  const pool = new StackPool({ ...planFor(guest, source), memory: currentMemory }, options);
  tenants.add({ pointer, pool, grows: memorySource.kind === "grow" && !pool.isSingle });
  return pool;
}

const SHARED_STACK = "it shares its stack with another guest";
const UNKNOWN_STACK = "it shares its memory with another guest, and the stack of one of them was not found";

function planFor(
  { stack, memorySource }: PreparedGuest,
  source: RegionSource | undefined,
): Omit<GuestStackPlan, "memory"> {
  if (stack.kind === "unknown") return { kind: "single", source: NO_REGIONS, queueReason: stack.reason };
  if (source !== undefined) return { kind: "regions", source };
  const queueReason = memorySource.kind === "none" ? memorySource.reason : TAKEN;
  return { kind: "single", source: NO_REGIONS, queueReason };
}

const NO_REGIONS: RegionSource = { allocate: () => undefined, free: () => {} };

function makeSource(
  { memorySource, original }: PreparedGuest,
  raw: WebAssembly.Instance,
  { tenants, synchronously }: { tenants: MemoryTenants; synchronously: <Result>(body: () => Result) => Result },
): RegionSource | undefined {
  const is64 = original.memories[0]?.is64 === true;
  const memory = guestMemory(raw);
  if (memorySource.kind === "allocator" && raw.exports[ALLOCATE] !== undefined) {
    const regions = guarded(memorySource.allocator, is64, raw, synchronously);
    tenants.addAllocator(regions);
    return regions;
  }
  // A side module has none of its own.
  if (tenants.allocator !== undefined) return tenants.allocator;
  if (memorySource.kind !== "grow" || memory === undefined || tenants.takesGrownPages) return undefined;
  return tenants.growing(new GrownRegions(memory, is64));
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
