/**
 * What is known of the guests that share one memory.
 *
 * Two of them may also share one stack: then there is one pool for both, so that a call of one waits for a call of the other. And
 * one may take whatever the memory grows by as its own: then it does not grow for the stacks of others.
 */

import type { RegionSource, StackPool } from "./stacks.ts";

/** A guest on a memory. */
export interface Tenant {
  /** Its stack pointer; `undefined`: it has a stack of which nothing is known. */
  readonly pointer: WebAssembly.Global | undefined;
  readonly pool: StackPool;
  /** Whether the memory grows for its stacks. */
  readonly grows: boolean;
}

export const TAKEN =
  "another guest on its memory reads memory.size, so that it may take grown memory as its own, and has no allocator";

/** Held weakly: a memory may outlive many guests. */
interface Entry {
  readonly pointer: WeakRef<WebAssembly.Global> | undefined;
  readonly pool: WeakRef<StackPool>;
  readonly grows: boolean;
}

const known = new WeakMap<WebAssembly.Memory, MemoryTenants>();

export function tenantsOf(memory: WebAssembly.Memory): MemoryTenants {
  const found = known.get(memory) ?? new MemoryTenants();
  known.set(memory, found);
  return found;
}

export class MemoryTenants {
  #entries: Entry[] = [];
  /** Whether the memory was grown for a stack. */
  #isGrown = false;
  #takesGrownPages = false;
  #allocator: WeakRef<RegionSource> | undefined;

  /** Whether a guest on it takes whatever it grows by as its own. */
  get takesGrownPages(): boolean {
    return this.#takesGrownPages;
  }

  /** Regions from the allocator of a guest on it, if one has any. */
  get allocator(): RegionSource | undefined {
    return this.#allocator?.deref();
  }

  add({ pointer, pool, grows }: Tenant): void {
    this.#entries = this.#entries.filter((entry) => entry.pool.deref() !== undefined);
    this.#entries.push({ pointer: pointer && new WeakRef(pointer), pool: new WeakRef(pool), grows });
  }

  addAllocator(regions: RegionSource): void {
    this.#allocator = new WeakRef(regions);
  }

  /** The pool of a guest that has this stack, or may have it. */
  find(pointer: WebAssembly.Global | undefined): StackPool | undefined {
    const sharing = this.#entries.find(
      (entry) => pointer === undefined || entry.pointer === undefined || entry.pointer.deref() === pointer,
    );
    return sharing?.pool.deref();
  }

  /**
   * A guest that takes what the memory grows by is about to be linked.
   *
   * @throws {WebAssembly.LinkError} when some of that is a stack already
   */
  addTaker(): void {
    if (this.#isGrown) {
      throw new WebAssembly.LinkError(
        "Cannot link guest: its code reads memory.size, so that it may take grown memory as its own, " +
          "and the memory that it imports was grown for the stacks of another guest; link this one before that is called",
      );
    }
    this.#takesGrownPages = true;
    for (const { grows, pool } of this.#entries) if (grows) pool.deref()?.becomeSingle(TAKEN);
  }

  /** `regions`, which grow the memory; it is remembered that they did. */
  growing(regions: RegionSource): RegionSource {
    return {
      allocate: (bytes) => {
        this.#isGrown = true;
        return regions.allocate(bytes);
      },
      free: (address, bytes) => regions.free(address, bytes),
    };
  }
}
