/**
 * Builds a module from nothing: add what it has, then write the code of its functions.
 *
 *     const module = new ModuleBuilder();
 *     const log = module.importFunction("env", "log", { params: [I32], results: [] });
 *     const twice = module.addFunction({ params: [I32], results: [] }, "twice");
 *     twice.code.localGet(0).call(log).localGet(0).call(log);
 *     module.export("twice", "function", twice.index);
 *     const bytes = module.build();
 *
 * Imports of a kind come before definitions of that kind, as their indices do in the format.
 */

import { Definitions } from "./definitions.ts";
import { EXTERN_KINDS, writeGlobalType, writeMemoryType, writeTableType, writeTagType } from "./extern-types.ts";
import type { ExternKind, FunctionType, GlobalType, MemoryType, TableType } from "./extern-types.ts";
import { writeNameSection } from "./names.ts";
import { PREAMBLE, SECTION, SECTION_ORDER } from "./sections.ts";
import type { ValueType } from "./value-types.ts";
import { Writer } from "./writer.ts";

export type { ConstantExpression, FunctionBuilder } from "./definitions.ts";

export class ModuleBuilder extends Definitions {
  /** Number of imports of each kind. */
  readonly #imported: Record<ExternKind, number> = { function: 0, table: 0, memory: 0, global: 0, tag: 0 };
  #start: number | undefined;

  constructor() {
    super({ function: 0, table: 0, memory: 0, global: 0, tag: 0 }, []);
  }

  importFunction(module: string, name: string, type: FunctionType): number {
    const typeIndex = this.type(type);
    return this.#import("function", module, name, (writer) => writer.u32(typeIndex));
  }

  importTable(module: string, name: string, type: TableType): number {
    return this.#import("table", module, name, (writer) => writeTableType(writer, type));
  }

  importMemory(module: string, name: string, type: MemoryType): number {
    return this.#import("memory", module, name, (writer) => writeMemoryType(writer, type));
  }

  importGlobal(module: string, name: string, type: GlobalType): number {
    return this.#import("global", module, name, (writer) => writeGlobalType(writer, type));
  }

  /** An exception tag whose exceptions carry values of the types `params`. */
  importTag(module: string, name: string, params: readonly ValueType[]): number {
    const typeIndex = this.type({ params, results: [] });
    return this.#import("tag", module, name, (writer) => writeTagType(writer, typeIndex));
  }

  /** The function that runs when the module is instantiated. */
  start(functionIndex: number): void {
    this.#start = functionIndex;
  }

  /** The finished module. More may be added and the module built again. */
  build(): Uint8Array<ArrayBuffer> {
    const writer = new Writer(1024);
    writer.bytes(PREAMBLE);
    for (const id of SECTION_ORDER) this.#writeSection(writer, id);
    if (this.functionNames.length > 0) writeNameSection(writer, this.functionNames);
    return writer.toBytes();
  }

  #writeSection(writer: Writer, id: number): void {
    const start = this.#start;
    if (id === SECTION.start && start !== undefined) writer.section(id, () => writer.u32(start));
    const entries = this.added(id);
    if (!entries) return;
    writer.section(id, () => {
      writer.u32(entries.count);
      entries.write(writer);
    });
  }

  #import(kind: ExternKind, module: string, name: string, writeType: (writer: Writer) => void): number {
    const index = this.takeIndex(kind);
    if (index !== this.#imported[kind]++) {
      throw new RangeError(
        `Cannot import ${kind} ${module}.${name}: a ${kind} is defined already, its index would shift`,
      );
    }
    this.encode(SECTION.import, (writer) => {
      writer.name(module);
      writer.name(name);
      writer.u8(EXTERN_KINDS.indexOf(kind));
      writeType(writer);
    });
    return index;
  }
}
