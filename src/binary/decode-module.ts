/** Decodes a module: one function per section, each from its contents into the structure of module.ts. */

import { readExternKind, readGlobalType, readMemoryType, readTableType, readTagType } from "./extern-types.ts";
import { InstructionReader } from "./instructions.ts";
import type { BinaryModule, DataSegment, ElementSegment, Table } from "./module.ts";
import { PREAMBLE, SECTION, SECTION_ORDER } from "./sections.ts";
import { readTypeSection } from "./type-section.ts";
import { FUNCREF, readReferenceType } from "./value-types.ts";

/** A module whose lists are still being filled. */
type Draft = {
  -readonly [Key in keyof BinaryModule]: BinaryModule[Key] extends readonly (infer Item)[] ? Item[] : BinaryModule[Key];
};

// Flags of element segments.
const NOT_ACTIVE = 0x01;
const EXPLICIT_TABLE = 0x02;
const DECLARATIVE = NOT_ACTIVE | 0x02;
const EXPRESSIONS = 0x04;

/** First byte of a table with an initial value. */
const TABLE_WITH_INITIAL = 0x40;

/**
 * Decodes everything but the instructions of function bodies, which are only located.
 *
 * @throws {WebAssembly.CompileError} when the bytes are not a WebAssembly module, or use a proposal that is not
 *   supported
 */
export function decodeModule(bytes: Uint8Array): BinaryModule {
  const reader = new InstructionReader(bytes);
  const module = emptyModule(bytes);
  if (bytes.length < PREAMBLE.length || PREAMBLE.some((byte, offset) => bytes[offset] !== byte)) {
    reader.fail("the magic number and version 1 of a WebAssembly module", 0);
  }
  reader.position = PREAMBLE.length;
  let lastRank = -1;
  while (reader.position < bytes.length) {
    const start = reader.position;
    const id = reader.u8();
    const size = reader.u32("the size of a section");
    const contentStart = reader.position;
    const end = reader.skip(size, "a section") + size;
    reader.position = contentStart;
    reader.end = end;
    if (id === SECTION.custom) {
      readCustomSection(reader, module, start);
    } else {
      lastRank = checkOrder(reader, id, start, lastRank);
      module.sections.push({ id, start, contentStart, end });
      SECTION_READERS[id]!(reader, module);
      if (reader.position !== end) reader.fail(`the end of section ${id}`);
    }
    reader.position = end;
    reader.end = bytes.length;
  }
  checkCounts(reader, module);
  return module;
}

function emptyModule(bytes: Uint8Array): Draft {
  return {
    bytes,
    sections: [],
    customSections: [],
    types: [],
    imports: [],
    functions: new Uint32Array(),
    importedFunctions: 0,
    tables: [],
    memories: [],
    globals: [],
    tags: [],
    exports: [],
    start: null,
    elements: [],
    dataCount: null,
    bodies: new Uint32Array(),
    data: [],
  };
}

/** @returns the rank of the section, which the next one has to exceed */
function checkOrder(reader: InstructionReader, id: number, start: number, lastRank: number): number {
  const rank = SECTION_ORDER.indexOf(id);
  if (rank < 0) reader.fail(`a section id, received ${id}`, start);
  if (rank <= lastRank) reader.fail(`sections in order and each of them once, received section ${id}`, start);
  return rank;
}

/** Numbers that two sections have to agree on, also when one of them is missing. */
function checkCounts(reader: InstructionReader, module: Draft): void {
  const functions = module.functions.length - module.importedFunctions;
  const bodies = module.bodies.length / 2;
  if (bodies !== functions) reader.fail(`${functions} function bodies, received ${bodies}`);
  if (module.dataCount !== null && module.dataCount !== module.data.length) {
    reader.fail(`${module.dataCount} data segments, received ${module.data.length}`);
  }
}

type SectionReader = (reader: InstructionReader, module: Draft) => void;

const SECTION_READERS: Readonly<Record<number, SectionReader>> = {
  [SECTION.type]: (reader, module) => (module.types = readTypeSection(reader)),
  [SECTION.import]: readImports,
  [SECTION.function]: readFunctions,
  [SECTION.table]: readTables,
  [SECTION.memory]: readMemories,
  [SECTION.tag]: readTags,
  [SECTION.global]: readGlobals,
  [SECTION.export]: readExports,
  [SECTION.start]: readStart,
  [SECTION.element]: readElements,
  [SECTION.dataCount]: (reader, module) => (module.dataCount = reader.u32("a number of data segments")),
  [SECTION.code]: readBodies,
  [SECTION.data]: readData,
};

function readCustomSection(reader: InstructionReader, module: Draft, start: number): void {
  const name = reader.name("the name of a custom section");
  const section = { id: SECTION.custom, name, start, contentStart: reader.position, end: reader.end };
  module.sections.push(section);
  module.customSections.push(section);
}

function readImports(reader: InstructionReader, module: Draft): void {
  const functions: number[] = [];
  for (let left = reader.count("imports", 4); left > 0; left--) {
    const from = reader.name("the module name of an import");
    const name = reader.name("the name of an import");
    const kind = readExternKind(reader);
    const start = reader.position;
    let index: number;
    if (kind === "function") {
      index = functions.push(readFunctionTypeIndex(reader, module)) - 1;
    } else if (kind === "table") {
      const type = readTableType(reader);
      index = module.tables.push({ ...type, description: rangeFrom(start, reader), initial: null }) - 1;
    } else if (kind === "memory") {
      const type = readMemoryType(reader);
      index = module.memories.push({ ...type, description: rangeFrom(start, reader) }) - 1;
    } else if (kind === "global") {
      const type = readGlobalType(reader);
      index = module.globals.push({ ...type, description: rangeFrom(start, reader), initial: null }) - 1;
    } else {
      index = module.tags.push(readTag(reader, module)) - 1;
    }
    module.imports.push({ module: from, name, kind, index, description: rangeFrom(start, reader) });
  }
  module.functions = Uint32Array.from(functions);
  module.importedFunctions = functions.length;
}

function rangeFrom(start: number, reader: InstructionReader): { start: number; end: number } {
  return { start, end: reader.position };
}

function readFunctionTypeIndex(reader: InstructionReader, module: Draft): number {
  const start = reader.position;
  const index = reader.u32("a type index");
  if (module.types[index]?.kind !== "func") reader.fail(`the index of a function type, received ${index}`, start);
  return index;
}

function readTag(reader: InstructionReader, module: Draft): number {
  const start = reader.position;
  const index = readTagType(reader);
  if (module.types[index]?.kind !== "func") reader.fail(`the index of a function type, received ${index}`, start);
  return index;
}

function readFunctions(reader: InstructionReader, module: Draft): void {
  const imported = module.functions;
  const count = reader.count("functions");
  const functions = new Uint32Array(imported.length + count);
  functions.set(imported);
  for (let index = imported.length; index < functions.length; index++) {
    functions[index] = readFunctionTypeIndex(reader, module);
  }
  module.functions = functions;
}

function readTables(reader: InstructionReader, module: Draft): void {
  for (let left = reader.count("tables", 3); left > 0; left--) module.tables.push(readTable(reader));
}

function readTable(reader: InstructionReader): Table {
  const hasInitial = reader.bytes[reader.position] === TABLE_WITH_INITIAL;
  if (hasInitial) {
    reader.u8();
    if (reader.u8("0x00 after 0x40") !== 0) reader.fail("0x00 after 0x40", reader.position - 1);
  }
  const start = reader.position;
  const type = readTableType(reader);
  const description = rangeFrom(start, reader);
  return { ...type, description, initial: hasInitial ? reader.skipExpression() : null };
}

function readMemories(reader: InstructionReader, module: Draft): void {
  for (let left = reader.count("memories", 2); left > 0; left--) {
    const start = reader.position;
    const type = readMemoryType(reader);
    module.memories.push({ ...type, description: rangeFrom(start, reader) });
  }
}

function readTags(reader: InstructionReader, module: Draft): void {
  for (let left = reader.count("tags", 2); left > 0; left--) module.tags.push(readTag(reader, module));
}

function readGlobals(reader: InstructionReader, module: Draft): void {
  for (let left = reader.count("globals", 3); left > 0; left--) {
    const start = reader.position;
    const type = readGlobalType(reader);
    const description = rangeFrom(start, reader);
    module.globals.push({ ...type, description, initial: reader.skipExpression() });
  }
}

function readExports(reader: InstructionReader, module: Draft): void {
  const limits = {
    function: module.functions.length,
    table: module.tables.length,
    memory: module.memories.length,
    global: module.globals.length,
    tag: module.tags.length,
  };
  for (let left = reader.count("exports", 3); left > 0; left--) {
    const name = reader.name("the name of an export");
    const kind = readExternKind(reader);
    const start = reader.position;
    const index = reader.u32("an index");
    if (index >= limits[kind]) reader.fail(`the index of a ${kind}, received ${index} of ${limits[kind]}`, start);
    module.exports.push({ name, kind, index, description: rangeFrom(start, reader) });
  }
}

function readStart(reader: InstructionReader, module: Draft): void {
  const start = reader.position;
  module.start = reader.u32("a function index");
  if (module.start >= module.functions.length) reader.fail(`the index of a function, received ${module.start}`, start);
}

function readElements(reader: InstructionReader, module: Draft): void {
  for (let left = reader.count("element segments", 2); left > 0; left--)
    module.elements.push(readElementSegment(reader));
}

function readElementSegment(reader: InstructionReader): ElementSegment {
  const flagsStart = reader.position;
  const flags = reader.u32("flags of an element segment");
  if (flags > (DECLARATIVE | EXPRESSIONS)) reader.fail(`flags of an element segment, received ${flags}`, flagsStart);
  const active = (flags & NOT_ACTIVE) === 0;
  const notActive = (flags & DECLARATIVE) === DECLARATIVE ? "declarative" : "passive";
  const mode = active ? "active" : notActive;
  const table = active && (flags & EXPLICIT_TABLE) !== 0 ? reader.u32("a table index") : 0;
  const offset = active ? reader.skipExpression() : null;
  const hasType = (flags & DECLARATIVE) !== 0;
  if ((flags & EXPRESSIONS) !== 0) {
    const type = hasType ? readReferenceType(reader) : FUNCREF;
    const count = reader.count("elements");
    const start = reader.position;
    const expressions = Array.from({ length: count }, () => reader.skipExpression());
    return { mode, type, table, offset, functions: null, expressions, elements: rangeFrom(start, reader) };
  }
  if (hasType && reader.u8("an element kind (0)") !== 0) reader.fail("an element kind (0)", reader.position - 1);
  const functions = new Uint32Array(reader.count("elements"));
  const start = reader.position;
  for (let position = 0; position < functions.length; position++) functions[position] = reader.u32("a function index");
  return { mode, type: FUNCREF, table, offset, functions, expressions: null, elements: rangeFrom(start, reader) };
}

function readBodies(reader: InstructionReader, module: Draft): void {
  const bodies = new Uint32Array(reader.count("function bodies") * 2);
  for (let position = 0; position < bodies.length; position += 2) {
    const size = reader.u32("the size of a function body");
    const start = reader.skip(size, "a function body");
    bodies[position] = start;
    bodies[position + 1] = start + size;
  }
  module.bodies = bodies;
}

function readData(reader: InstructionReader, module: Draft): void {
  for (let left = reader.count("data segments", 2); left > 0; left--) module.data.push(readDataSegment(reader));
}

function readDataSegment(reader: InstructionReader): DataSegment {
  const flagsStart = reader.position;
  const flags = reader.u32("flags of a data segment");
  if (flags > 2) reader.fail(`flags of a data segment, received ${flags}`, flagsStart);
  const active = flags !== 1;
  const memory = flags === 2 ? reader.u32("a memory index") : 0;
  const offset = active ? reader.skipExpression() : null;
  const size = reader.u32("the size of a data segment");
  const start = reader.skip(size, "a data segment");
  return { mode: active ? "active" : "passive", memory, offset, content: { start, end: start + size } };
}
