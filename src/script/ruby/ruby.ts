/** `stackful/script/ruby`: Ruby, by CRuby. */

import { HostReferences } from "../host-references.ts";
import type { ScriptLanguage } from "../language.ts";
import { ProgramPackage, cloneableOptions } from "../program/program-package.ts";
import type { ProgramOptions } from "../program/program-package.ts";
import { ProgramRuntime } from "../program/program-runtime.ts";
import { RubyProgram } from "./ruby-program.ts";

export type RubyOptions = ProgramOptions;

const installed = new ProgramPackage("Ruby", "@ruby/3.4-wasm-wasi/dist/ruby+stdlib.wasm", (bytes) => bytes);

/**
 * Ruby by CRuby, of the npm package `@ruby/3.4-wasm-wasi`, which has to be installed.
 *
 * ```ts
 * const engine = await ScriptEngine.create(ruby());
 * await engine.eval("[3, 1, 2].sort");
 * ```
 */
export function ruby(options: RubyOptions = {}): ScriptLanguage {
  return {
    name: "Ruby",
    origin: { module: import.meta.url, factory: "ruby", options: cloneableOptions(options) },
    async start(runtimeOptions) {
      const references = new HostReferences();
      const module = await installed.compiled(options, runtimeOptions);
      const program = await RubyProgram.start(module, runtimeOptions, references);
      return new ProgramRuntime("Ruby", { program, options: runtimeOptions, references });
    },
  };
}
