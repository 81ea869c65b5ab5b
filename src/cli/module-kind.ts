/** What kind of program a module is: by what it imports and exports. */

import { ATOMICS_MODULE } from "../atomics/waiting-functions.ts";
import type { BinaryModule } from "../binary/module.ts";

export interface ModuleKind {
  /** For programs. */
  readonly name: string;
  /** For people, with its article. */
  readonly description: string;
  /** What to do with it; `undefined` where there is nothing special. */
  readonly use?: string;
}

const PREVIEW_1 = "wasi_snapshot_preview1";
/** What came before it, in 2019. */
const UNSTABLE = "wasi_unstable";
/** What programs import that include `stackful.h`. */
const TASKS = "stackful";
const OF_WASI = [PREVIEW_1, UNSTABLE, TASKS];
/** What starts a thread, in the proposal wasi-threads. */
const THREAD_SPAWN = "wasi.thread-spawn";

export const WASI_COMMAND = "wasi-command";
export const WASI_REACTOR = "wasi-reactor";

/** Names are those of its imports (`module.name`) and exports. */
interface Rule extends ModuleKind {
  readonly applies: (names: Surface) => boolean;
}

class Surface {
  readonly modules: ReadonlySet<string>;
  readonly imports: readonly string[];
  readonly exports: ReadonlySet<string>;
  readonly customSections: ReadonlySet<string>;
  readonly #sharedMemories: readonly string[];

  constructor(module: BinaryModule) {
    const sharedMemories = module.imports.filter(
      ({ kind, index }) => kind === "memory" && module.memories[index]?.shared === true,
    );
    this.#sharedMemories = sharedMemories.map((entry) => `${entry.module}.${entry.name}`);
    this.modules = new Set(module.imports.map((entry) => entry.module));
    this.imports = module.imports.map((entry) => `${entry.module}.${entry.name}`);
    this.exports = new Set(module.exports.map(({ name }) => name));
    this.customSections = new Set(module.customSections.map(({ name }) => name));
  }

  imported(pattern: RegExp): boolean {
    return this.imports.some((name) => pattern.test(name));
  }

  exported(pattern: RegExp): boolean {
    return [...this.exports].some((name) => pattern.test(name));
  }

  /** Whether WASI is all that it wants, maybe with tasks or threads. */
  get wantsOnlyWasi(): boolean {
    return this.imports.every(
      (name) => OF_WASI.some((module) => name.startsWith(`${module}.`)) || this.#isOfThreads(name),
    );
  }

  get hasThreads(): boolean {
    return this.imports.includes(THREAD_SPAWN);
  }

  #isOfThreads(name: string): boolean {
    return name === THREAD_SPAWN || name.startsWith(`${ATOMICS_MODULE}.`) || this.#sharedMemories.includes(name);
  }
}

/** The first that applies. */
const RULES: readonly Rule[] = [
  {
    name: "side-module",
    description: "a side module, to be linked with others that share its memory",
    applies: ({ customSections }) => customSections.has("dylink.0") || customSections.has("dylink"),
  },
  {
    name: "go-js",
    description: "a Go program for browsers and Node (GOOS=js)",
    use: "it needs wasm_exec.js of its compiler; built with GOOS=wasip1 it is a WASI command",
    applies: ({ modules }) => modules.has("gojs") || modules.has("go"),
  },
  {
    name: "wasm-bindgen",
    description: "a Rust library with glue code of wasm-bindgen",
    use: "it needs the JavaScript that wasm-bindgen has made with it",
    applies: (names) => names.imported(/(^|\.)__wbindgen_|^__wbindgen_/),
  },
  {
    name: WASI_COMMAND,
    description: "a WASI command (preview 1) with threads (wasi-threads): a program with a beginning and an end",
    use: "'stackful run' runs it, with all of its threads in one thread of the engine",
    applies: (names) => names.exports.has("_start") && names.hasThreads && names.wantsOnlyWasi,
  },
  {
    name: WASI_COMMAND,
    description: "a WASI command (preview 1): a program with a beginning and an end",
    use: "'stackful run' runs it",
    applies: (names) => names.exports.has("_start") && names.modules.has(PREVIEW_1) && names.wantsOnlyWasi,
  },
  {
    name: WASI_REACTOR,
    description: "a WASI reactor (preview 1): a library whose functions may be called any number of times",
    use: "'stackful run --invoke <function>' calls one of them",
    applies: (names) => names.modules.has(PREVIEW_1) && names.wantsOnlyWasi,
  },
  {
    name: "emscripten",
    description: "made by Emscripten, to be run by its own JavaScript",
    use: "it needs the JavaScript that Emscripten has made with it; -sSTANDALONE_WASM makes a WASI program instead",
    applies: isEmscripten,
  },
  {
    name: WASI_COMMAND,
    description: "a WASI command (wasi_unstable, of 2019): a program with a beginning and an end",
    use: "'stackful run' runs it",
    applies: (names) => names.exports.has("_start") && names.modules.has(UNSTABLE) && names.wantsOnlyWasi,
  },
  {
    name: WASI_REACTOR,
    description: "a WASI reactor (wasi_unstable, of 2019): a library whose functions may be called any number of times",
    use: "'stackful run --invoke <function>' calls one of them",
    applies: (names) => names.modules.has(UNSTABLE) && names.wantsOnlyWasi,
  },
  {
    name: "wasi-and-others",
    description: "a program for WASI (preview 1) that imports other things, too",
    use: "give it what else it imports, beside 'new WASI().imports()'",
    applies: ({ modules }) => modules.has(PREVIEW_1) || modules.has(UNSTABLE),
  },
  {
    name: "assemblyscript",
    description: "made by AssemblyScript",
    applies: ({ imports, exports }) => imports.includes("env.abort") && (exports.has("__new") || imports.length === 1),
  },
  {
    name: "plain-command",
    description: "a program without imports",
    use: "'stackful run' runs it",
    applies: ({ exports, modules }) => exports.has("_start") && modules.size === 0,
  },
];

const PLAIN: ModuleKind = { name: "plain", description: "a plain module: its imports are what its host offers" };

export function kindOf(module: BinaryModule): ModuleKind {
  const names = new Surface(module);
  const rule = RULES.find(({ applies }) => applies(names));
  if (rule === undefined) return PLAIN;
  const { name, description, use } = rule;
  return use === undefined ? { name, description } : { name, description, use };
}

/**
 * Release builds have one-letter names for everything, except for the stack. That the table is exported, and something imported from `env`, says
 * nothing: other linkers do so, too.
 */
function isEmscripten(names: Surface): boolean {
  if (names.imported(/^env\.(_?emscripten_|invoke_|_embind_|__syscall_|__cxa_throw$|_setThrew)/)) return true;
  if (names.exported(/^(_?emscripten_stack_|stack(Save|Alloc|Restore)$|dynCall_)/)) {
    return names.modules.has("env") || names.modules.has("a");
  }
  return names.modules.size === 1 && names.modules.has("a");
}
