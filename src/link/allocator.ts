/**
 * Decides where in a guest's memory room for further stacks may come from.
 *
 * The guest's own allocator is always right. Growing the memory is right only if no allocator of the guest takes whatever lies
 * between its break and the end of the memory as its own, as those do that look at `memory.size` (Emscripten's `sbrk`,
 * TinyGo's heap, wasi-libc before 2023): then nothing is.
 */

import type { BinaryModule } from "../binary/module.ts";
import { functionType } from "../binary/module.ts";
import { ModuleNames } from "../binary/names.ts";
import { I32, I64 } from "../binary/value-types.ts";
import type { CodeScan } from "./scan.ts";

/** Function indices of `malloc` and `free`, and how many arguments they want. */
export interface GuestAllocator {
  readonly allocate: number;
  readonly free: number | undefined;
  /** Also passes the alignment to `allocate`, and size and alignment to `free`. */
  readonly passesAlignment: boolean;
}

export type MemorySource =
  | { readonly kind: "allocator"; readonly allocator: GuestAllocator }
  | { readonly kind: "grow" }
  | {
      readonly kind: "none";
      readonly reason: string;
      /** Whether the guest may take as its own what somebody else grows the memory by. */
      readonly takesGrownPages: boolean;
    };

/** The end of a reason that linking the guest otherwise would remove. */
export const NO_ALLOCATOR = "no allocator was found";

/** Names under which toolchains have an allocator: C, Emscripten, wasm-bindgen. */
const ALLOCATORS = [
  { allocate: "malloc", free: "free", passesAlignment: false },
  { allocate: "_malloc", free: "_free", passesAlignment: false },
  { allocate: "__wbindgen_malloc", free: "__wbindgen_free", passesAlignment: true },
] as const;

export function findMemorySource(module: BinaryModule, scan: CodeScan): MemorySource {
  const allocator = findAllocator(module);
  if (allocator !== undefined) return { kind: "allocator", allocator };
  const memory = module.memories[0];
  if (memory === undefined) return { kind: "none", reason: "the guest has no memory", takesGrownPages: false };
  const takesGrownPages = scan.readsMemorySize;
  if (memory.maximum === memory.minimum) {
    return { kind: "none", reason: `its memory cannot grow, and ${NO_ALLOCATOR}`, takesGrownPages };
  }
  if (takesGrownPages) {
    return {
      kind: "none",
      reason: `its code reads memory.size, so that it may take grown memory as its own, and ${NO_ALLOCATOR}`,
      takesGrownPages,
    };
  }
  return { kind: "grow" };
}

function findAllocator(module: BinaryModule): GuestAllocator | undefined {
  const names = new ModuleNames(module);
  const find = (name: string, params: number, results: number): number | undefined => {
    const exported = module.exports.find((entry) => entry.kind === "function" && entry.name === name)?.index;
    const index = exported ?? names.find("function", name);
    return index !== undefined && isAddressFunction(module, index, params, results) ? index : undefined;
  };
  for (const { allocate, free, passesAlignment } of ALLOCATORS) {
    const found = find(allocate, passesAlignment ? 2 : 1, 1);
    if (found !== undefined) return { allocate: found, free: find(free, passesAlignment ? 3 : 1, 0), passesAlignment };
  }
  return undefined;
}

function isAddressFunction(module: BinaryModule, index: number, params: number, results: number): boolean {
  const type = functionType(module, index);
  const address = module.memories[0]?.is64 === true ? I64 : I32;
  return (
    type.params.length === params &&
    type.results.length === results &&
    [...type.params, ...type.results].every((value) => value === address)
  );
}
