/** Which imports and functions the patterns of `--only` and `--exclude` mean. */

import { importedFunctions } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import { ModuleNames } from "../binary/names.ts";
import { UsageError } from "./command.ts";
import { suggest } from "./suggest.ts";

export interface Selection {
  /** Whether the import may suspend. */
  readonly imports: (module: string, name: string) => boolean;
  /** Whether the function may not, whatever it calls. */
  readonly exclude: (index: number) => boolean;
}

/** What the patterns of one option mean; `null`: none of them is about these. */
interface Matches {
  /** `module.name` */
  readonly imports: ReadonlySet<string> | null;
  /** Indices. */
  readonly functions: ReadonlySet<number> | null;
}

/** @throws {UsageError} when a pattern fits nothing */
export function selectFrom(module: BinaryModule, only: readonly string[], exclude: readonly string[]): Selection {
  const candidates = new Candidates(module);
  const onlyThese = candidates.matches(only);
  const notThese = candidates.matches(exclude);
  return {
    imports: (from, name) => isSelected(`${from}.${name}`, onlyThese.imports, notThese.imports),
    exclude: (index) => !isSelected(index, onlyThese.functions, notThese.functions),
  };
}

function isSelected<Item>(item: Item, only: ReadonlySet<Item> | null, exclude: ReadonlySet<Item> | null): boolean {
  return (only === null || only.has(item)) && !(exclude?.has(item) ?? false);
}

const PREFIX = /^(import|function):/;

/** What patterns can mean in one module. */
class Candidates {
  readonly #imports: readonly string[];
  /** Indices of defined functions with all their names. */
  readonly #functions: ReadonlyMap<number, readonly string[]>;

  constructor(module: BinaryModule) {
    this.#imports = importedFunctions(module).map((entry) => `${entry.module}.${entry.name}`);
    const names = new ModuleNames(module);
    const functions = new Map<number, string[]>();
    for (let index = module.importedFunctions; index < module.functions.length; index++) {
      const name = names.name("function", index);
      functions.set(index, name === undefined ? [] : [name]);
    }
    for (const { kind, name, index } of module.exports) if (kind === "function") functions.get(index)?.push(name);
    this.#functions = functions;
  }

  matches(patterns: readonly string[]): Matches {
    const imports = new Set<string>();
    const functions = new Set<number>();
    for (const pattern of patterns) {
      const kind = PREFIX.exec(pattern)?.[1];
      const plain = pattern.replace(PREFIX, "");
      const fittingImports = kind === "function" ? [] : this.#imports.filter(globTest(plain));
      // What is the name of an import is about that, unless it says otherwise.
      const fittingFunctions = kind === "import" || fittingImports.length > 0 ? [] : this.#functionsFor(plain);
      if (fittingImports.length + fittingFunctions.length === 0) throw this.#nothingFits(pattern, plain);
      for (const name of fittingImports) imports.add(name);
      for (const index of fittingFunctions) functions.add(index);
    }
    return { imports: imports.size > 0 ? imports : null, functions: functions.size > 0 ? functions : null };
  }

  #functionsFor(plain: string): number[] {
    if (/^\d+$/.test(plain) && this.#functions.has(Number(plain))) return [Number(plain)];
    const fits = globTest(plain);
    return [...this.#functions].filter(([, names]) => names.some(fits)).map(([index]) => index);
  }

  #nothingFits(pattern: string, plain: string): UsageError {
    const names = [...this.#imports, ...[...this.#functions.values()].flat()];
    const similar = suggest(plain, names) ?? names.find((name) => name.endsWith(`.${plain}`));
    return new UsageError(
      `no imported function and no function of the module fits '${pattern}'`,
      similar === undefined ? undefined : `a similar name exists: '${similar}'`,
    );
  }
}

/** `*` stands for any characters, `?` for one; all others for themselves. */
function globTest(glob: string): (name: string) => boolean {
  const source = glob
    .replace(/[\\^$.|+()[\]{}]/g, String.raw`\$&`)
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  const expression = new RegExp(`^${source}$`, "su");
  return (name) => expression.test(name);
}
