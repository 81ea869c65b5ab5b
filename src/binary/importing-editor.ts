/**
 * Adds imported functions to a module.
 *
 * Imports of a kind come first in its index space, so the module's own functions get higher indices. The editor writes them anew in every
 * section but the code, which is the business of whoever rewrites it.
 */

import { ModuleEditor } from "./editor.ts";
import { EXTERN_KINDS } from "./extern-types.ts";
import type { FunctionType } from "./extern-types.ts";
import { InstructionReader } from "./instructions.ts";
import type { Range } from "./instructions.ts";
import type { BinaryModule, ElementSegment } from "./module.ts";
import { opcode } from "./opcodes.ts";
import { Reader } from "./reader.ts";
import { NAME_SECTION, NAME_SUBSECTION, SECTION } from "./sections.ts";
import { FUNCREF, writeValueType } from "./value-types.ts";
import type { ValueType } from "./value-types.ts";
import { Writer } from "./writer.ts";

const REF_FUNC = opcode("ref.func");
const FUNCTION_KIND = EXTERN_KINDS.indexOf("function");

// Flags of element segments.
const MODE_FLAGS = { active: 0, passive: 1, declarative: 3 };
/** Active, with the index of its table and its type. */
const EXPLICIT = 2;
const EXPRESSIONS = 4;
/** Element kind: the elements are function indices. */
const FUNCTION_ELEMENTS = 0;

/** Subsections of the name section whose first index is that of a function. */
const NAMES_OF_FUNCTIONS: readonly number[] = [NAME_SUBSECTION.function, NAME_SUBSECTION.local, NAME_SUBSECTION.label];

/** A function to import. */
export interface AddedImport {
  readonly module: string;
  readonly name: string;
  readonly type: FunctionType;
}

export class ImportingEditor extends ModuleEditor {
  readonly module: BinaryModule;
  /** Index of the first imported function; the others follow. */
  readonly imported: number;
  readonly #importCount: number;
  readonly #typeIndices = new Map<string, number>();

  constructor(module: BinaryModule, imports: readonly AddedImport[]) {
    super(module);
    this.module = module;
    this.imported = module.importedFunctions;
    this.#importCount = imports.length;
    for (const added of imports) this.#addImport(added);
    this.rewrites.set(SECTION.export, (writer, reader) => this.#copyExports(writer, reader));
    this.rewrites.set(SECTION.element, (writer) => {
      for (const segment of module.elements) this.#writeElement(writer, segment);
    });
    this.customRewrites.set(NAME_SECTION, (writer, reader) => this.#copyNames(writer, reader));
    for (const [id, definitions] of [
      [SECTION.global, module.globals],
      [SECTION.table, module.tables],
    ] as const) {
      const initials = definitions.flatMap(({ initial }) => initial ?? []);
      this.rewrites.set(id, (writer, reader) => this.#copyExpressions(writer, reader, initials));
    }
  }

  #addImport({ module, name, type }: AddedImport): void {
    this.takeIndex("function");
    const index = this.type(type);
    this.encode(SECTION.import, (writer) => {
      writer.name(module);
      writer.name(name);
      writer.u8(FUNCTION_KIND);
      writer.u32(index);
    });
  }

  override type(type: FunctionType): number {
    const key = `${type.params.join()}>${type.results.join()}`;
    const index = this.#typeIndices.get(key) ?? super.type(type);
    this.#typeIndices.set(key, index);
    return index;
  }

  /** The new index of a function of the module. */
  renumbered(index: number): number {
    return index < this.imported ? index : index + this.#importCount;
  }

  protected override get startFunction(): number | null {
    const { start } = this.module;
    return start === null ? null : this.renumbered(start);
  }

  #copyExports(writer: Writer, reader: Reader): void {
    while (reader.remaining > 0) {
      const start = reader.position;
      reader.skip(reader.u32());
      const kind = reader.u8();
      writer.bytes(reader.bytes, start, reader.position);
      const index = reader.u32();
      writer.u32(kind === FUNCTION_KIND ? this.renumbered(index) : index);
    }
  }

  #writeElement(writer: Writer, segment: ElementSegment): void {
    const { mode, table, offset, functions, expressions, type } = segment;
    const isExplicit = isExplicitlyActive(segment);
    writer.u32((isExplicit ? EXPLICIT : MODE_FLAGS[mode]) | (functions === null ? EXPRESSIONS : 0));
    if (isExplicit) writer.u32(table);
    if (offset !== null) this.#copyExpression(writer, offset);
    if (isExplicit || mode !== "active") writeElementType(writer, functions === null ? type : null);
    if (functions === null) writer.vector(expressions!, (expression) => this.#copyExpression(writer, expression));
    else writer.vector([...functions], (index) => writer.u32(this.renumbered(index)));
  }

  /** A section that is broken is left out from there on, which is how engines read it. */
  #copyNames(writer: Writer, reader: Reader): void {
    try {
      while (reader.remaining > 0) {
        const start = reader.position;
        const id = reader.u8();
        const size = reader.u32();
        const contents = reader.skip(size);
        const subsection = new Writer(size + 64);
        if (NAMES_OF_FUNCTIONS.includes(id)) {
          this.#copyNameMap(subsection, new Reader(reader.bytes, contents, contents + size), id);
          writer.section(id, () => writer.bytes(subsection.view()));
        } else writer.bytes(reader.bytes, start, reader.position);
      }
    } catch (error) {
      if (!(error instanceof WebAssembly.CompileError)) throw error;
    }
  }

  #copyNameMap(writer: Writer, reader: Reader, id: number): void {
    const count = reader.count("functions", 2);
    writer.u32(count);
    for (let left = count; left > 0; left--) {
      writer.u32(this.renumbered(reader.u32()));
      const start = reader.position;
      if (id === NAME_SUBSECTION.function) reader.skip(reader.u32());
      else skipNames(reader);
      writer.bytes(reader.bytes, start, reader.position);
    }
  }

  /** Copies the rest of a section and rewrites the constant expressions in it. */
  #copyExpressions(writer: Writer, reader: Reader, expressions: readonly Range[]): void {
    for (const expression of expressions) {
      writer.bytes(reader.bytes, reader.position, expression.start);
      this.#copyExpression(writer, expression);
      reader.position = expression.end;
    }
    writer.bytes(reader.bytes, reader.position, reader.end);
  }

  #copyExpression(writer: Writer, { start, end }: Range): void {
    const { bytes } = this.module;
    const reader = new InstructionReader(bytes);
    reader.enterExpression(start, end);
    let copied = start;
    while (reader.next()) {
      if (reader.opcode !== REF_FUNC) continue;
      writer.bytes(bytes, copied, reader.immediates);
      writer.u32(this.renumbered(reader.index()));
      copied = reader.position;
    }
    writer.bytes(bytes, copied, end);
  }
}

/** Whether an active segment has to name its table and its type. */
function isExplicitlyActive({ mode, table, functions, type }: ElementSegment): boolean {
  return mode === "active" && (table !== 0 || (functions === null && type !== FUNCREF));
}

/** The type of the elements; `null`: they are function indices. */
function writeElementType(writer: Writer, type: ValueType | null): void {
  if (type === null) writer.u8(FUNCTION_ELEMENTS);
  else writeValueType(writer, type);
}

/** Moves over a name map. */
function skipNames(reader: Reader): void {
  for (let left = reader.count("names", 2); left > 0; left--) {
    reader.u32();
    reader.skip(reader.u32());
  }
}
