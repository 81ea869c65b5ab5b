/**
 * Looks up debug names: the name section, read when it is first asked. Also appends names of functions to it.
 *
 * A broken name section is no error, as in engines: what can be read of it counts, the rest is as if it were not there.
 */

import type { BinaryModule } from "./module.ts";
import { Reader } from "./reader.ts";
import { NAME_SECTION, NAME_SUBSECTION, SECTION } from "./sections.ts";
import type { Writer } from "./writer.ts";

/** What has a name map of its own. */
export type NamedKind = "function" | "type" | "table" | "memory" | "global" | "element" | "data" | "tag";

/** Index → offset of the name. Names are decoded when they are asked for: a module can have 100,000 of them. */
type NameMap = ReadonlyMap<number, number>;

export class ModuleNames {
  readonly #module: BinaryModule;
  /** Subsection id → a reader of its contents. */
  #subsections: ReadonlyMap<number, Reader> | undefined;
  readonly #maps = new Map<NamedKind, NameMap>();
  /** Function index → a reader at the name map of its locals. */
  #locals: ReadonlyMap<number, Reader> | undefined;

  constructor(module: BinaryModule) {
    this.#module = module;
  }

  /** The name of the module itself. */
  get module(): string | undefined {
    const reader = this.#subsection(NAME_SUBSECTION.module);
    return reader && readName(reader, reader.position);
  }

  /** The name of a function, global, …; undefined when it has none. */
  name(kind: NamedKind, index: number): string | undefined {
    const reader = this.#subsection(NAME_SUBSECTION[kind]);
    const offset = this.#map(kind).get(index);
    return reader && offset !== undefined ? readName(reader, offset) : undefined;
  }

  /** The index of the first thing called `name`; undefined when there is none. */
  find(kind: NamedKind, name: string): number | undefined {
    const reader = this.#subsection(NAME_SUBSECTION[kind]);
    if (!reader) return undefined;
    for (const [index, offset] of this.#map(kind)) if (readName(reader, offset) === name) return index;
    return undefined;
  }

  /** The name of a parameter or local of a function. */
  local(functionIndex: number, localIndex: number): string | undefined {
    this.#locals ??= readLocalMaps(this.#subsection(NAME_SUBSECTION.local));
    const reader = this.#locals.get(functionIndex);
    if (!reader) return undefined;
    const offset = readNameMap(copyOf(reader)).get(localIndex);
    return offset === undefined ? undefined : readName(reader, offset);
  }

  /** How to call a function in a message: its name, or what it is imported or exported as, or its index. */
  describeFunction(index: number): string {
    const name = this.name("function", index);
    if (name !== undefined) return name;
    const { imports, exports } = this.#module;
    const isThis = (entry: { kind: string; index: number }): boolean =>
      entry.kind === "function" && entry.index === index;
    const imported = imports.find(isThis);
    if (imported) return `${imported.module}.${imported.name}`;
    return exports.find(isThis)?.name ?? `function ${index}`;
  }

  #subsection(id: number): Reader | undefined {
    this.#subsections ??= nameSubsections(this.#module);
    return this.#subsections.get(id);
  }

  #map(kind: NamedKind): NameMap {
    let map = this.#maps.get(kind);
    if (!map) {
      const reader = this.#subsection(NAME_SUBSECTION[kind]);
      map = reader ? readNameMap(copyOf(reader)) : new Map();
      this.#maps.set(kind, map);
    }
    return map;
  }
}

function copyOf({ bytes, position, end }: Reader): Reader {
  return new Reader(bytes, position, end);
}

/** Runs `read` until it is done or the section turns out to be broken. */
function readWhilePossible(read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error;
  }
}

function readName(from: Reader, offset: number): string | undefined {
  let name: string | undefined;
  readWhilePossible(() => (name = new Reader(from.bytes, offset, from.end).name()));
  return name;
}

/** The subsections of the name section, by their ids. */
export function nameSubsections(module: BinaryModule): ReadonlyMap<number, Reader> {
  const subsections = new Map<number, Reader>();
  const section = module.customSections.find(({ name }) => name === NAME_SECTION);
  if (!section) return subsections;
  const reader = new Reader(module.bytes, section.contentStart, section.end);
  readWhilePossible(() => {
    while (reader.remaining > 0) {
      const id = reader.u8();
      const size = reader.u32();
      const start = reader.skip(size);
      subsections.set(id, new Reader(module.bytes, start, start + size));
    }
  });
  return subsections;
}

/** Moves the reader behind the map, or to where it is broken. */
function readNameMap(reader: Reader): NameMap {
  const offsets = new Map<number, number>();
  readWhilePossible(() => {
    for (let left = reader.count("names", 2); left > 0; left--) {
      const index = reader.u32();
      offsets.set(index, reader.position);
      reader.skip(reader.u32());
    }
  });
  return offsets;
}

function readLocalMaps(subsection: Reader | undefined): ReadonlyMap<number, Reader> {
  const functions = new Map<number, Reader>();
  if (!subsection) return functions;
  const reader = copyOf(subsection);
  readWhilePossible(() => {
    for (let left = reader.count("functions", 2); left > 0; left--) {
      const index = reader.u32();
      functions.set(index, copyOf(reader));
      readNameMap(reader);
    }
  });
  return functions;
}

/** A function and its debug name. */
export type FunctionName = readonly [index: number, name: string];

/**
 * Appends a name section: what `subsections` has, and `names`, which are of functions behind all others.
 *
 * @param subsections as {@link nameSubsections} finds them
 */
export function writeNameSection(
  writer: Writer,
  names: readonly FunctionName[],
  subsections: ReadonlyMap<number, Reader> = new Map(),
): void {
  const ids = new Set([...subsections.keys(), NAME_SUBSECTION.function]);
  writer.section(SECTION.custom, () => {
    writer.name(NAME_SECTION);
    for (const id of [...ids].toSorted((a, b) => a - b)) {
      const known = subsections.get(id);
      writer.section(id, () => {
        if (id === NAME_SUBSECTION.function) writeFunctionNames(writer, names, known);
        else if (known !== undefined) writer.bytes(known.bytes, known.position, known.end);
      });
    }
  });
}

function writeFunctionNames(writer: Writer, names: readonly FunctionName[], known: Reader | undefined): void {
  let count = 0;
  readWhilePossible(() => (count = known?.u32() ?? 0));
  writer.u32(count + names.length);
  if (known !== undefined) writer.bytes(known.bytes, known.position, known.end);
  for (const [index, name] of names) {
    writer.u32(index);
    writer.name(name);
  }
}
