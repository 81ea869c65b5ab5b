/** Where the memory of further stacks comes from: the guest's allocator, or pages that its memory grows by. */

import type { GuestAllocator } from "./allocator.ts";
import type { RegionSource } from "./stacks.ts";

const PAGE_BYTES = 65536;
const ALIGNMENT_BYTES = 16;

/** A function that the guest exports: sizes and addresses are bigint in a 64-bit memory. */
type GuestFunction = (...args: (number | bigint)[]) => number | bigint | undefined;

/** Takes regions from the guest's `malloc` and gives them back with `free`, if it has one. */
export class AllocatedRegions implements RegionSource {
  readonly #allocator: GuestAllocator;
  readonly #is64: boolean;
  readonly #allocate: GuestFunction;
  readonly #free: GuestFunction | undefined;
  /** Aligned address → the address that the allocator gave. */
  readonly #given = new Map<number, number>();

  constructor(
    allocator: GuestAllocator,
    is64: boolean,
    functions: { readonly allocate: GuestFunction; readonly free: GuestFunction | undefined },
  ) {
    this.#allocator = allocator;
    this.#is64 = is64;
    this.#allocate = functions.allocate;
    this.#free = functions.free;
  }

  allocate(bytes: number): number | undefined {
    // malloc aligns to 16 bytes in wasi-libc and Emscripten, but others have 8.
    const given = this.#tryToAllocate(bytes + ALIGNMENT_BYTES);
    const address = typeof given === "number" ? given >>> 0 : Number(given);
    if (address === 0) return undefined;
    const aligned = Math.ceil(address / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
    this.#given.set(aligned, address);
    return aligned;
  }

  free(address: number, bytes: number): void {
    const given = this.#given.get(address);
    if (given === undefined || this.#free === undefined) return;
    this.#given.delete(address);
    const rest = this.#allocator.passesAlignment ? this.#arguments(bytes + ALIGNMENT_BYTES) : [];
    this.#free(this.#integer(given), ...rest);
  }

  /** An allocator that traps has no room either: the call waits for a stack, and the guest is not told. */
  #tryToAllocate(bytes: number): number | bigint | undefined {
    try {
      return this.#allocate(...this.#arguments(bytes));
    } catch {
      return 0;
    }
  }

  #arguments(bytes: number): (number | bigint)[] {
    return this.#allocator.passesAlignment
      ? [this.#integer(bytes), this.#integer(ALIGNMENT_BYTES)]
      : [this.#integer(bytes)];
  }

  #integer(value: number): number | bigint {
    return this.#is64 ? BigInt(value) : value;
  }
}

/** Grows the memory, which is never given back to the engine: freed regions are used again. */
export class GrownRegions implements RegionSource {
  readonly #memory: WebAssembly.Memory;
  readonly #is64: boolean;
  /** Size → addresses of free regions of that size. */
  readonly #free = new Map<number, number[]>();
  #next = 0;
  #end = 0;

  constructor(memory: WebAssembly.Memory, is64: boolean) {
    this.#memory = memory;
    this.#is64 = is64;
  }

  allocate(bytes: number): number | undefined {
    const free = this.#free.get(bytes)?.pop();
    if (free !== undefined) return free;
    if (this.#end - this.#next < bytes && !this.#grow(bytes)) return undefined;
    this.#next += bytes;
    return this.#next - bytes;
  }

  free(address: number, bytes: number): void {
    const free = this.#free.get(bytes);
    if (free === undefined) this.#free.set(bytes, [address]);
    else free.push(address);
  }

  #grow(bytes: number): boolean {
    const pages = Math.ceil(bytes / PAGE_BYTES);
    try {
      // The JavaScript API wants the delta of a 64-bit memory as a bigint.
      const before: unknown = this.#memory.grow((this.#is64 ? BigInt(pages) : pages) as number);
      const start = Number(before) * PAGE_BYTES;
      // What is left of the last growth is lost, unless this one follows it.
      if (start !== this.#end) this.#next = start;
      this.#end = start + pages * PAGE_BYTES;
      return true;
    } catch {
      return false;
    }
  }
}
