/**
 * A transformed module as one file, made ahead of time or kept in a cache.
 *
 * The file is a WebAssembly module: the first module, with all that belongs to it in custom sections at its end.
 *
 *     first module           as transformModule() makes it; engines compile the file as it is
 *     "stackful.runtime"     the module of the runtime, if there is one
 *     "stackful.resume"      the module of the resume copies
 *     "stackful.part"        in a cache, instead: vector of u32, numbers; and a module with these resume copies only
 *     "stackful"             u32   version of the format
 *                            4 bytes   checksum of all the others of the file
 *                            name  facts of whoever packed it, in JSON
 *                            u32, bits   which functions may suspend
 *                            u32, bits   which function types may be called through tables and suspend
 *                            u32, bits   which functions have frames: in this order their resume copies are numbered
 *
 * Both modules only fit each other as they are. So a file that another tool has changed since is refused, by the checksum; it
 * is against mistakes, not against malice: to load a module is to trust whoever made it.
 */

import { decodeModule } from "../binary/decode-module.ts";
import type { BinaryModule, CustomSection } from "../binary/module.ts";
import { Reader, malformed } from "../binary/reader.ts";
import { PREAMBLE, SECTION } from "../binary/sections.ts";
import { Writer } from "../binary/writer.ts";
import { ABI } from "./abi.ts";
import { SuspendableCalls } from "./calls.ts";
import { FORMAT_VERSION } from "./compiler-version.ts";
import { RESERVED } from "./first-module.ts";
import { memoriesToMake, withoutImportedMemories } from "./imported-memories.ts";
import type { ResumePart, TransformedModule } from "./transformed-module.ts";

const PACKAGE_SECTION = "stackful";
const RUNTIME_SECTION = "stackful.runtime";
const RESUME_SECTION = "stackful.resume";
const PART_SECTION = "stackful.part";
const CHECKSUM_BYTES = 4;

export interface PackagedModule {
  readonly transformed: TransformedModule;
  /** What was given to {@link pack}; whoever packed it has to check that it still is. */
  readonly facts: unknown;
  /** Which resume copies are part of it: their numbers, if not all of them. */
  readonly resumeCopies: "all" | readonly number[];
}

export interface PackOptions {
  /** What is to be known when it is unpacked: anything that JSON can hold. */
  readonly facts?: object;
  /** The numbers of the resume copies that it is to have; all of them when left out, which takes as long to make as the first module. */
  readonly resumeCopies?: readonly number[];
}

/** @throws {TypeError} when the module that was transformed has sections of these names */
export function pack(transformed: TransformedModule, options: PackOptions = {}): Uint8Array<ArrayBuffer> {
  const { runtime, calls } = transformed;
  const main = bareMain(transformed);
  const resume = resumeModuleOf(transformed, options.resumeCopies);
  const writer = new Writer(main.length + resume.bytes.length + (runtime?.length ?? 0) + 4096);
  writer.bytes(main);
  if (runtime) writeCustomSection(writer, RUNTIME_SECTION, () => writer.bytes(runtime));
  if (resume.numbers === undefined) writeCustomSection(writer, RESUME_SECTION, () => writer.bytes(resume.bytes));
  else if (resume.numbers.length > 0) writePart(writer, { numbers: resume.numbers, bytes: resume.bytes });
  let behindChecksum = 0;
  writeCustomSection(writer, PACKAGE_SECTION, () => {
    writer.u32(FORMAT_VERSION);
    const checksumStart = writer.length;
    for (let byte = 0; byte < CHECKSUM_BYTES; byte++) writer.u8(0);
    writer.name(JSON.stringify(options.facts ?? {}));
    writeBits(writer, calls.functions);
    writeBits(writer, calls.types);
    writeBits(writer, withFramesAsFlags(transformed));
    behindChecksum = writer.length - checksumStart;
  });
  const bytes = writer.toBytes();
  const checksumStart = bytes.length - behindChecksum;
  viewOf(bytes).setUint32(checksumStart, checksum(bytes, checksumStart), true);
  return bytes;
}

const PARTS: readonly string[] = [RUNTIME_SECTION, RESUME_SECTION, PART_SECTION, PACKAGE_SECTION];

/** `numbers` are left out of all. */
function resumeModuleOf(
  transformed: TransformedModule,
  wanted: readonly number[] | undefined,
): Pick<ResumePart, "bytes"> & Partial<ResumePart> {
  if (wanted?.length === 0) return { numbers: [], bytes: new Uint8Array() };
  return (wanted && transformed.resumeSome(wanted)) ?? { bytes: transformed.resume() };
}

function writePart(writer: Writer, { numbers, bytes }: ResumePart): void {
  writeCustomSection(writer, PART_SECTION, () => {
    writer.vector(numbers, (number) => writer.u32(number));
    writer.bytes(bytes);
  });
}

function readPart(module: BinaryModule, bytes: Uint8Array<ArrayBuffer>): ResumePart {
  const section = findSection(module, PART_SECTION);
  if (!section) return { numbers: [], bytes: new Uint8Array() };
  const reader = new Reader(bytes, section.contentStart, section.end);
  const numbers = Array.from({ length: reader.u32("a number of resume copies") }, () => reader.u32());
  return { numbers, bytes: bytes.subarray(reader.position, section.end) };
}

/** The first module alone: what {@link unpack} calls so is the whole file. */
function bareMain({ main, module }: TransformedModule): Uint8Array<ArrayBuffer> {
  const isFile = isPackaged(main);
  const { customSections } = isFile ? decodeModule(main) : module;
  const part = customSections.find(({ name }) => PARTS.includes(name));
  if (part === undefined || isFile) return main.subarray(0, part?.start);
  throw new TypeError(`Cannot pack module: it has a section "${part.name}", a name that is reserved for what is added`);
}

/** Whether the bytes are a packaged module, of whatever version. Bytes that are no module are not. */
export function isPackaged(bytes: Uint8Array): boolean {
  const reader = new Reader(bytes);
  if (bytes.length < PREAMBLE.length || PREAMBLE.some((byte, offset) => bytes[offset] !== byte)) return false;
  try {
    reader.skip(PREAMBLE.length);
    while (reader.remaining > 0) {
      const id = reader.u8();
      const size = reader.u32();
      const end = reader.skip(size) + size;
      if (id === SECTION.custom && new Reader(bytes, end - size, end).name() === PACKAGE_SECTION) return true;
    }
  } catch {
    // Whoever compiles it says what is wrong with it.
  }
  return false;
}

/**
 * `make` makes all resume copies, if some are asked for that are not in the file; it is called once.
 *
 * @throws {WebAssembly.CompileError} when the bytes are not a packaged module, were made by a library with another format,
 *   or were changed since
 */
export function unpack(bytes: Uint8Array<ArrayBuffer>, make?: () => Uint8Array<ArrayBuffer>): PackagedModule {
  const module = decodeModule(bytes);
  const section = findSection(module, PACKAGE_SECTION);
  if (!section) throw malformed(`a section "${PACKAGE_SECTION}": this is no transformed module`, bytes.length);
  const { reader, checksumStart } = openPackage(bytes, section);
  if (viewOf(bytes).getUint32(checksumStart, true) !== checksum(bytes, checksumStart)) {
    throw new WebAssembly.CompileError(
      "Cannot load transformed module: it was changed after it was transformed; transform it after all other tools, from the original",
    );
  }
  const facts = parseFacts(reader);
  const calls = new SuspendableCalls(readBits(reader, module.functions.length), readBits(reader, module.types.length));
  const withFrames = [...readBits(reader, module.functions.length).entries()].filter(([, has]) => has === 1);
  const runtime = contentOf(module, bytes, RUNTIME_SECTION);
  const resume = contentOf(module, bytes, RESUME_SECTION);
  const part = readPart(module, bytes);
  let made: Uint8Array<ArrayBuffer> | undefined;
  return {
    facts,
    resumeCopies: resume ? "all" : part.numbers,
    transformed: {
      main: bytes,
      runtime,
      ownMemories: memoriesToMake(module),
      resume: () => resume ?? (made ??= make?.()) ?? malformedFile(bytes),
      // Whoever waits at other places than the last time is likely to do so the next time, too: all are kept then.
      resumeSome: (numbers) => (resume === null && hasAll(part, numbers) ? part : null),
      module: withoutReservedExports(withoutImportedMemories(module)),
      calls,
      withFrames: withFrames.map(([index]) => index),
      asksForExceptions: module.exports.some(({ name }) => name === ABI.hostFunctions),
    },
  };
}

function malformedFile(bytes: Uint8Array): never {
  throw malformed(`a section "${RESUME_SECTION}"`, bytes.length);
}

function hasAll(part: ResumePart, wanted: readonly number[]): boolean {
  const numbers = new Set(part.numbers);
  return wanted.every((number) => numbers.has(number));
}

/** The reader stands behind the checksum. */
function openPackage(
  bytes: Uint8Array,
  { contentStart, end }: CustomSection,
): { reader: Reader; checksumStart: number } {
  const reader = new Reader(bytes, contentStart, end);
  const version = reader.u32("the version of the format");
  if (version !== FORMAT_VERSION) {
    throw new WebAssembly.CompileError(
      `Cannot load transformed module: its format is version ${version}, and this library has version ${FORMAT_VERSION}; transform the original again`,
    );
  }
  return { reader, checksumStart: reader.skip(CHECKSUM_BYTES, "checksum") };
}

function withFramesAsFlags({ calls, withFrames }: TransformedModule): Uint8Array {
  const flags = new Uint8Array(calls.functions.length);
  for (const index of withFrames) flags[index] = 1;
  return flags;
}

function parseFacts(reader: Reader): unknown {
  const start = reader.position;
  const text = reader.name("the facts of the module");
  try {
    return JSON.parse(text);
  } catch {
    return reader.fail("facts in JSON", start);
  }
}

function writeCustomSection(writer: Writer, name: string, write: () => void): void {
  writer.section(SECTION.custom, () => {
    writer.name(name);
    write();
  });
}

function findSection({ customSections }: BinaryModule, wanted: string): CustomSection | undefined {
  return customSections.find(({ name }) => name === wanted);
}

function contentOf(module: BinaryModule, bytes: Uint8Array<ArrayBuffer>, name: string): Uint8Array<ArrayBuffer> | null {
  const section = findSection(module, name);
  return section ? bytes.subarray(section.contentStart, section.end) : null;
}

/** With the exports of the module that was transformed. */
function withoutReservedExports(module: BinaryModule): BinaryModule {
  return { ...module, exports: module.exports.filter(({ name }) => !name.startsWith(RESERVED)) };
}

/** Their number, then eight to a byte, the first one lowest. */
function writeBits(writer: Writer, bits: Uint8Array): void {
  writer.u32(bits.length);
  for (let start = 0; start < bits.length; start += 8) {
    let byte = 0;
    for (let bit = 0; bit < 8; bit++) byte |= (bits[start + bit] ?? 0) << bit;
    writer.u8(byte);
  }
}

function readBits(reader: Reader, maximum: number): Uint8Array {
  const start = reader.position;
  const count = reader.u32("a number of bits");
  if (count > maximum) reader.fail(`at most ${maximum} bits`, start);
  const bits = new Uint8Array(count);
  for (let index = 0, byte = 0; index < count; index++) {
    if (index % 8 === 0) byte = reader.u8("bits");
    bits[index] = (byte >> (index % 8)) & 1;
  }
  return bits;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Of all bytes but those of the checksum itself. */
function checksum(bytes: Uint8Array, checksumStart: number): number {
  const begun = hash(bytes, [0, checksumStart], FNV_OFFSET);
  return hash(bytes, [checksumStart + CHECKSUM_BYTES, bytes.length], begun);
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * FNV-1a on words of four bytes, with the high bits mixed into the low ones: in four lanes, which a processor computes at the
 * same time. 34 MB take 30 ms.
 */
function hash(bytes: Uint8Array, [start, end]: readonly [number, number], seed: number): number {
  const view = viewOf(bytes);
  const mix = (state: number, word: number): number => {
    const product = Math.imul(state ^ word, FNV_PRIME);
    return product ^ (product >>> 15);
  };
  let [first, second, third, fourth] = [seed, seed + 1, seed + 2, seed + 3];
  let position = start;
  for (; position + 16 <= end; position += 16) {
    first = mix(first, view.getInt32(position, true));
    second = mix(second, view.getInt32(position + 4, true));
    third = mix(third, view.getInt32(position + 8, true));
    fourth = mix(fourth, view.getInt32(position + 12, true));
  }
  for (; position < end; position++) first = mix(first, bytes[position]!);
  return [second, third, fourth].reduce(mix, first) >>> 0;
}
