/** The engine's compiled form of a transformed module, made once for all of its instances. */

import { FIRST_FUNCTIONS } from "./first-module.ts";
import { RAISE } from "./resume-module.ts";
import type { TransformedModule } from "./transformed-module.ts";

export class CompiledModules {
  readonly main: WebAssembly.Module;
  /** `undefined` when the runtime is part of the main module. */
  readonly runtime: WebAssembly.Module | undefined;
  readonly #transformed: TransformedModule;
  /** The modules of resume copies so far. */
  readonly #parts: CompiledPart[] = [];
  #hasAll = false;

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

  /** The modules that have the resume copies with these numbers. What is in none yet is compiled now. */
  resume(numbers: readonly number[]): Set<ResumePartModule> {
    const missing = this.#hasAll
      ? []
      : numbers.filter((number) => !this.#parts.some((part) => part.numbers.has(number)));
    if (missing.length > 0) this.#add(missing);
    // The last one may have all of them.
    return new Set(
      numbers.map((number) => this.#parts.find((part) => part.numbers.has(number)) ?? this.#parts.at(-1)!),
    );
  }

  #add(missing: readonly number[]): void {
    const part = this.#parts.length < MAX_PARTS ? this.#transformed.resumeSome(missing) : null;
    this.#hasAll = part === null;
    const { numbers, bytes } = part ?? { numbers: [], bytes: this.#transformed.resume() };
    const module = new WebAssembly.Module(bytes);
    this.#parts.push({ numbers: new Set(numbers), module, functions: importedPlaces(module) });
  }
}

/** A module with resume copies. */
export interface ResumePartModule {
  readonly module: WebAssembly.Module;
  /** The functions of the first module that it imports: their places in the table, as names and as numbers. */
  readonly functions: readonly (readonly [name: string, place: number])[];
}

interface CompiledPart extends ResumePartModule {
  readonly numbers: ReadonlySet<number>;
}

function importedPlaces(module: WebAssembly.Module): ResumePartModule["functions"] {
  const imported = WebAssembly.Module.imports(module).filter((entry) => entry.module === FIRST_FUNCTIONS);
  const names = new Set(imported.map(({ name }) => name).filter((name) => name !== RAISE));
  return [...names].map((name) => [name, Number(name)]);
}

/** Each imports everything of the first module, which takes milliseconds for large ones; so the next one has all of them. */
const MAX_PARTS = 8;

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
