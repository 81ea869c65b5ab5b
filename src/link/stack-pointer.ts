/**
 * Finds the stack that a guest keeps in its linear memory.
 *
 * Engines switch the native stack only. Compilers that use LLVM put what has an address on a second one, the shadow stack, whose
 * pointer is a mutable global (`__stack_pointer`, tool-conventions/DynamicLinking.md). Two activations that overlap on it
 * overwrite each other's locals without a sound, so nobody may overlap them before it is known where it is.
 */

import type { BinaryModule } from "../binary/module.ts";
import { ModuleNames } from "../binary/names.ts";
import { I32, I64 } from "../binary/value-types.ts";
import type { CodeScan } from "./scan.ts";

/**
 * - `"found"`: `global` points to it
 * - `"none"`: no code of the guest has frames in memory
 * - `"unknown"`: it has a stack of some other kind; its activations must not overlap
 */
export type GuestStack =
  | { readonly kind: "found"; readonly global: number }
  | { readonly kind: "none" }
  | { readonly kind: "unknown"; readonly reason: string };

const NAME = "__stack_pointer";

/** What gives a stack pointer away: the name under which it is exported or imported, that in the name section, or how code uses it. */
export type PointerEvidence = "export" | "import" | "name" | "pattern";

export function findGuestStack(module: BinaryModule, scan: CodeScan): GuestStack {
  if (module.memories.length === 0) return { kind: "none" };
  const named = findNamed(module);
  const framed = [...scan.globals].filter(([, { frames }]) => frames > 0).map(([global]) => global);
  const foreign = [...scan.globals].find(
    ([global, { frames, pushes, addresses }]) => frames === 0 && pushes > 0 && addresses > 0 && global !== named,
  );
  if (foreign !== undefined) {
    return { kind: "unknown", reason: `global ${foreign[0]} looks like the pointer of a stack that is not LLVM's` };
  }
  if (named !== undefined) return { kind: "found", global: named };
  if (framed.length > 1)
    return { kind: "unknown", reason: `globals ${framed.join(", ")} all look like a stack pointer` };
  const [global] = framed;
  return global === undefined ? { kind: "none" } : { kind: "found", global };
}

/** How it was found that `global` is the stack pointer. */
export function evidenceFor(module: BinaryModule, global: number): PointerEvidence {
  const { index, evidence } = findName(module);
  return index === global ? evidence : "pattern";
}

function findNamed(module: BinaryModule): number | undefined {
  const global = findName(module).index;
  const type = global === undefined ? undefined : module.globals[global];
  return type?.mutable === true && (type.type === I32 || type.type === I64) ? global : undefined;
}

function findName(module: BinaryModule): { index: number | undefined; evidence: PointerEvidence } {
  const isPointer = (entry: { kind: string; name: string }): boolean => entry.kind === "global" && entry.name === NAME;
  const exported = module.exports.find(isPointer)?.index;
  if (exported !== undefined) return { index: exported, evidence: "export" };
  const imported = module.imports.find(isPointer)?.index;
  if (imported !== undefined) return { index: imported, evidence: "import" };
  return { index: new ModuleNames(module).find("global", NAME), evidence: "name" };
}
