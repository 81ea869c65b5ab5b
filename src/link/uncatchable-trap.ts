/** An error that guest code cannot catch. */

import { ModuleBuilder } from "../binary/builder.ts";

let trap: unknown;

/**
 * A real trap, to reject a suspended call with: engines let it through `catch_all` and run no code of the guest on its way.
 *
 * Only a trap that the engine itself has thrown behaves so; a `WebAssembly.RuntimeError` made in JavaScript is an ordinary
 * exception to a guest. (JavaScript API, "throw a trap"; the same object may be thrown again.)
 */
export function uncatchableTrap(): unknown {
  trap ??= makeTrap();
  return trap;
}

/** `(module (func (export "trap") (unreachable)))` */
function makeTrap(): unknown {
  const module = new ModuleBuilder();
  const body = module.addFunction({ params: [], results: [] });
  body.code.unreachable();
  module.export("trap", "function", body.index);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.build()));
  try {
    (exports["trap"] as () => void)();
  } catch (error) {
    return error;
  }
  throw new Error("Cannot make a trap: unreachable was reached");
}
