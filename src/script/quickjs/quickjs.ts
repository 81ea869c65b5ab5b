/** `stackful/script/quickjs`: JavaScript, by QuickJS. */

import type { ScriptLanguage } from "../language.ts";
import type { QuickJSOptions } from "./quickjs-package.ts";
import { QuickJSRuntime } from "./quickjs-runtime.ts";

export type { QuickJSOptions } from "./quickjs-package.ts";

/**
 * JavaScript by QuickJS, of the npm package `@jitl/quickjs-wasmfile-release-sync`, which has to be installed.
 *
 * ```ts
 * const engine = await ScriptEngine.create(quickjs());
 * await engine.eval("[3, 1, 2].sort()");
 * ```
 */
export function quickjs(options: QuickJSOptions = {}): ScriptLanguage {
  const text = (place: unknown): unknown => (place instanceof URL ? place.href : place);
  return {
    name: "QuickJS",
    // A URL cannot be cloned.
    origin: {
      module: import.meta.url,
      factory: "quickjs",
      options: { ...options, glue: text(options.glue), wasm: text(options.wasm) },
    },
    start: (runtimeOptions) => QuickJSRuntime.start(options, runtimeOptions),
  };
}
