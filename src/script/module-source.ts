/** Where the text of a module comes from that a script wants. */

import type { RuntimeOptions } from "./language.ts";

/** @throws {Error} when there is no module of that name, or nobody who could have it */
export async function moduleSource(loadModule: RuntimeOptions["loadModule"], name: string): Promise<string> {
  if (loadModule === undefined) throw new Error(`Cannot load module "${name}": the engine has no loadModule`);
  const source = await loadModule(name);
  if (typeof source === "string") return source;
  throw new TypeError(`Cannot load module "${name}": loadModule must give its source, received ${typeof source}`);
}
