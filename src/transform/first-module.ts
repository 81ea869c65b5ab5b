/**
 * The module that is loaded first: the guest with fast copies, the runtime, and exports for the module of the resume
 * copies.
 *
 * It remembers what was added, because the second module declares all of it as imports, in the same order: so every index
 * in the code of a function means the same in its resume copy, which can be copied byte for byte. Only functions have other indices
 * there: see called-functions.ts.
 */

import type { BranchHint, BranchHints } from "../binary/branch-hints.ts";
import type { ConstantExpression, FunctionBuilder } from "../binary/definitions.ts";
import { ModuleEditor } from "../binary/editor.ts";
import type { ExternKind, FunctionType, GlobalType, MemoryType, TableType } from "../binary/extern-types.ts";
import { functionBody } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import { NAME_SECTION } from "../binary/sections.ts";
import { FUNCREF } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";

/** First character of all export names that this compiler adds: no toolchain starts a name with it. */
export const RESERVED = ":";

/** The name of the module that the imports of the other modules come from: exports of the first. */
export const FIRST_MODULE = "first";

/** The same for functions, which are imported by their places in a table that the first module exports: see {@link FirstModule.share}. */
export const FIRST_FUNCTIONS = "functions";
export const SHARED_FUNCTIONS: string = `${RESERVED}functions`;

type SharedKind = Exclude<ExternKind, "function">;
const LETTERS: { readonly [Kind in SharedKind]: string } = {
  table: "t",
  memory: "m",
  global: "g",
  tag: "e",
};

/** The name by which the second module imports something of the first. */
export function sharedName(kind: SharedKind, index: number): string {
  return `${RESERVED}${LETTERS[kind]}${index.toString(36)}`;
}

/** A function that the second module imports. */
interface SharedFunction {
  /** In the table. */
  readonly position: number;
  /** Index. */
  readonly type: number;
}

/** What backtraces call functions of the runtime. */
const RUNTIME_NAME = "[stackful]";

export class FirstModule extends ModuleEditor {
  readonly module: BinaryModule;
  readonly addedTypes: FunctionType[] = [];
  readonly addedFunctions: FunctionBuilder[] = [];
  readonly addedTables: TableType[] = [];
  readonly addedMemories: MemoryType[] = [];
  readonly addedGlobals: GlobalType[] = [];
  /** Type indices. */
  readonly addedTags: number[] = [];
  readonly #bodies = new Map<number, Uint8Array>();
  /** Of the bodies. */
  readonly #hints = new Map<number, readonly BranchHint[]>();
  #usedFunctions: ReadonlySet<number> = new Set();
  /** Places of these functions in the table. */
  readonly #positions = new Map<number, number>();
  readonly #typeIndices = new Map<string, number>();
  /** Whether functions of the guest have names. */
  readonly #hasNames: boolean;

  constructor(module: BinaryModule) {
    super(module);
    this.module = module;
    this.#hasNames = module.customSections.some(({ name }) => name === NAME_SECTION);
  }

  override type(type: FunctionType): number {
    const key = `${type.params.join()}>${type.results.join()}`;
    let index = this.#typeIndices.get(key);
    if (index === undefined) {
      index = super.type(type);
      this.#typeIndices.set(key, index);
      if (index >= this.module.types.length) this.addedTypes.push(type);
    }
    return index;
  }

  override addFunction(type: FunctionType): FunctionBuilder {
    // Backtraces would show a function without a name as the module itself, between those of the guest.
    const builder = super.addFunction(type, this.#hasNames ? RUNTIME_NAME : undefined);
    this.addedFunctions.push(builder);
    return builder;
  }

  override addTable(type: TableType): number {
    this.addedTables.push(type);
    return super.addTable(type);
  }

  override addMemory(type: MemoryType): number {
    this.addedMemories.push(type);
    return super.addMemory(type);
  }

  override importMemory(module: string, name: string, type: MemoryType): number {
    this.addedMemories.push(type);
    return super.importMemory(module, name, type);
  }

  override addGlobal(type: GlobalType, initial: ConstantExpression): number {
    this.addedGlobals.push(type);
    return super.addGlobal(type, initial);
  }

  override addTag(params: readonly ValueType[]): number {
    this.addedTags.push(this.type({ params, results: [] }));
    return super.addTag(params);
  }

  /** Replaces locals and code of a function by `body`, which must not be changed any more. */
  replaceBody(functionIndex: number, body: Uint8Array, hints: readonly BranchHint[] = []): void {
    this.#bodies.set(functionIndex, body);
    if (hints.length > 0) this.#hints.set(functionIndex, hints);
    this.replaceBy(functionBody(this.module, functionIndex), body);
  }

  protected override branchHints(): BranchHints {
    return new Map([...super.branchHints(), ...this.#hints].toSorted(([a], [b]) => a - b));
  }

  /** Locals and code of a function of the guest as they are here. */
  bodyOf(functionIndex: number): Uint8Array {
    const { start, end } = functionBody(this.module, functionIndex);
    return this.#bodies.get(functionIndex) ?? this.module.bytes.subarray(start, end);
  }

  /**
   * Gives the second module what it imports: functions as far as they are `used` by resume copies, everything of the other kinds.
   * Nothing may be added afterwards.
   *
   * The functions are in a table: an engine makes an object of 400 bytes for each that is exported, in every instance, but of one in a
   * table only when JavaScript asks for it, which is when something has suspended.
   */
  share(used: ReadonlySet<number>): void {
    const { module } = this;
    this.#usedFunctions = used;
    const functions = [...used];
    for (const [position, index] of functions.entries()) this.#positions.set(index, position);
    const table = this.addTable({ element: FUNCREF, minimum: functions.length, maximum: functions.length });
    this.addElements(table, (code) => void code.i32Const(0), functions);
    this.export(SHARED_FUNCTIONS, "table", table);
    const counts: readonly (readonly [SharedKind, number])[] = [
      ["table", module.tables.length + this.addedTables.length],
      ["memory", module.memories.length + this.addedMemories.length],
      ["global", module.globals.length + this.addedGlobals.length],
      ["tag", module.tags.length + this.addedTags.length],
    ];
    for (const [kind, count] of counts) {
      for (let index = 0; index < count; index++) this.export(sharedName(kind, index), kind, index);
    }
  }

  /** The functions that the second module may call. */
  get usedFunctions(): ReadonlySet<number> {
    return this.#usedFunctions;
  }

  /** What the second module imports for functions with these indices. */
  sharedFunctions(indices: readonly number[]): SharedFunction[] {
    const { functions } = this.module;
    return indices.map((index) => {
      const added = this.addedFunctions[index - functions.length];
      const type = added ? this.type(added.type) : functions[index]!;
      return { position: this.#positions.get(index)!, type };
    });
  }
}
