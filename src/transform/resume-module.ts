/**
 * Assembles a second module: resume copies, of all functions or of some. It is compiled only when something really suspends.
 *
 *     types      those of the first module, then types of blocks
 *     imports    everything of the first module, at the same indices; but of its functions only those that are called here, which have
 *                other indices therefore; then `raise`: throws what a frame is to throw
 *     functions  the resume copies, then the loop copies (loop-entries.ts), each [] -> []; the near copies
 *                (near-copies.ts), each of the type of its function
 *     elements   the resume copies, into the resume table of the first module, by their numbers
 *     names      those of the functions they are copies of
 */

import { writeBranchHints } from "../binary/branch-hints.ts";
import {
  EXTERN_KINDS,
  writeFunctionType,
  writeGlobalType,
  writeMemoryType,
  writeTableType,
} from "../binary/extern-types.ts";
import type { ExternKind, FunctionType, GlobalType, MemoryType, TableType } from "../binary/extern-types.ts";
import { ModuleNames } from "../binary/names.ts";
import { Reader } from "../binary/reader.ts";
import { NAME_SECTION, NAME_SUBSECTION, PREAMBLE, SECTION } from "../binary/sections.ts";
import type { ValueType } from "../binary/value-types.ts";
import { writeValueType } from "../binary/value-types.ts";
import { Writer } from "../binary/writer.ts";
import { CalledFunctions } from "./called-functions.ts";
import { FIRST_FUNCTIONS, FIRST_MODULE, sharedName } from "./first-module.ts";
import type { FirstModule } from "./first-module.ts";
import { checkHints } from "./check-hints.ts";
import { NearCopies, SMALL_BODY_BYTES } from "./near-copies.ts";
import type { OutlinedInstructions } from "./outlined-instructions.ts";
import type { SiteWriter } from "./site-writer.ts";
import type { ResultGlobals, RuntimeGlobals } from "./runtime-globals.ts";

/** Among the functions of the first module, which have numbers. */
export const RAISE = "raise";

const FUNCREF_ELEMENTS_WITH_TABLE = 2;
const DECLARATIVE = 3;
const I32_CONST = 0x41;
const END = 0x0b;

/** What both copies of a function are written with. */
export interface SharedParts {
  readonly globals: RuntimeGlobals;
  readonly results: ResultGlobals;
  readonly outlined: OutlinedInstructions;
  readonly sites: SiteWriter;
}

/** What resume copies refer to besides what the first module has at the same index. */
export class ResumeModuleParts {
  /** Bytes of the module that is compiled. */
  readonly bytes: Uint8Array;
  readonly globals: RuntimeGlobals;
  readonly results: ResultGlobals;
  /** Index of the function that throws what the frame is to throw. */
  readonly raise: number;
  readonly types: FunctionType[];
  readonly outlined: OutlinedInstructions;
  readonly sites: SiteWriter;
  readonly references: Set<number> = new Set();
  readonly #firstType: number;
  readonly #typeIndices = new Map<string, number>();

  constructor(first: FirstModule, { globals, results, outlined, sites }: SharedParts) {
    this.bytes = first.module.bytes;
    this.globals = globals;
    this.results = results;
    this.sites = sites;
    this.raise = first.module.functions.length + first.addedFunctions.length;
    this.types = [...first.addedTypes];
    this.#firstType = first.module.types.length;
    this.outlined = outlined;
    for (const [position, type] of this.types.entries()) this.#typeIndices.set(keyOf(type), this.#firstType + position);
  }

  type(type: FunctionType): number {
    const key = keyOf(type);
    let index = this.#typeIndices.get(key);
    if (index === undefined) this.#typeIndices.set(key, (index = this.#firstType + this.types.push(type) - 1));
    return index;
  }

  /** The type of a block without parameters and with at least one result. */
  writeBlockType(writer: Writer, results: readonly ValueType[]): void {
    if (results.length === 1) writeValueType(writer, results[0]!);
    else writer.s33(this.type({ params: [], results }));
  }

  /** The function is used by `ref.func`, which has to be declared. */
  declareReference(functionIndex: number): void {
    this.references.add(functionIndex);
  }
}

function keyOf({ params, results }: FunctionType): string {
  return `${params.join()}>${results.join()}`;
}

/** A resume copy or a loop copy: of which function, and its locals and code. */
export interface ResumeBody {
  readonly functionIndex: number;
  /** Place of the resume copy in the resume table. */
  readonly resumeIndex: number;
  readonly bytes: Uint8Array;
}

export function assembleResumeModule(
  first: FirstModule,
  parts: ResumeModuleParts,
  { resumeCopies, loopCopies }: { resumeCopies: readonly ResumeBody[]; loopCopies: readonly ResumeBody[] },
  resumeTable: number,
): Uint8Array<ArrayBuffer> {
  const near = new NearCopies(first, first.usedFunctions, parts.raise + 1 + resumeCopies.length + loopCopies.length);
  const looping = loopCopies.map(({ functionIndex, bytes }) => ({ functionIndex, bytes: near.redirect(bytes) }));
  const runs = consecutive(resumeCopies);
  const nearCopies = near.all();
  const bodies = [...resumeCopies, ...looping, ...nearCopies];
  const functions = new CalledFunctions(parts, bodies);
  const code = bodies.map(({ bytes }) => functions.renumbered(bytes));
  const codeBytes = bodies.reduce((total, { bytes }) => total + bytes.length, 0);
  const writer = new Writer(codeBytes + 65_536);
  const resumeType = parts.type({ params: [], results: [] });
  const firstIndex = functions.indexOf(parts.raise) + 1;
  const references = [...parts.references].map((index) => functions.indexOf(index));
  writer.bytes(PREAMBLE);
  writer.section(SECTION.type, () => writeTypes(writer, first, parts.types));
  writer.section(SECTION.import, () => writeImports(writer, first, { functions, raiseType: resumeType }));
  writer.section(SECTION.function, () => {
    const types = [...resumeCopies, ...looping].map(() => resumeType);
    writer.vector([...types, ...nearCopies.map(({ type }) => type)], (type) => writer.u32(type));
  });
  writer.section(SECTION.element, () => {
    writer.u32(runs.length + (references.length > 0 ? 1 : 0));
    for (const { resumeIndex, positions } of runs) {
      writer.u8(FUNCREF_ELEMENTS_WITH_TABLE);
      writer.u32(resumeTable);
      writer.u8(I32_CONST);
      writer.s32(resumeIndex);
      writer.u8(END);
      writer.u8(0);
      writer.vector(positions, (position) => writer.u32(firstIndex + position));
    }
    if (references.length === 0) return;
    writer.u8(DECLARATIVE);
    writer.u8(0);
    writer.vector(references, (index) => writer.u32(index));
  });
  // A frame leaves its resume copy as soon as that costs anything.
  const hinted = code
    .slice(resumeCopies.length)
    .map((bytes) => checkHints(bytes, parts.globals.state, () => bytes.length <= SMALL_BODY_BYTES));
  const firstHinted = firstIndex + resumeCopies.length;
  writeBranchHints(writer, new Map(hinted.map((hints, position) => [firstHinted + position, hints])));
  writer.section(SECTION.code, () => {
    writer.vector(code, (bytes) => writer.sized(() => writer.bytes(bytes)));
  });
  writeNames(writer, first, bodies, firstIndex);
  return writer.toBytes();
}

/** Copies that follow each other in the resume table. */
interface Run {
  /** Of the first one. */
  readonly resumeIndex: number;
  /** Of all of them, in the list of copies. */
  readonly positions: number[];
}

function consecutive(resumeCopies: readonly ResumeBody[]): Run[] {
  const runs: Run[] = [];
  for (const [position, { resumeIndex }] of resumeCopies.entries()) {
    const last = runs.at(-1);
    if (last !== undefined && resumeIndex === last.resumeIndex + last.positions.length) last.positions.push(position);
    else runs.push({ resumeIndex, positions: [position] });
  }
  return runs;
}

function writeTypes(writer: Writer, { module }: FirstModule, added: readonly FunctionType[]): void {
  const section = module.sections.find(({ id }) => id === SECTION.type);
  const reader = section && new Reader(module.bytes, section.contentStart, section.end);
  // A recursion group counts once.
  writer.u32((reader?.u32() ?? 0) + added.length);
  if (reader) writer.bytes(module.bytes, reader.position, reader.end);
  for (const type of added) writeFunctionType(writer, type);
}

function writeImports(
  writer: Writer,
  first: FirstModule,
  { functions, raiseType }: { readonly functions: CalledFunctions; readonly raiseType: number },
): void {
  const { module } = first;
  const imported = first.sharedFunctions(functions.imported);
  const tables: readonly TableType[] = [...module.tables, ...first.addedTables];
  const memories: readonly MemoryType[] = [...module.memories, ...first.addedMemories];
  const globals: readonly GlobalType[] = [...module.globals, ...first.addedGlobals];
  const tags = [...module.tags, ...first.addedTags];
  const writeFunction = (name: string, type: number): void => {
    writer.name(FIRST_FUNCTIONS);
    writer.name(name);
    writer.u8(EXTERN_KINDS.indexOf("function"));
    writer.u32(type);
  };
  const writeAll = <Type>(
    kind: Exclude<ExternKind, "function">,
    types: readonly Type[],
    writeType: (type: Type) => void,
  ): void => {
    for (const [index, type] of types.entries()) {
      writer.name(FIRST_MODULE);
      writer.name(sharedName(kind, index));
      writer.u8(EXTERN_KINDS.indexOf(kind));
      writeType(type);
    }
  };
  writer.u32(imported.length + tables.length + memories.length + globals.length + tags.length + 1);
  for (const { position, type } of imported) writeFunction(String(position), type);
  writeFunction(RAISE, raiseType);
  writeAll("table", tables, (type) => writeTableType(writer, type));
  writeAll("memory", memories, (type) => writeMemoryType(writer, type));
  writeAll("global", globals, (type) => writeGlobalType(writer, type));
  writeAll("tag", tags, (type) => {
    writer.u8(0);
    writer.u32(type);
  });
}

/** Backtraces show a resume copy by the names of its function and of the guest. */
function writeNames(
  writer: Writer,
  { module }: FirstModule,
  bodies: readonly Pick<ResumeBody, "functionIndex">[],
  firstIndex: number,
): void {
  const names = new ModuleNames(module);
  const named = bodies
    .map(({ functionIndex }, position) => ({
      index: firstIndex + position,
      name: names.name("function", functionIndex),
    }))
    .filter(({ name }) => name !== undefined);
  if (named.length === 0) return;
  const moduleName = names.module;
  writer.section(SECTION.custom, () => {
    writer.name(NAME_SECTION);
    if (moduleName !== undefined) writer.section(NAME_SUBSECTION.module, () => writer.name(moduleName));
    writer.section(NAME_SUBSECTION.function, () => {
      writer.vector(named, ({ index, name }) => {
        writer.u32(index);
        writer.name(name!);
      });
    });
  });
}
