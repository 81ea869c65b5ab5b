/** What backend `transform` makes of a guest, once for all of its instances. */

import { betterError } from "../link/guest-module.ts";
import type { GuestModule } from "../link/guest-module.ts";
import type { PreparedGuest } from "../link/prepare.ts";
import { importKey, suspendableImports } from "../link/suspendable-imports.ts";
import { buildSwitchModule } from "../link/switch-module.ts";
import { transformCached } from "../transform/cached-transform.ts";
import { CompiledModules } from "../transform/compiled-modules.ts";
import { moduleCache } from "../transform/module-cache.ts";
import type { ModuleCache } from "../transform/module-cache.ts";
import { transformModule } from "../transform/transform-module.ts";
import type { TransformedModule } from "../transform/transformed-module.ts";
import { packedGuest } from "./packaged-guest.ts";

export interface TransformedGuest {
  readonly transformed: TransformedModule;
  readonly switches: WebAssembly.Module;
  /** Positions, among all imports of the guest, of those that may suspend. */
  readonly suspendable: readonly number[];
  /** Of those that could, but were excluded. */
  readonly excluded: ReadonlySet<number>;
}

/** Where transformed guests are kept of which nobody says where; `false`: nowhere. */
export type CacheOption = ModuleCache | false;
const processCache = moduleCache();

/** Transforms and compiles `module`, or finds what was made of it before. */
export function transformedGuest(
  module: GuestModule,
  prepared: PreparedGuest,
  cache: CacheOption = processCache,
): Promise<TransformedGuest> {
  const known = module.generated.get("transform") as Promise<TransformedGuest> | undefined;
  const made = known ?? compileGuest(prepared, packedGuest(module) ?? transformGuest(prepared, cache));
  module.generated.set("transform", made);
  return made;
}

async function compileGuest(
  prepared: PreparedGuest,
  made: TransformedModule | Promise<TransformedModule>,
): Promise<TransformedGuest> {
  const transformed = await made;
  await CompiledModules.later(transformed);
  const { imports } = prepared.surface;
  // One that was transformed ahead of time may have been told that an import never suspends.
  const suspendable = suspendableImports(prepared.surface).filter(
    (position) => transformed.calls.functions[imports[position]!.index] === 1,
  );
  const excluded = new Set(suspendableImports(prepared.original));
  for (const position of suspendable) excluded.delete(position);
  return { transformed, switches: buildSwitchModule(prepared), suspendable, excluded };
}

async function transformGuest(
  { original, surface, bytes }: PreparedGuest,
  cache: CacheOption,
): Promise<TransformedModule> {
  const names = new Set(suspendableImports(surface).map((position) => importKey(surface.imports[position]!)));
  const options = { imports: (module: string, name: string): boolean => names.has(importKey({ module, name })) };
  try {
    return cache === false ? transformModule(bytes, options) : await transformCached(bytes, options, cache);
  } catch (error) {
    throw error instanceof WebAssembly.CompileError ? await betterError(original.bytes, error) : error;
  }
}
