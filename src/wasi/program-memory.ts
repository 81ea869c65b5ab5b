/** The memory that the threads of a program share, for a program that imports one. */

import type { MemoryType } from "../binary/extern-types.ts";

/** What TypeScript's library does not know of memories. */
interface Descriptor {
  readonly initial: number | bigint;
  readonly maximum?: number | bigint;
  readonly shared?: boolean;
  readonly address?: "i64";
}

/** @throws {RangeError} when there is no room for it */
export function makeMemory({ minimum, maximum, shared = false, is64 = false }: MemoryType): WebAssembly.Memory {
  const pages = (count: number): number | bigint => (is64 ? BigInt(count) : count);
  const descriptor: Descriptor = {
    initial: pages(minimum),
    ...(maximum !== undefined && { maximum: pages(maximum) }),
    ...(shared && { shared }),
    ...(is64 && { address: "i64" }),
  };
  return new WebAssembly.Memory(descriptor as WebAssembly.MemoryDescriptor);
}
