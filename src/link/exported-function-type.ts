/**
 * Whether a function that a guest exports has the type that another guest imports it as.
 *
 * Engines test it when they link the two directly, and the JavaScript API has no other way to ask: linked through a function of ours,
 * its arguments would silently be converted.
 */

import { ModuleBuilder } from "../binary/builder.ts";
import { valueTypeNamed } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import type { HostFunctionType } from "./host-function.ts";

/** Type in text → a module that imports a function of it. */
const probes = new Map<string, WebAssembly.Module>();

/** True where that cannot be told: for types of a guest's own. */
export function hasType(exported: Function, type: HostFunctionType): boolean {
  const key = `${type.params.join()} ${type.results.join()}`;
  const probe = probes.get(key) ?? makeProbe(type);
  if (probe === undefined) return true;
  probes.set(key, probe);
  try {
    void new WebAssembly.Instance(probe, { host: { exported } });
    return true;
  } catch (error) {
    if (error instanceof WebAssembly.LinkError) return false;
    throw error;
  }
}

/** `(module (import "host" "exported" (func (param …) (result …))))` */
function makeProbe({ params, results }: HostFunctionType): WebAssembly.Module | undefined {
  const types = [params, results].map((names) => names.map(valueTypeNamed));
  if (types.flat().includes(undefined)) return undefined;
  const [paramTypes, resultTypes] = types as [ValueType[], ValueType[]];
  const module = new ModuleBuilder();
  module.importFunction("host", "exported", { params: paramTypes, results: resultTypes });
  return new WebAssembly.Module(module.build());
}
