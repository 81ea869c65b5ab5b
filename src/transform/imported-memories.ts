/**
 * The memories that a first module imports although its guest defines them (see runtime-home.ts), and that of the areas: whoever
 * instantiates it has to make them.
 */

import { ModuleBuilder } from "../binary/builder.ts";
import type { MemoryType } from "../binary/extern-types.ts";
import type { BinaryModule } from "../binary/module.ts";
import { RESERVED } from "./first-module.ts";
import type { TransformedModule } from "./transformed-module.ts";

/** The name of the module that these memories are imported from; their names are their indices. */
export const MEMORIES: string = `${RESERVED}memories`;
/** The name of the memory of the areas. */
export const AREAS = "areas";
export const AREAS_TYPE: MemoryType = { minimum: 1 };

/** The memories that a guest defines, by the names under which its first module imports them. */
export function definedMemories({ memories, imports }: BinaryModule): ReadonlyMap<string, MemoryType> {
  const imported = imports.filter(({ kind }) => kind === "memory").length;
  return new Map(memories.slice(imported).map((type, position) => [String(imported + position), type]));
}

/** The same of a first module that is there already. */
export function memoriesToMake({ memories, imports }: BinaryModule): ReadonlyMap<string, MemoryType> {
  const own = imports.filter(({ module, name }) => module === MEMORIES && name !== AREAS);
  return new Map(own.map(({ name, index }) => [name, memories[index]!]));
}

/** The guest's side of a transformed module: without the imports that it has only been given by the compiler. */
export function withoutImportedMemories(module: BinaryModule): BinaryModule {
  const imports = module.imports.filter((entry) => entry.module !== MEMORIES);
  const areas = module.imports.find((entry) => entry.module === MEMORIES && entry.name === AREAS);
  if (areas === undefined) return module;
  return { ...module, imports, memories: module.memories.filter((_, index) => index !== areas.index) };
}

/**
 * The imports from {@link MEMORIES} for one instance, whose areas are in `areas`.
 *
 * @throws {RangeError} when there is no room
 */
export function importedMemories(transformed: TransformedModule, areas: WebAssembly.Memory): WebAssembly.ModuleImports {
  return { ...(plainMemories(transformed) ?? generatedMemories(transformed)), [AREAS]: areas };
}

/** Made with the JavaScript interface, which takes a third of the time; `undefined` when it does not know one of the types, or fails. */
function plainMemories({ ownMemories }: TransformedModule): WebAssembly.ModuleImports | undefined {
  const memories: Record<string, WebAssembly.Memory> = {};
  for (const [name, { minimum, maximum, shared = false, is64 = false, pageSizeLog2 }] of ownMemories) {
    if (is64 || pageSizeLog2 !== undefined) return undefined;
    try {
      memories[name] = new WebAssembly.Memory({ initial: minimum, shared, ...(maximum !== undefined && { maximum }) });
    } catch {
      return undefined;
    }
  }
  return memories;
}

const makers = new WeakMap<TransformedModule, WebAssembly.Module>();

/**
 * Made by a module that has nothing but these memories, of exactly the types that the guest wants, whatever those are. If there is no room
 * for them the engine says what it would have said of the guest.
 *
 * ```
 * (module (memory (export "0") 1 2) …)
 * ```
 */
function generatedMemories(transformed: TransformedModule): WebAssembly.Exports {
  let maker = makers.get(transformed);
  if (maker === undefined) {
    const module = new ModuleBuilder();
    for (const [name, type] of transformed.ownMemories) module.export(name, "memory", module.addMemory(type));
    makers.set(transformed, (maker = new WebAssembly.Module(module.build())));
  }
  return new WebAssembly.Instance(maker).exports;
}
