/** Which imported functions a host function can make wait. */

import { ATOMICS_MODULE, WAKE_NAME } from "../atomics/waiting-functions.ts";
import { functionType, signature } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";

/** Types of values that do not go through JavaScript: vectors, and references to exceptions of all kinds. */
const UNKNOWN = /^v128$|exn/;

/**
 * Positions, among all imports, of the functions whose results JavaScript can give. A name that is imported twice with
 * different types has one value in the import object, which could not tell what it is called as.
 */
export function suspendableImports(module: BinaryModule): number[] {
  const typesOf = new Map<string, Set<number>>();
  const functions = [...module.imports.keys()].filter((position) => module.imports[position]!.kind === "function");
  for (const position of functions) {
    const entry = module.imports[position]!;
    const types = typesOf.get(importKey(entry)) ?? new Set();
    typesOf.set(importKey(entry), types.add(module.functions[entry.index]!));
  }
  return functions.filter((position) => {
    const entry = module.imports[position]!;
    // Our own, which never does.
    if (entry.module === ATOMICS_MODULE && entry.name === WAKE_NAME) return false;
    const { params, results } = signature(functionType(module, entry.index));
    return typesOf.get(importKey(entry))!.size === 1 && [...params, ...results].every((type) => !UNKNOWN.test(type));
  });
}

/** One string for both names of an import. */
export function importKey({ module, name }: { readonly module: string; readonly name: string }): string {
  return JSON.stringify([module, name]);
}
