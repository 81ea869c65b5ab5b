/** The engine's compiled form of a transformed module, made once for all of its instances. */

import type { TransformedModule } from "./transform-module.ts";

export class CompiledModules {
  readonly main: WebAssembly.Module;
  /** `undefined` when the runtime is part of the main module. */
  readonly runtime: WebAssembly.Module | undefined;
  readonly #transformed: TransformedModule;
  #resume: WebAssembly.Module | undefined;

  /** Compiles what is needed at once, on this thread. */
  static now(transformed: TransformedModule): CompiledModules {
    const { main, runtime } = transformed;
    return (
      known(transformed) ??
      remember(transformed, new WebAssembly.Module(main), runtime && new WebAssembly.Module(runtime))
    );
  }

  /** The same, on other threads where the engine has some. */
  static async later(transformed: TransformedModule): Promise<CompiledModules> {
    const { main, runtime } = transformed;
    const compilingRuntime = runtime === null ? Promise.resolve(null) : WebAssembly.compile(runtime);
    const [compiledMain, compiledRuntime] = await Promise.all([WebAssembly.compile(main), compilingRuntime]);
    return known(transformed) ?? remember(transformed, compiledMain, compiledRuntime);
  }

  /** Made by {@link CompiledModules.now} and {@link CompiledModules.later}. */
  constructor(transformed: TransformedModule, main: WebAssembly.Module, runtime: WebAssembly.Module | null) {
    this.#transformed = transformed;
    this.main = main;
    this.runtime = runtime ?? undefined;
  }

  /** The module that continues suspended stacks. Compiled when it is asked for first. */
  get resume(): WebAssembly.Module {
    return (this.#resume ??= new WebAssembly.Module(this.#transformed.resume()));
  }
}

const compiled = new WeakMap<TransformedModule, CompiledModules>();

function known(transformed: TransformedModule): CompiledModules | undefined {
  return compiled.get(transformed);
}

function remember(
  transformed: TransformedModule,
  main: WebAssembly.Module,
  runtime: WebAssembly.Module | null,
): CompiledModules {
  const modules = new CompiledModules(transformed, main, runtime);
  compiled.set(transformed, modules);
  return modules;
}
