/**
 * A module as a structure of indices, types and byte ranges; decode-module.ts makes it.
 *
 * Nothing is copied: code, data and initial values stay in the input and are named by their offsets, and
 * {@link BinaryModule.sections} has the range of every section, so that what is not edited can be copied as it is.
 *
 * A decoded module is well-formed but not necessarily valid: the types of instructions and of initial values are the
 * engine's to check. The indices that this structure is made of (types of functions and tags, exports, the start
 * function) are in range.
 */

import type { ExternKind, FunctionType, GlobalType, MemoryType, TableType } from "./extern-types.ts";
import type { Range } from "./instructions.ts";
import type { TypeDefinition } from "./type-section.ts";
import { valueTypeName } from "./value-types.ts";
import type { ValueType } from "./value-types.ts";

/** A section: header and contents are `[start, end)`, the contents alone `[contentStart, end)`. */
export interface Section extends Range {
  readonly id: number;
  readonly contentStart: number;
}

/** Its contents start after the name. */
export interface CustomSection extends Section {
  readonly name: string;
}

export interface Import {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternKind;
  /** Index among the imports and definitions of this kind. */
  readonly index: number;
  /** The bytes of its type, after the kind. */
  readonly description: Range;
}

export interface Export {
  readonly name: string;
  readonly kind: ExternKind;
  readonly index: number;
  /** The bytes of its index. */
  readonly description: Range;
}

export interface Table extends TableType {
  /** The bytes of its type. */
  readonly description: Range;
  /** Constant expression; null when the table is imported or its elements start as null. */
  readonly initial: Range | null;
}

export interface Memory extends MemoryType {
  /** The bytes of its type. */
  readonly description: Range;
}

export interface Global extends GlobalType {
  /** The bytes of its type. */
  readonly description: Range;
  /** Constant expression; null when the global is imported. */
  readonly initial: Range | null;
}

export type SegmentMode = "active" | "passive" | "declarative";

export interface ElementSegment {
  readonly mode: SegmentMode;
  readonly type: ValueType;
  /** Index of the table; 0 unless active. */
  readonly table: number;
  /** Constant expression; null unless active. */
  readonly offset: Range | null;
  /** Function indices, when the elements are written as such; else null. */
  readonly functions: Uint32Array | null;
  /** Constant expressions, when the elements are written as such; else null. */
  readonly expressions: readonly Range[] | null;
  /** The bytes of all elements, without their number. */
  readonly elements: Range;
}

export interface DataSegment {
  readonly mode: SegmentMode;
  /** Index of the memory; 0 unless active. */
  readonly memory: number;
  /** Constant expression; null unless active. */
  readonly offset: Range | null;
  readonly content: Range;
}

export interface BinaryModule {
  readonly bytes: Uint8Array;
  /** All sections, custom ones too, in the order of the file. */
  readonly sections: readonly Section[];
  readonly customSections: readonly CustomSection[];
  readonly types: readonly TypeDefinition[];
  readonly imports: readonly Import[];
  /** Type indices of all functions; the first {@link BinaryModule.importedFunctions} are imported. */
  readonly functions: Uint32Array;
  readonly importedFunctions: number;
  /** All tables, memories, globals and tags; imported ones come first. */
  readonly tables: readonly Table[];
  readonly memories: readonly Memory[];
  readonly globals: readonly Global[];
  /** Type indices. */
  readonly tags: readonly number[];
  readonly exports: readonly Export[];
  readonly start: number | null;
  readonly elements: readonly ElementSegment[];
  /** The number of data segments, when the module has a data count section. */
  readonly dataCount: number | null;
  /** Offsets of the bodies of defined functions (locals and code, without the size): start, end, start, end … */
  readonly bodies: Uint32Array;
  readonly data: readonly DataSegment[];
}

/** The type of a function, imported or defined. */
export function functionType(module: BinaryModule, index: number): FunctionType {
  const type = module.types[module.functions[index] ?? -1];
  if (type?.kind !== "func") {
    throw new RangeError(`Cannot find function ${index}: the module has ${module.functions.length}`);
  }
  return type;
}

/** The bytes of a defined function: locals and code. */
export function functionBody(module: BinaryModule, index: number): Range {
  const position = (index - module.importedFunctions) * 2;
  const start = module.bodies[position];
  const end = module.bodies[position + 1];
  if (start === undefined || end === undefined) {
    throw new RangeError(`Cannot find the body of function ${index}: it is imported or missing`);
  }
  return { start, end };
}

/** A function type by the names of its types: `i32`, `externref`, `(ref null 3)`. */
export interface Signature {
  readonly params: readonly string[];
  readonly results: readonly string[];
}

export function signature({ params, results }: FunctionType): Signature {
  return { params: params.map(valueTypeName), results: results.map(valueTypeName) };
}

export function importedFunctions(module: BinaryModule): (Import & { readonly type: FunctionType })[] {
  return module.imports
    .filter(({ kind }) => kind === "function")
    .map((entry) => ({ ...entry, type: functionType(module, entry.index) }));
}

export function exportedFunctions(module: BinaryModule): (Export & { readonly type: FunctionType })[] {
  return module.exports
    .filter(({ kind }) => kind === "function")
    .map((entry) => ({ ...entry, type: functionType(module, entry.index) }));
}
