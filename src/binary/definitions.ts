/**
 * What can be added to a module, new or existing: types, functions, tables, memories, globals, tags, segments, exports.
 *
 * Every method that adds something with an index returns it. Indices continue after what the module has, so nothing
 * that exists gets another one. A function can be called as soon as it is added; its code may be written later.
 */

import { emitCode } from "./code.ts";
import type { Code } from "./code.ts";
import {
  EXTERN_KINDS,
  equalFunctionTypes,
  writeFunctionType,
  writeGlobalType,
  writeMemoryType,
  writeTableType,
  writeTagType,
} from "./extern-types.ts";
import type { ExternKind, FunctionType, GlobalType, MemoryType, TableType } from "./extern-types.ts";
import type { FunctionName } from "./names.ts";
import { SECTION } from "./sections.ts";
import { writeValueType } from "./value-types.ts";
import type { ValueType } from "./value-types.ts";
import { Writer } from "./writer.ts";

/** Emits instructions whose value is known when the module is instantiated, such as the initial value of a global. */
export type ConstantExpression = (code: Code) => void;

/** The instruction that ends bodies and constant expressions. */
const END = 0x0b;

// First bytes of element and data segments: active in table or memory 0; active in the one that follows; declarative.
const ACTIVE = 0;
const ACTIVE_WITH_INDEX = 2;
const DECLARATIVE = 3;
/** Element kind: the elements are function indices. */
const FUNCTION_ELEMENTS = 0;

/** A function being written. */
export class FunctionBuilder {
  /** Index among all functions of the module. */
  readonly index: number;
  readonly type: FunctionType;
  /** Index of its type, if that is to be a certain one; otherwise any that is equal to {@link FunctionBuilder.type}. */
  readonly typeIndex: number | undefined;
  /** Its instructions; the last `end` is added when the module is built. */
  readonly code: Code = emitCode();
  readonly #locals: ValueType[] = [];

  constructor(index: number, type: FunctionType, typeIndex: number | undefined) {
    this.index = index;
    this.type = type;
    this.typeIndex = typeIndex;
  }

  /** Adds a local, which starts as zero or null, and returns its index. */
  local(type: ValueType): number {
    return this.type.params.length + this.#locals.push(type) - 1;
  }

  /** Appends size, locals and code, as in the code section. */
  write(writer: Writer): void {
    if (this.code.depth !== 0) {
      throw new RangeError(`Cannot build function ${this.index}: ${this.code.depth} constructs are not closed`);
    }
    writer.sized(() => {
      writer.vector(groupRuns(this.#locals), ({ count, type }) => {
        writer.u32(count);
        writeValueType(writer, type);
      });
      writer.bytes(this.code.writer.view());
      writer.u8(END);
    });
  }
}

function groupRuns(types: readonly ValueType[]): { count: number; type: ValueType }[] {
  const runs: { count: number; type: ValueType }[] = [];
  for (const type of types) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ count: 1, type });
  }
  return runs;
}

function writeConstant(writer: Writer, expression: ConstantExpression): void {
  const code = emitCode();
  expression(code);
  writer.bytes(code.writer.view());
  writer.u8(END);
}

/** Entries of a section: how many, and how to append them. */
export interface Entries {
  readonly count: number;
  write(writer: Writer): void;
}

/** Entries that are encoded as they are added. */
class EncodedEntries implements Entries {
  readonly writer: Writer = new Writer(64);
  count = 0;

  write(writer: Writer): void {
    writer.bytes(this.writer.view());
  }
}

export class Definitions {
  /** Kind → the next index. */
  readonly #next: Record<ExternKind, number>;
  /** Function types by index; undefined where the module has a type that cannot stand for a plain function type. */
  readonly #types: (FunctionType | undefined)[];
  readonly #firstAddedType: number;
  readonly #functions: FunctionBuilder[] = [];
  protected readonly functionNames: FunctionName[] = [];
  readonly #encoded = new Map<number, EncodedEntries>();

  constructor(next: Readonly<Record<ExternKind, number>>, types: readonly (FunctionType | undefined)[]) {
    this.#next = { ...next };
    this.#types = [...types];
    this.#firstAddedType = types.length;
  }

  /** The index of a function type, which is added when the module does not have it yet. */
  type(type: FunctionType): number {
    const known = this.#types.findIndex((other) => other !== undefined && equalFunctionTypes(type, other));
    return known >= 0 ? known : this.#types.push(type) - 1;
  }

  /** `name` goes to the name section, which stack traces show. */
  addFunction(type: FunctionType, name?: string): FunctionBuilder {
    this.type(type);
    return this.#addFunction(type, undefined, name);
  }

  /** Like {@link Definitions.addFunction}, with exactly the type of this index: no other need be the same to references. */
  addFunctionOf(typeIndex: number, type: FunctionType, name?: string): FunctionBuilder {
    return this.#addFunction(type, typeIndex, name);
  }

  #addFunction(type: FunctionType, typeIndex: number | undefined, name: string | undefined): FunctionBuilder {
    const builder = new FunctionBuilder(this.#next.function++, type, typeIndex);
    if (name !== undefined) this.functionNames.push([builder.index, name]);
    this.#functions.push(builder);
    return builder;
  }

  addTable(type: TableType): number {
    this.encode(SECTION.table, (writer) => writeTableType(writer, type));
    return this.#next.table++;
  }

  addMemory(type: MemoryType): number {
    this.encode(SECTION.memory, (writer) => writeMemoryType(writer, type));
    return this.#next.memory++;
  }

  addGlobal(type: GlobalType, initial: ConstantExpression): number {
    this.encode(SECTION.global, (writer) => {
      writeGlobalType(writer, type);
      writeConstant(writer, initial);
    });
    return this.#next.global++;
  }

  /** An exception tag whose exceptions carry values of the types `params`. */
  addTag(params: readonly ValueType[]): number {
    const typeIndex = this.type({ params, results: [] });
    this.encode(SECTION.tag, (writer) => writeTagType(writer, typeIndex));
    return this.#next.tag++;
  }

  /** Puts functions into a table of `funcref`, the first at index `offset`, when the module is instantiated. */
  addElements(table: number, offset: ConstantExpression, functions: readonly number[]): void {
    this.encode(SECTION.element, (writer) => {
      writer.u8(table === 0 ? ACTIVE : ACTIVE_WITH_INDEX);
      if (table !== 0) writer.u32(table);
      writeConstant(writer, offset);
      if (table !== 0) writer.u8(FUNCTION_ELEMENTS);
      writer.vector(functions, (index) => writer.u32(index));
    });
  }

  /** Allows `ref.func` for functions that are neither exported nor in a table. */
  declareFunctionReferences(functions: readonly number[]): void {
    this.encode(SECTION.element, (writer) => {
      writer.u8(DECLARATIVE);
      writer.u8(FUNCTION_ELEMENTS);
      writer.vector(functions, (index) => writer.u32(index));
    });
  }

  /** Puts bytes into a memory at address `offset` when the module is instantiated. */
  addData(memory: number, offset: ConstantExpression, bytes: Uint8Array): void {
    this.encode(SECTION.data, (writer) => {
      writer.u8(memory === 0 ? ACTIVE : ACTIVE_WITH_INDEX);
      if (memory !== 0) writer.u32(memory);
      writeConstant(writer, offset);
      writer.u32(bytes.length);
      writer.bytes(bytes);
    });
  }

  export(name: string, kind: ExternKind, index: number): void {
    this.encode(SECTION.export, (writer) => {
      writer.name(name);
      writer.u8(EXTERN_KINDS.indexOf(kind));
      writer.u32(index);
    });
  }

  /** Adds an entry to a section whose entries do not depend on what is added later. */
  protected encode(section: number, write: (writer: Writer) => void): void {
    let entries = this.#encoded.get(section);
    if (!entries) this.#encoded.set(section, (entries = new EncodedEntries()));
    write(entries.writer);
    entries.count++;
  }

  /** The next index of a kind, which is then used up. */
  protected takeIndex(kind: ExternKind): number {
    return this.#next[kind]++;
  }

  /** What was added to a section; undefined when nothing was. */
  protected added(section: number): Entries | undefined {
    const functions = this.#functions;
    switch (section) {
      case SECTION.type:
        return entriesOf(this.#types.slice(this.#firstAddedType), (writer, type) => writeFunctionType(writer, type!));
      case SECTION.function:
        return entriesOf(functions, (writer, { type, typeIndex }) => writer.u32(typeIndex ?? this.type(type)));
      case SECTION.code:
        return entriesOf(functions, (writer, builder) => builder.write(writer));
      default:
        return this.#encoded.get(section);
    }
  }
}

function entriesOf<Item>(items: readonly Item[], write: (writer: Writer, item: Item) => void): Entries | undefined {
  if (items.length === 0) return undefined;
  return { count: items.length, write: (writer) => items.forEach((item) => write(writer, item)) };
}
