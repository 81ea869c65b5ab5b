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
import type { CompiledModules, ResumePartModule } from "./compiled-modules.ts";
import { FIRST_FUNCTIONS, FIRST_MODULE, SHARED_FUNCTIONS } from "./first-module.ts";
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
  /** Functions of the first module. */
  readonly #functions: WebAssembly.Table;
  readonly #instantiated = new Set<ResumePartModule>();

  constructor(modules: CompiledModules, instance: ResumableInstance) {
    const { first } = instance;
    this.#modules = modules;
    this.#instance = instance;
    this.#functions = first[SHARED_FUNCTIONS] as WebAssembly.Table;
    fillWithMissing(first[ABI.resumeCopies] as WebAssembly.Table, () => this.#load());
  }

  /** @returns the number of the copy that is to be called */
  #load(): number {
    const numbers = this.#framesToContinue();
    for (const part of this.#modules.resume(numbers.toSorted((a, b) => a - b))) {
      if (this.#instantiated.has(part)) continue;
      this.#instantiated.add(part);
      void new WebAssembly.Instance(part.module, this.#importsOf(part));
    }
    return numbers[0]!;
  }

  #importsOf({ functions }: ResumePartModule): WebAssembly.Imports {
    const { first, raise } = this.#instance;
    const values: WebAssembly.ModuleImports = { [RAISE]: raise };
    for (const [name, place] of functions) values[name] = this.#functions.get(place) as WebAssembly.ExportValue;
    return { [FIRST_MODULE]: first, [FIRST_FUNCTIONS]: values };
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

function fillWithMissing(copies: WebAssembly.Table, load: () => number): void {
  missingModule ??= makeMissing();
  void new WebAssembly.Instance(missingModule, { host: { copies, load } });
}

/**
 * ```
 * (module
 *   (import "host" "load" (func $load (result i32)))
 *   (import "host" "copies" (table $copies 0 funcref))
 *   (func $missing (call_indirect $copies (call $load)))
 *   (func $fill (table.fill $copies (i32.const 0) (ref.func $missing) (table.size $copies)))
 *   (start $fill))
 * ```
 */
function makeMissing(): WebAssembly.Module {
  const module = new ModuleBuilder();
  const nothing = { params: [], results: [] };
  const load = module.importFunction("host", "load", { params: [], results: [I32] });
  const copies = module.importTable("host", "copies", { element: FUNCREF, minimum: 0 });
  const missing = module.addFunction(nothing);
  missing.code.call(load).callIndirect(module.type(nothing), copies);
  const fill = module.addFunction(nothing);
  fill.code.i32Const(0).refFunc(missing.index).tableSize(copies).tableFill(copies);
  module.declareFunctionReferences([missing.index]);
  module.start(fill.index);
  return new WebAssembly.Module(module.build());
}
