/**
 * Edits a module and leaves everything else byte for byte as it was.
 *
 *     const editor = new ModuleEditor(decodeModule(bytes));
 *     editor.export("__stack_pointer", "global", stackPointer);
 *     editor.replace({ start, end }, (code) => code.call(setter));
 *     editor.retype(module.imports[0], type);
 *     const edited = editor.build();
 *
 * Additions are appended to their sections, so no index shifts and the name section stays right. Sections that nothing is added to
 * are copied with their headers; a section that the module does not have is put where the format wants it, a name section at the end.
 * Custom sections stay where they are. Branch hints follow their instructions. Sections that hold offsets into the code otherwise
 * (DWARF, source maps, relocations) are left out as soon as code is replaced: they would be wrong.
 */

import { BRANCH_HINT_SECTION, moveHints, readBranchHints, writeBranchHints } from "./branch-hints.ts";
import type { BranchHints } from "./branch-hints.ts";
import { emitCode } from "./code.ts";
import type { Code } from "./code.ts";
import { Definitions } from "./definitions.ts";
import { EXTERN_KINDS, writeMemoryType } from "./extern-types.ts";
import type { FunctionType, MemoryType } from "./extern-types.ts";
import type { Range } from "./instructions.ts";
import type { BinaryModule, CustomSection, Import, Section } from "./module.ts";
import { Reader } from "./reader.ts";
import { nameSubsections, writeNameSection } from "./names.ts";
import { NAME_SECTION, PREAMBLE, SECTION, SECTION_ORDER } from "./sections.ts";
import type { TypeDefinition } from "./type-section.ts";
import { Writer, encodeIndex } from "./writer.ts";

/** Bytes that replace others. */
interface Replacement extends Range {
  readonly bytes: Uint8Array;
}

/** Instructions that replace others. */
interface CodeReplacement extends Replacement {
  /** Position of the body among the defined functions. */
  readonly body: number;
}

/** A section of the result: one of the module, or a new one. */
type OutputSection = Section | { readonly id: number; readonly contentStart?: undefined };

/** Custom sections with offsets into the code: DWARF, source maps, and what only linkers read. */
const WITH_CODE_OFFSETS = /^(\.debug_.*|sourceMappingURL|external_debug_info|linking|reloc\..*)$/;

/** Writes the contents of a section of the module anew: `reader` is at their beginning. */
export type Rewrite = (writer: Writer, reader: Reader) => void;

/** Bytes that an edit adds, usually: the result's buffer rarely has to grow. */
const HEADROOM_BYTES = 4096;

export class ModuleEditor extends Definitions {
  readonly #module: BinaryModule;
  readonly #replacements: CodeReplacement[] = [];
  /** Outside function bodies. */
  readonly #patches: Replacement[] = [];
  #keepsStart = true;
  #definesMemories = true;
  /** For subclasses: id of a section → how its entries are written, instead of copied. `reader` is behind their number. */
  protected readonly rewrites: Map<number, Rewrite> = new Map();
  /** For subclasses: name of a custom section → how its contents are written, instead of copied. */
  protected readonly customRewrites: Map<string, Rewrite> = new Map();

  constructor(module: BinaryModule) {
    const { functions, tables, memories, globals, tags } = module;
    const next = {
      function: functions.length,
      table: tables.length,
      memory: memories.length,
      global: globals.length,
      tag: tags.length,
    };
    super(next, module.types.map(plainFunctionType));
    this.#module = module;
  }

  /** For subclasses: the function that the start section names in the result. */
  protected get startFunction(): number | null {
    return this.#module.start;
  }

  /** Drops the start section: instantiating the result runs nothing. */
  removeStart(): void {
    this.#keepsStart = false;
  }

  /** Has the memories that the module defines imported from `module` instead, named by their indices, which stay as they are. */
  importMemories(module: string): void {
    const imported = this.#module.imports.filter(({ kind }) => kind === "memory").length;
    this.#definesMemories = false;
    for (const [index, type] of this.#module.memories.entries()) {
      if (index >= imported) this.#encodeMemoryImport(module, String(index), type);
    }
  }

  /**
   * Imports one more memory.
   *
   * @throws {RangeError} when a memory is defined, whose index would shift
   */
  importMemory(module: string, name: string, type: MemoryType): number {
    const { memories, imports } = this.#module;
    const definesOne =
      this.#definesMemories && imports.filter(({ kind }) => kind === "memory").length < memories.length;
    if (definesOne || this.added(SECTION.memory) !== undefined) {
      throw new RangeError(
        `Cannot import memory ${module}.${name}: a memory is defined already, its index would shift`,
      );
    }
    this.#encodeMemoryImport(module, name, type);
    return this.takeIndex("memory");
  }

  #encodeMemoryImport(module: string, name: string, type: MemoryType): void {
    this.encode(SECTION.import, (writer) => {
      writer.name(module);
      writer.name(name);
      writer.u8(EXTERN_KINDS.indexOf("memory"));
      writeMemoryType(writer, type);
    });
  }

  /**
   * Replaces whole instructions at `range`, offsets into the bytes of the module as `InstructionReader` finds them, by
   * the ones that `emit` writes. Labels in them are numbers.
   *
   * @throws {RangeError} as {@link ModuleEditor.replaceBy}
   */
  replace(range: Range, emit: (code: Code) => void): void {
    const code = emitCode();
    emit(code);
    this.replaceBy(range, code.writer.toBytes());
  }

  /**
   * The same with bytes that are there already, in a function body or in any other section. Sizes are adjusted, counts are not. They
   * are not copied before the module is built.
   *
   * @throws {RangeError} when the range is not inside one of these
   */
  replaceBy({ start, end }: Range, bytes: Uint8Array): void {
    const body = this.#bodyAt(start);
    if (body >= 0 && end >= start && end <= this.#module.bodies[body * 2 + 1]!) {
      this.#replacements.push({ start, end, bytes, body });
    } else if (
      this.#module.sections.some((section) => section.id !== SECTION.code && isInside(section, { start, end }))
    ) {
      this.#patches.push({ start, end, bytes });
    } else {
      throw new RangeError(`Cannot replace code at offsets ${start} to ${end}: not inside one function body`);
    }
  }

  /** Gives an imported function another type. */
  retype({ description }: Import, typeIndex: number): void {
    this.replaceBy(description, encodeIndex(typeIndex));
  }

  /**
   * The edited module.
   *
   * @throws {RangeError} when two replacements overlap
   */
  build(): Uint8Array<ArrayBuffer> {
    const { bytes } = this.#module;
    const growing = this.#replacements.reduce((total, edit) => total + Math.max(growth(edit), 0), 0);
    const writer = new Writer(bytes.length + growing + HEADROOM_BYTES);
    writer.bytes(PREAMBLE);
    const hasHints = this.#module.customSections.some(({ name }) => name === BRANCH_HINT_SECTION);
    const names = this.functionNames.length > 0 ? nameSubsections(this.#module) : undefined;
    const nameSection = this.#module.customSections.find(({ name }) => name === NAME_SECTION);
    for (const section of this.#outputSections()) {
      // Their place is before the code.
      if (section.id === SECTION.code && !hasHints) writeBranchHints(writer, this.branchHints());
      if (names !== undefined && section === nameSection) writeNameSection(writer, this.functionNames, names);
      else this.#writeSection(writer, section);
    }
    if (names !== undefined && nameSection === undefined) writeNameSection(writer, this.functionNames, names);
    return writer.toBytes();
  }

  /** The position among the defined functions of the body that `offset` is in; -1 when there is none. */
  #bodyAt(offset: number): number {
    const { bodies } = this.#module;
    let low = 0;
    let high = bodies.length / 2;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (bodies[middle * 2 + 1]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low * 2 < bodies.length && bodies[low * 2]! <= offset ? low : -1;
  }

  /** Hints for the code of the result: those of the module, at their new offsets. One whose instruction is replaced is dropped. */
  protected branchHints(): BranchHints {
    const hints = readBranchHints(this.#module);
    if (hints.size === 0 || this.#replacements.length === 0) return hints;
    const { bodies, importedFunctions } = this.#module;
    const replacements = this.#replacementsByBody();
    return new Map(
      [...hints].map(([index, ofFunction]) => {
        const body = index - importedFunctions;
        return [index, moveHints(ofFunction, bodies[body * 2] ?? 0, replacements.get(body) ?? [])];
      }),
    );
  }

  #outputSections(): OutputSection[] {
    const isCodeEdited = this.#replacements.length > 0 || this.rewrites.has(SECTION.code);
    const kept = isCodeEdited ? this.#withoutOffsets() : this.#module.sections;
    const sections: OutputSection[] = kept.filter(({ id }) => id !== SECTION.memory || this.#definesMemories);
    for (const [rank, id] of SECTION_ORDER.entries()) {
      if (!this.added(id) || sections.some((section) => section.id === id)) continue;
      const before = new Set(SECTION_ORDER.slice(0, rank));
      const predecessor = sections.findLastIndex((section) => before.has(section.id));
      const first = sections.findIndex((section) => section.id !== SECTION.custom);
      // Leading custom sections such as dylink.0 stay in front, trailing ones such as name behind.
      if (predecessor >= 0) sections.splice(predecessor + 1, 0, { id });
      else sections.splice(first < 0 ? sections.length : first, 0, { id });
    }
    return sections;
  }

  /** Debug information for other code than this would be worse than none. */
  #withoutOffsets(): Section[] {
    const { sections, customSections } = this.#module;
    const wrong = new Set(customSections.filter(({ name }) => WITH_CODE_OFFSETS.test(name)).map(({ start }) => start));
    return sections.filter(({ start }) => !wrong.has(start));
  }

  #writeSection(writer: Writer, section: OutputSection): void {
    const { id } = section;
    const addedData = this.added(SECTION.data);
    if (id === SECTION.start) this.#writeStart(writer, section as Section);
    else if (id === SECTION.custom) this.#writeCustomSection(writer, section as CustomSection);
    else if (id === SECTION.dataCount && addedData !== undefined) {
      writer.section(id, () => writer.u32(this.#module.dataCount! + addedData.count));
    } else this.#writeEntries(writer, section);
  }

  #writeStart(writer: Writer, { id, start, end }: Section): void {
    const { startFunction } = this;
    if (!this.#keepsStart || startFunction === null) return;
    if (startFunction === this.#module.start) writer.bytes(this.#module.bytes, start, end);
    else writer.section(id, () => writer.u32(startFunction));
  }

  #writeEntries(writer: Writer, section: OutputSection): void {
    const { id } = section;
    const entries = this.added(id);
    const rewrite = this.rewrites.get(id);
    const isPatched = id === SECTION.code ? this.#replacements.length > 0 : this.#patchesOf(section).length > 0;
    const isEdited = entries !== undefined || rewrite !== undefined || isPatched;
    if (section.contentStart !== undefined && !isEdited) {
      writer.bytes(this.#module.bytes, section.start, section.end);
      return;
    }
    writer.section(id, () => {
      const addedCount = entries?.count ?? 0;
      if (section.contentStart === undefined) {
        writer.u32(addedCount);
      } else {
        const reader = new Reader(this.#module.bytes, section.contentStart, section.end);
        writer.u32(reader.u32() + addedCount);
        if (rewrite !== undefined) rewrite(writer, reader);
        else if (id === SECTION.code) this.#writeBodies(writer, reader.position, section.end);
        else this.#copyReplacing(writer, { start: reader.position, end: section.end }, this.#patchesOf(section));
      }
      entries?.write(writer);
    });
  }

  #writeCustomSection(writer: Writer, { name, start, contentStart, end }: CustomSection): void {
    const { bytes } = this.#module;
    const rewrite = this.customRewrites.get(name);
    const isCodeEdited = this.#replacements.length > 0 || this.rewrites.has(SECTION.code);
    if (name === BRANCH_HINT_SECTION && isCodeEdited) {
      writeBranchHints(writer, this.branchHints());
      return;
    }
    if (rewrite === undefined) {
      writer.bytes(bytes, start, end);
      return;
    }
    writer.section(SECTION.custom, () => {
      writer.name(name);
      rewrite(writer, new Reader(bytes, contentStart, end));
    });
  }

  /** In the order of the file. */
  #patchesOf(section: OutputSection): Replacement[] {
    if (section.contentStart === undefined || this.#patches.length === 0) return [];
    return this.#patches.filter((patch) => isInside(section, patch)).toSorted((a, b) => a.start - b.start);
  }

  #copyReplacing(writer: Writer, { start, end }: Range, replacements: readonly Replacement[]): void {
    const { bytes } = this.#module;
    let copied = start;
    for (const edit of replacements) {
      if (edit.start < copied)
        throw new RangeError(`Cannot replace code at offset ${edit.start}: it is replaced twice`);
      writer.bytes(bytes, copied, edit.start);
      writer.bytes(edit.bytes);
      copied = edit.end;
    }
    writer.bytes(bytes, copied, end);
  }

  /** Copies the bodies of the module with the replacements in them; `start` is the offset of the first body's size. */
  #writeBodies(writer: Writer, start: number, end: number): void {
    const { bytes, bodies } = this.#module;
    let copied = start;
    for (const [body, replacements] of this.#replacementsByBody()) {
      const sizeStart = body === 0 ? start : bodies[body * 2 - 1]!;
      writer.bytes(bytes, copied, sizeStart);
      copied = bodies[body * 2]!;
      const bodyEnd = bodies[body * 2 + 1]!;
      writer.u32(bodyEnd - copied + replacements.reduce((total, edit) => total + growth(edit), 0));
      this.#copyReplacing(writer, { start: copied, end: bodyEnd }, replacements);
      copied = bodyEnd;
    }
    writer.bytes(bytes, copied, end);
  }

  /** Bodies and replacements in the order of the code. */
  #replacementsByBody(): Map<number, CodeReplacement[]> {
    const byBody = new Map<number, CodeReplacement[]>();
    for (const edit of this.#replacements.toSorted((a, b) => a.start - b.start)) {
      const others = byBody.get(edit.body);
      if (others) others.push(edit);
      else byBody.set(edit.body, [edit]);
    }
    return byBody;
  }
}

function isInside({ contentStart, end }: Section, range: Range): boolean {
  return contentStart <= range.start && range.start <= range.end && range.end <= end;
}

/** Bytes by which a replacement makes the code longer. */
function growth({ start, end, bytes }: Replacement): number {
  return bytes.length - (end - start);
}

/**
 * The type if a reference to it is a reference to the function type itself: alone in its group and without relatives.
 */
function plainFunctionType(type: TypeDefinition): FunctionType | undefined {
  const { final, supertypes, groupStart, groupEnd } = type;
  return type.kind === "func" && final && supertypes.length === 0 && groupEnd - groupStart === 1 ? type : undefined;
}
