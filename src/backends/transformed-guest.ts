/** What backend `transform` makes of a guest, once for all of its instances. */

import { functionType, signature } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import { betterError } from "../link/guest-module.ts";
import type { GuestModule } from "../link/guest-module.ts";
import type { PreparedGuest } from "../link/prepare.ts";
import { buildSwitchModule } from "../link/switch-module.ts";
import { CompiledModules } from "../transform/compiled-modules.ts";
import { transformModule } from "../transform/transform-module.ts";
import type { TransformedModule } from "../transform/transform-module.ts";

export interface TransformedGuest {
  readonly transformed: TransformedModule;
  readonly switches: WebAssembly.Module;
  /** Positions, among all imports of the guest, of those that may suspend. */
  readonly suspendable: readonly number[];
}

/** Transforms and compiles `module`, or finds what was made of it before. */
export function transformedGuest(module: GuestModule, prepared: PreparedGuest): Promise<TransformedGuest> {
  const known = module.generated.get("transform") as Promise<TransformedGuest> | undefined;
  const made = known ?? transformGuest(prepared);
  module.generated.set("transform", made);
  return made;
}

async function transformGuest(prepared: PreparedGuest): Promise<TransformedGuest> {
  const { original } = prepared;
  const suspendable = suspendableImports(original);
  const names = new Set(suspendable.map((position) => importKey(original.imports[position]!)));
  let transformed: TransformedModule;
  try {
    transformed = transformModule(prepared.bytes, {
      imports: (module, name) => names.has(importKey({ module, name })),
    });
  } catch (error) {
    throw error instanceof WebAssembly.CompileError ? await betterError(original.bytes, error) : error;
  }
  await CompiledModules.later(transformed);
  return { transformed, switches: buildSwitchModule(prepared), suspendable };
}

/**
 * Functions whose results JavaScript can give. A name that is imported twice with different types has one value in the import
 * object, which could not tell what it is called as.
 */
function suspendableImports(module: BinaryModule): number[] {
  const typesOf = new Map<string, Set<number>>();
  const functions = [...module.imports.keys()].filter((position) => module.imports[position]!.kind === "function");
  for (const position of functions) {
    const entry = module.imports[position]!;
    const types = typesOf.get(importKey(entry)) ?? new Set();
    typesOf.set(importKey(entry), types.add(module.functions[entry.index]!));
  }
  return functions.filter((position) => {
    const entry = module.imports[position]!;
    const { params, results } = signature(functionType(module, entry.index));
    return typesOf.get(importKey(entry))!.size === 1 && [...params, ...results].every((type) => !UNKNOWN.has(type));
  });
}

const UNKNOWN: ReadonlySet<string> = new Set(["v128", "exnref"]);

function importKey({ module, name }: { readonly module: string; readonly name: string }): string {
  return JSON.stringify([module, name]);
}
