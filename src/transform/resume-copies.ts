/**
 * The resume copies of one instance: each is there when it is called for the first time.
 *
 * Programs wait in few places. To make the resume copies of all functions of a large one takes seconds, of those on a stack
 * milliseconds. So the resume table is filled with one function at first:
 *
 *     (func $missing (call_indirect $copies (call $load)))
 *
 * `load` looks at the stack that is being continued, has the copies made of the functions on it, which puts them into the table, and says
 * which one is to be called.
 */

import { ModuleBuilder } from "../binary/builder.ts";
import { FUNCREF, I32 } from "../binary/value-types.ts";
import { ABI } from "./abi.ts";
import type { CompiledModules } from "./compiled-modules.ts";
import { FIRST_MODULE } from "./first-module.ts";
import { FLAGS, FRAME_SIZE_OFFSET } from "./frame-layout.ts";
import { RAISE } from "./resume-module.ts";

/** What is known of the instance that they belong to. */
export interface ResumableInstance {
  /** Exports of the first module. */
  readonly first: WebAssembly.Exports;
  /** Of the first module and its runtime. */
  readonly exports: WebAssembly.Exports;
  /** Throws what a frame is to throw. */
  readonly raise: () => never;
}

export class ResumeCopies {
  readonly #modules: CompiledModules;
  readonly #instance: ResumableInstance;
  readonly #imports: WebAssembly.Imports;
  readonly #instantiated = new Set<WebAssembly.Module>();

  constructor(modules: CompiledModules, instance: ResumableInstance) {
    const { first, raise } = instance;
    this.#modules = modules;
    this.#instance = instance;
    this.#imports = { [FIRST_MODULE]: { ...first, [RAISE]: raise } };
    const copies = first[ABI.resumeCopies] as WebAssembly.Table;
    const missing = missingCopy(copies, () => this.#load());
    for (let number = 0; number < copies.length; number++) copies.set(number, missing);
  }

  /** @returns the number of the copy that is to be called */
  #load(): number {
    const numbers = this.#framesToContinue();
    for (const module of this.#modules.resume(numbers.toSorted((a, b) => a - b))) {
      if (this.#instantiated.has(module)) continue;
      this.#instantiated.add(module);
      void new WebAssembly.Instance(module, this.#imports);
    }
    return numbers[0]!;
  }

  /** Numbers of the frames from the one that is to be continued to the end of its segment, each once. */
  #framesToContinue(): number[] {
    const { exports } = this.#instance;
    const view = new DataView((exports[ABI.memory] as WebAssembly.Memory).buffer);
    const end = (exports[ABI.end] as WebAssembly.Global<"i32">).value >>> 0;
    const numbers = new Set<number>();
    let frame = (exports[ABI.frame] as WebAssembly.Global<"i32">).value >>> 0;
    do {
      numbers.add(view.getUint32(frame, true));
      frame += view.getUint32(frame + FRAME_SIZE_OFFSET, true) & ~FLAGS;
    } while (frame < end);
    return [...numbers];
  }
}

let missingModule: WebAssembly.Module | undefined;

/** The function `$missing` for one table. */
function missingCopy(copies: WebAssembly.Table, load: () => number): () => void {
  missingModule ??= makeMissing();
  return new WebAssembly.Instance(missingModule, { host: { copies, load } }).exports["missing"] as () => void;
}

/**
 * ```
 * (module
 *   (import "host" "load" (func $load (result i32)))
 *   (import "host" "copies" (table $copies 0 funcref))
 *   (func (export "missing") (call_indirect $copies (call $load))))
 * ```
 */
function makeMissing(): WebAssembly.Module {
  const module = new ModuleBuilder();
  const load = module.importFunction("host", "load", { params: [], results: [I32] });
  const copies = module.importTable("host", "copies", { element: FUNCREF, minimum: 0 });
  const { code, index } = module.addFunction({ params: [], results: [] });
  code.call(load).callIndirect(module.type({ params: [], results: [] }), copies);
  module.export("missing", "function", index);
  return new WebAssembly.Module(module.build());
}
