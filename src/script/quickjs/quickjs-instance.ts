/** An instance of QuickJS with one runtime and one context in it. */

import { instantiate } from "../../instantiate.ts";
import { STACK_POINTER } from "../../link/entry-shims.ts";
import type { Instance } from "../../link/instance.ts";
import type { HostImports } from "../../link/imports.ts";
import type { CallOptions } from "../../link/linked-guest.ts";
import type { RuntimeOptions } from "../language.ts";
import { quickJSFunctions } from "./quickjs-functions.ts";
import type { QuickJSFunctionName, QuickJSFunctions } from "./quickjs-functions.ts";
import { findRuntimeLayout } from "./quickjs-layout.ts";
import type { RuntimeLayout } from "./quickjs-layout.ts";
import { QuickJSMemory } from "./quickjs-memory.ts";
import { QuickJSMemoryLimit } from "./quickjs-memory-limit.ts";
import { makeMemory } from "./quickjs-package.ts";
import type { EmscriptenLoader, EmscriptenModule, QuickJSCallbacks, QuickJSPackage } from "./quickjs-package.ts";

export class QuickJSInstance {
  /** Plain calls. */
  readonly functions: QuickJSFunctions;
  readonly memory: QuickJSMemory;
  readonly limit: QuickJSMemoryLimit;
  readonly runtime: number;
  readonly context: number;
  readonly #instance: Instance;
  readonly #exportNames: ReadonlyMap<string, string>;
  readonly #stackPointer: WebAssembly.Global<"i32">;

  private constructor(
    instance: Instance,
    parts: { memory: WebAssembly.Memory; limit: QuickJSMemoryLimit; exportNames: ReadonlyMap<string, string> },
  ) {
    this.#instance = instance;
    this.#exportNames = parts.exportNames;
    this.limit = parts.limit;
    this.functions = quickJSFunctions(instance.sync, parts.exportNames);
    this.memory = new QuickJSMemory(parts.memory, this.functions, parts.limit);
    // The link has found it: without it scripts would not have stacks of their own.
    this.#stackPointer = instance.raw.exports[STACK_POINTER] as WebAssembly.Global<"i32">;
    this.runtime = this.functions.QTS_NewRuntime();
    this.context = this.functions.QTS_NewContext(this.runtime, 0);
    this.functions.QTS_RuntimeSetMaxStackSize(this.runtime, 0);
  }

  /** `callbacks` are asked from the beginning. */
  static async start(
    source: QuickJSPackage,
    { backend, stackBytes }: RuntimeOptions,
    callbacks: QuickJSCallbacks,
  ): Promise<QuickJSInstance> {
    const { load, exportNames } = source;
    const guest = await source.compiled(backend);
    const memory = makeMemory();
    const limit = new QuickJSMemoryLimit(memory);
    const { module, instance } = await linked(load, memory, (imports) =>
      instantiate(guest, imports as HostImports, { backend, stacks: { bytes: stackBytes } }),
    );
    module.callbacks = callbacks;
    const { queueReason } = instance;
    if (queueReason !== undefined) throw new Error(`Cannot start QuickJS: its scripts cannot overlap: ${queueReason}`);
    return new QuickJSInstance(instance, { memory, limit, exportNames });
  }

  get exports(): Readonly<Record<string, unknown>> {
    return this.#instance.raw.exports;
  }

  stackPointer(): number {
    return this.#stackPointer.value;
  }

  /** Bytes of the stacks that were taken for overlapping scripts. */
  get stackBytes(): number {
    const { size, stackBytes } = this.#instance.stacks;
    return size * stackBytes;
  }

  /** Calls what may run code of scripts, and wait. */
  enter(name: QuickJSFunctionName, args: readonly unknown[], options: CallOptions): Promise<number> {
    const callee = this.#instance.function<readonly unknown[], number>(this.#exportNames.get(name) ?? name);
    return callee.call(args, options);
  }

  /** Evaluates code of this library, on the stack of the caller. The value is owned. */
  evaluate(source: string): number {
    const { functions, memory, context } = this;
    const text = memory.copyText(source);
    const name = memory.copyText("stackful");
    try {
      return functions.QTS_Eval(context, text.address, text.bytes, name.address, 0, 0);
    } finally {
      functions.free(text.address);
      functions.free(name.address);
    }
  }

  /** Calls a function on the stack of the caller. Arguments stay with the caller, the result is owned. */
  call(callee: number, args: readonly number[]): number {
    const list = this.argumentList(args);
    try {
      return this.functions.QTS_Call(this.context, callee, this.functions.QTS_GetUndefined(), args.length, list);
    } finally {
      this.functions.free(list);
    }
  }

  /** Addresses of values, one behind the other; the caller frees them. */
  argumentList(args: readonly number[]): number {
    const list = this.memory.allocate(Math.max(args.length, 1) * 4);
    for (const [index, value] of args.entries()) this.memory.write(list + index * 4, value);
    return list;
  }

  /** `probe` gets a number for a function of the host, which scripts call as `probe`. */
  findLayout(probe: (look: () => void) => number): RuntimeLayout {
    const { functions, memory, runtime, context } = this;
    return findRuntimeLayout({
      functions,
      memory,
      runtime,
      evaluate: (source, look) => {
        const name = memory.copyText("probe");
        const callee = functions.QTS_NewFunction(context, name.address, 0, 0, probe(look));
        functions.free(name.address);
        const body = this.evaluate(`(probe) => eval(${JSON.stringify(source)})`);
        for (const value of [this.call(body, [callee]), body, callee]) functions.QTS_FreeValuePointer(context, value);
      },
      evaluateThrowing: (source, look) => {
        const exception = this.evaluate(source);
        look();
        const thrown = functions.QTS_ResolveException(context, exception);
        for (const value of [thrown, exception]) functions.QTS_FreeValuePointer(context, value);
      },
    });
  }
}

/** Has the package's JavaScript use an instance that this library has linked. */
function linked(
  load: EmscriptenLoader,
  wasmMemory: WebAssembly.Memory,
  link: (imports: WebAssembly.Imports) => Promise<Instance>,
): Promise<{ module: EmscriptenModule; instance: Instance }> {
  return new Promise((resolve, reject) => {
    let instance: Instance | undefined;
    const loaded = load({
      wasmMemory,
      instantiateWasm(imports, done) {
        const made = link(imports);
        made.then(
          (linked) => (instance = linked),
          () => {},
        );
        // What fails here the package's JavaScript would never be told.
        const isDone = async (): Promise<void> => done({ exports: (await made).sync });
        isDone().catch(reject);
        return {};
      },
    });
    loaded.then((module) => resolve({ module, instance: instance! }), reject);
  });
}
