/** Instantiates transformed modules without the driver, so that nothing is measured but what is generated. */

import { ABI } from "#src/transform/abi";
import { AreaMemory } from "#src/transform/area-memory";
import { FIRST_FUNCTIONS, FIRST_MODULE, SHARED_FUNCTIONS } from "#src/transform/first-module";
import { MEMORIES, importedMemories } from "#src/transform/imported-memories";
import { RAISE } from "#src/transform/resume-module";
import type { TransformedModule } from "#src/transform/transformed-module";
import type { GuestFunctions } from "./guests.ts";

/** What a first module imports besides what its guest does, for one instance. */
export function addedImports(transformed: TransformedModule): WebAssembly.Imports {
  return { [MEMORIES]: importedMemories(transformed, AreaMemory.withRoom().memory) };
}

function link(bytes: Uint8Array<ArrayBuffer>, imports: object): GuestFunctions {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports as WebAssembly.Imports);
  return instance.exports as GuestFunctions;
}

/** The instances of the modules, resume copies included: exports of the first, and of the one that has the runtime. */
export function linkAll(
  transformed: TransformedModule,
  imports: object,
): { first: GuestFunctions; runtime: GuestFunctions } {
  const areas = AreaMemory.withRoom();
  const memories = { [MEMORIES]: importedMemories(transformed, areas.memory) };
  const first = link(transformed.main, { ...imports, ...memories });
  const runtime = transformed.runtime ? link(transformed.runtime, { [FIRST_MODULE]: first, ...memories }) : first;
  const exports = first as unknown as WebAssembly.Exports;
  (exports[ABI.record] as WebAssembly.Global<"i32">).value = areas.admit(first);
  const table = exports[SHARED_FUNCTIONS] as WebAssembly.Table;
  const functions = Array.from({ length: table.length }, (_, place) => [String(place), table.get(place)] as const);
  link(transformed.resume(), {
    [FIRST_MODULE]: first,
    [FIRST_FUNCTIONS]: { ...Object.fromEntries(functions), [RAISE]: () => {} },
  });
  return { first, runtime };
}
