/**
 * Where the runtime lives, and what imports the memory of the areas (area-memory.ts): out of the guest's reach in both cases.
 *
 * With multiple memories, the first module. Imports come first among the memories, so those that the guest defines become imports, too
 * (imported-memories.ts): that way all keep their indices, and the code stays as it is.
 *
 *     (memory $m 1 2)   ->   (import ":memories" "0" (memory $m 1 2))   (import ":memories" "areas" (memory 1))
 *
 * Without (Node 20, and engines of its time), a module of its own, since the guest has the only memory of the first:
 *
 *     first module                              module of the runtime
 *       call $save_frame ──▶ forwarder ──▶ table ──▶ $save_frame, the areas
 *       globals, resume table ◀── imports ───────────┘
 *
 * The forwarders are functions of the first module, so its code and the resume copies are the same in both cases.
 */

import { ModuleBuilder } from "../binary/builder.ts";
import type { Definitions } from "../binary/definitions.ts";
import type { ExternKind, FunctionType } from "../binary/extern-types.ts";
import { FUNCREF, I32 } from "../binary/value-types.ts";
import { AREAS, AREAS_TYPE, MEMORIES } from "./imported-memories.ts";
import { FIRST_MODULE, sharedName } from "./first-module.ts";
import type { FirstModule } from "./first-module.ts";
import { addRuntimeGlobals } from "./runtime-globals.ts";
import type { RuntimeGlobals } from "./runtime-globals.ts";

export interface RuntimeHome {
  /** Where functions of the runtime are added; memory, globals and table are as this module has them. */
  readonly module: Definitions;
  readonly memory: number;
  readonly globals: RuntimeGlobals;
  readonly resumeTable: number;
  /** Whether the types of the guest exist there. */
  readonly hasGuestTypes: boolean;
  /** The globals in the first module. */
  readonly firstGlobals: RuntimeGlobals;
  /** The resume table in the first module. */
  readonly firstResumeTable: number;
  /** The function of the first module by which a function of {@link RuntimeHome.module} is called there. */
  callable(index: number, type: FunctionType): number;
  /** Exports something of {@link RuntimeHome.module}. */
  export(name: string, kind: ExternKind, index: number): void;
  /** The module of the runtime, if it is one of its own. Nothing may be added to either afterwards. */
  finish(): Uint8Array<ArrayBuffer> | null;
}

/** A module with two memories. */
const TWO_MEMORIES = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 5, 2, 0, 0, 0, 0);
let knownMultiMemory: boolean | undefined;

/** Whether the engine of this process has multiple memories. */
export function hasMultiMemory(): boolean {
  return (knownMultiMemory ??= WebAssembly.validate(TWO_MEMORIES));
}

/** `resumeCopies` is the number of places in the resume table. */
export function chooseRuntimeHome(first: FirstModule, resumeCopies: number, multiMemory: boolean): RuntimeHome {
  const globals = addRuntimeGlobals(first);
  const resumeTable = first.addTable({ element: FUNCREF, minimum: resumeCopies, maximum: resumeCopies });
  const isOnlyMemory = first.module.memories.length === 0;
  return multiMemory || isOnlyMemory
    ? new HomeInFirstModule(first, globals, resumeTable)
    : new HomeOfItsOwn(first, globals, resumeTable, resumeCopies);
}

class HomeInFirstModule implements RuntimeHome {
  readonly hasGuestTypes = true;
  readonly module: FirstModule;
  readonly memory: number;
  readonly globals: RuntimeGlobals;
  readonly resumeTable: number;
  readonly firstGlobals: RuntimeGlobals;
  readonly firstResumeTable: number;

  constructor(first: FirstModule, globals: RuntimeGlobals, resumeTable: number) {
    this.module = first;
    first.importMemories(MEMORIES);
    this.memory = first.importMemory(MEMORIES, AREAS, AREAS_TYPE);
    this.globals = this.firstGlobals = globals;
    this.resumeTable = this.firstResumeTable = resumeTable;
  }

  callable(index: number): number {
    return index;
  }

  export(name: string, kind: ExternKind, index: number): void {
    this.module.export(name, kind, index);
  }

  finish(): null {
    return null;
  }
}

class HomeOfItsOwn implements RuntimeHome {
  readonly hasGuestTypes = false;
  readonly module = new ModuleBuilder();
  readonly memory: number;
  readonly globals: RuntimeGlobals;
  readonly resumeTable: number;
  readonly firstGlobals: RuntimeGlobals;
  readonly firstResumeTable: number;
  readonly #first: FirstModule;
  /** The functions that have forwarders; their positions are those in the table. */
  readonly #forwarded: number[] = [];
  /** The table of forwarded functions, in the first module: added when its size is known. */
  readonly #table: number;

  constructor(first: FirstModule, globals: RuntimeGlobals, resumeTable: number, resumeCopies: number) {
    const { module } = this;
    this.#first = first;
    this.firstGlobals = globals;
    this.firstResumeTable = resumeTable;
    this.#table = resumeTable + 1;
    const imported = Object.entries(globals).map(([key, index]: [string, number]) => [
      key,
      module.importGlobal(FIRST_MODULE, sharedName("global", index), { type: I32, mutable: true }),
    ]);
    this.globals = Object.fromEntries(imported) as RuntimeGlobals;
    const tableType = { element: FUNCREF, minimum: resumeCopies, maximum: resumeCopies };
    this.resumeTable = module.importTable(FIRST_MODULE, sharedName("table", resumeTable), tableType);
    module.importTable(FIRST_MODULE, sharedName("table", this.#table), { element: FUNCREF, minimum: 0 });
    this.memory = module.importMemory(MEMORIES, AREAS, AREAS_TYPE);
  }

  callable(index: number, type: FunctionType): number {
    const forwarder = this.#first.addFunction(type);
    for (const position of type.params.keys()) forwarder.code.localGet(position);
    forwarder.code.i32Const(this.#forwarded.length).callIndirect(this.#first.type(type), this.#table);
    this.#forwarded.push(index);
    return forwarder.index;
  }

  export(name: string, kind: ExternKind, index: number): void {
    this.module.export(name, kind, index);
  }

  finish(): Uint8Array<ArrayBuffer> {
    const table = this.#first.addTable({ element: FUNCREF, minimum: this.#forwarded.length });
    if (table !== this.#table) throw new RangeError(`Cannot place the table of the runtime: ${table} is another one`);
    this.module.addElements(this.resumeTable + 1, (code) => void code.i32Const(0), this.#forwarded);
    return this.module.build();
  }
}
