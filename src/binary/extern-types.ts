/** Types of what a module imports, defines and exports: functions, tables, memories, globals and tags. */

import type { Reader } from "./reader.ts";
import { readReferenceType, readValueType, writeValueType } from "./value-types.ts";
import type { ValueType } from "./value-types.ts";
import type { Writer } from "./writer.ts";

/** What can be imported and exported, by the names of the JavaScript API. */
export type ExternKind = (typeof EXTERN_KINDS)[number];

/** Position = code in the binary format. */
export const EXTERN_KINDS = ["function", "table", "memory", "global", "tag"] as const;

export interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** Sizes of a memory in pages or of a table in elements. Numbers above 2^53 (64-bit limits) are rounded. */
export interface Limits {
  readonly minimum: number;
  readonly maximum?: number;
  /** Addresses or indices are i64. */
  readonly is64?: boolean;
}

export interface MemoryType extends Limits {
  readonly shared?: boolean;
  /** Binary logarithm of the page size in bytes, when it is not 16 (64 KiB). */
  readonly pageSizeLog2?: number;
}

export interface TableType extends Limits {
  readonly element: ValueType;
}

export interface GlobalType {
  readonly type: ValueType;
  readonly mutable: boolean;
}

const HAS_MAXIMUM = 0x01;
const SHARED = 0x02;
const IS_64 = 0x04;
const CUSTOM_PAGE_SIZE = 0x08;

/**
 * Whether two function types are written alike. Types that only differ in equivalent type indices are not found equal.
 */
export function equalFunctionTypes(a: FunctionType, b: FunctionType): boolean {
  return equalLists(a.params, b.params) && equalLists(a.results, b.results);
}

function equalLists(a: readonly ValueType[], b: readonly ValueType[]): boolean {
  return a.length === b.length && a.every((type, position) => type === b[position]);
}

export function readExternKind(reader: Reader): ExternKind {
  const code = reader.u8("an import or export kind");
  const kind = EXTERN_KINDS[code];
  return kind ?? reader.fail(`an import or export kind, received 0x${code.toString(16)}`, reader.position - 1);
}

function readValueTypes(reader: Reader, what: string): ValueType[] {
  const types: ValueType[] = [];
  for (let left = reader.count(what); left > 0; left--) types.push(readValueType(reader));
  return types;
}

/** Parameters and results, without the form byte 0x60. */
export function readFunctionType(reader: Reader): FunctionType {
  const params = readValueTypes(reader, "parameters");
  return { params, results: readValueTypes(reader, "results") };
}

function readLimits(reader: Reader, flags: number): Limits {
  const is64 = (flags & IS_64) !== 0;
  const size = (): number => (is64 ? Number(reader.u64()) : reader.u32("a size limit"));
  const minimum = size();
  return (flags & HAS_MAXIMUM) === 0 ? { minimum, is64 } : { minimum, maximum: size(), is64 };
}

function readFlags(reader: Reader, allowed: number, what: string): number {
  const flags = reader.u8(what);
  if ((flags & ~allowed) !== 0) reader.fail(`${what}, received 0x${flags.toString(16)}`, reader.position - 1);
  return flags;
}

export function readMemoryType(reader: Reader): MemoryType {
  const flags = readFlags(reader, HAS_MAXIMUM | SHARED | IS_64 | CUSTOM_PAGE_SIZE, "flags of a memory");
  const memory = { ...readLimits(reader, flags), shared: (flags & SHARED) !== 0 };
  return (flags & CUSTOM_PAGE_SIZE) === 0 ? memory : { ...memory, pageSizeLog2: reader.u32("a page size") };
}

export function readTableType(reader: Reader): TableType {
  const element = readReferenceType(reader);
  return { element, ...readLimits(reader, readFlags(reader, HAS_MAXIMUM | IS_64, "flags of a table")) };
}

export function readGlobalType(reader: Reader): GlobalType {
  const type = readValueType(reader);
  return { type, mutable: readFlags(reader, 0x01, "the mutability of a global (0 or 1)") === 1 };
}

/** The type index of a tag, after its attribute byte. */
export function readTagType(reader: Reader): number {
  readFlags(reader, 0x00, "the attribute of a tag (0)");
  return reader.u32("a type index");
}

export function writeFunctionType(writer: Writer, { params, results }: FunctionType): void {
  writer.u8(0x60);
  writer.vector(params, (type) => writeValueType(writer, type));
  writer.vector(results, (type) => writeValueType(writer, type));
}

function writeLimits(writer: Writer, { minimum, maximum, is64 = false }: Limits, flags: number): void {
  writer.u8(flags | (maximum === undefined ? 0 : HAS_MAXIMUM) | (is64 ? IS_64 : 0));
  writer.u64(BigInt(minimum));
  if (maximum !== undefined) writer.u64(BigInt(maximum));
}

export function writeMemoryType(writer: Writer, memory: MemoryType): void {
  const { shared = false, pageSizeLog2 } = memory;
  writeLimits(writer, memory, (shared ? SHARED : 0) | (pageSizeLog2 === undefined ? 0 : CUSTOM_PAGE_SIZE));
  if (pageSizeLog2 !== undefined) writer.u32(pageSizeLog2);
}

export function writeTableType(writer: Writer, table: TableType): void {
  writeValueType(writer, table.element);
  writeLimits(writer, table, 0);
}

export function writeGlobalType(writer: Writer, { type, mutable }: GlobalType): void {
  writeValueType(writer, type);
  writer.u8(mutable ? 1 : 0);
}

export function writeTagType(writer: Writer, typeIndex: number): void {
  writer.u8(0);
  writer.u32(typeIndex);
}
