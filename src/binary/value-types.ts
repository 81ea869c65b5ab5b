/**
 * WebAssembly value types as plain numbers, so that they compare with `===` and fit into typed arrays.
 *
 * Number types, vectors and nullable references to abstract heap types are their one-byte code (0x7f = i32, 0x70 =
 * funcref). Every other reference type is its heap type above the byte that its binary form starts with:
 *
 *     bits 31..8   heap type: a type index, or the negative code of an abstract heap type (-16 = func)
 *     bits  7..0   0x63 for `(ref null ht)`, 0x64 for `(ref ht)`
 *
 * Each type has exactly one number: `(ref null func)` is 0x70, like `funcref`.
 */

import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

/** One value type; also the packed types i8 and i16, which only occur as fields of structs and arrays. */
export type ValueType = number;

export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;
export const I8 = 0x78;
export const I16 = 0x77;
export const FUNCREF = 0x70;
export const EXTERNREF = 0x6f;
export const ANYREF = 0x6e;
export const EXNREF = 0x69;

const REF_NULL = 0x63;
const REF = 0x64;

/** Engines allow 1,000,000 types; this is what fits beside the low byte. */
const MAX_TYPE_INDEX = 2 ** 23 - 1;

const NUMBER_TYPES: ReadonlyMap<number, string> = new Map([
  [I32, "i32"],
  [I64, "i64"],
  [F32, "f32"],
  [F64, "f64"],
  [V128, "v128"],
  [I8, "i8"],
  [I16, "i16"],
]);

/** Code of an abstract heap type → its name, and the short name of the nullable reference to it. */
const HEAP_TYPES: ReadonlyMap<number, readonly [heap: string, reference: string]> = new Map([
  [0x75, ["nocont", "nullcontref"]],
  [0x74, ["noexn", "nullexnref"]],
  [0x73, ["nofunc", "nullfuncref"]],
  [0x72, ["noextern", "nullexternref"]],
  [0x71, ["none", "nullref"]],
  [FUNCREF, ["func", "funcref"]],
  [EXTERNREF, ["extern", "externref"]],
  [ANYREF, ["any", "anyref"]],
  [0x6d, ["eq", "eqref"]],
  [0x6c, ["i31", "i31ref"]],
  [0x6b, ["struct", "structref"]],
  [0x6a, ["array", "arrayref"]],
  [EXNREF, ["exn", "exnref"]],
  [0x68, ["cont", "contref"]],
]);

/** `heap` is a type index, or the negative code of an abstract heap type as {@link heapTypeOf} returns it. */
export function referenceType(nullable: boolean, heap: number): ValueType {
  if (nullable && heap < 0) return heap + 0x80;
  return (heap << 8) | (nullable ? REF_NULL : REF);
}

export function isReference(type: ValueType): boolean {
  return HEAP_TYPES.has(type) || isIndexedReference(type);
}

/** Whether a variable of this type has a default value (zero or null). All types but non-null references do. */
export function isDefaultable(type: ValueType): boolean {
  return (type & 0xff) !== REF;
}

/** The heap type of a reference type: a type index, or a negative code. */
export function heapTypeOf(type: ValueType): number {
  return isIndexedReference(type) ? type >> 8 : type - 0x80;
}

function isIndexedReference(type: ValueType): boolean {
  return (type & 0xff) === REF || (type & 0xff) === REF_NULL;
}

/** The type as WebAssembly text writes it: `i32`, `funcref`, `(ref null 3)`, `(ref func)`. */
export function valueTypeName(type: ValueType): string {
  if (!isIndexedReference(type)) return NUMBER_TYPES.get(type) ?? HEAP_TYPES.get(type)?.[1] ?? `0x${type.toString(16)}`;
  return `(ref ${isDefaultable(type) ? "null " : ""}${heapTypeName(type >> 8)})`;
}

/** The type that {@link valueTypeName} calls so, if it is one that a module need not define: a number, a vector, `funcref` … */
export function valueTypeNamed(name: string): ValueType | undefined {
  return typesByName.get(name);
}

const typesByName: ReadonlyMap<string, ValueType> = new Map(
  [...NUMBER_TYPES.keys(), ...HEAP_TYPES.keys()].map((type) => [valueTypeName(type), type]),
);

function heapTypeName(heap: number): string {
  return heap >= 0 ? String(heap) : (HEAP_TYPES.get(heap + 0x80)?.[0] ?? `0x${(heap + 0x80).toString(16)}`);
}

export function readHeapType(reader: Reader): number {
  const start = reader.position;
  const heap = reader.s33("a heap type");
  const known = heap >= 0 ? heap <= MAX_TYPE_INDEX : HEAP_TYPES.has(heap + 0x80);
  return known ? heap : reader.fail(`a heap type, received ${heap}`, start);
}

export function readValueType(reader: Reader): ValueType {
  const code = reader.u8("a value type");
  if (code === REF || code === REF_NULL) return referenceType(code === REF_NULL, readHeapType(reader));
  if (code === I8 || code === I16 || !(NUMBER_TYPES.has(code) || HEAP_TYPES.has(code))) {
    reader.fail(`a value type, received 0x${code.toString(16)}`, reader.position - 1);
  }
  return code;
}

/** The type of a struct field or array element: a value type, i8 or i16. */
export function readStorageType(reader: Reader): ValueType {
  const code = reader.bytes[reader.position];
  const packed = code === I8 || code === I16;
  return packed && reader.remaining > 0 ? reader.u8() : readValueType(reader);
}

export function readReferenceType(reader: Reader): ValueType {
  const start = reader.position;
  const type = readValueType(reader);
  return isReference(type) ? type : reader.fail(`a reference type, received ${valueTypeName(type)}`, start);
}

export function writeValueType(writer: Writer, type: ValueType): void {
  writer.u8(type & 0xff);
  if (isIndexedReference(type)) writer.s33(type >> 8);
}
