/**
 * How values lie in memory that threads share: a byte that says what it is, and then
 *
 *     undefined null false true  –
 *     int32         i32
 *     float64       f64
 *     bigint        u32 number of hexadecimal digits, the digits; "-" before those of a negative one counts as a digit
 *     latin1        u32 bytes, a byte for each character
 *     utf8          u32 bytes, the bytes: longer strings, which the platform converts faster
 *     utf16         u32 bytes, the code units: strings with lone surrogates
 *     array         u32 elements, the elements
 *     object        u32 properties, a string and a value for each
 *     map           u32 entries, two values for each
 *     set           u32 elements, the elements
 *     date          f64
 *     bytes         u8 class of the view, u32 bytes, padding up to a multiple of 8, the bytes
 *     error         three strings: class, name and message; then properties as an object has them, see error-parts.ts
 *     again         u32 number: the object that came as number so-and-so, counted from 0 in the order in which they begin
 *
 * Little-endian or not does not matter: both threads are of one machine, and use its order.
 */

export const TAG = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  int32: 4,
  float64: 5,
  bigint: 6,
  latin1: 7,
  utf8: 8,
  utf16: 9,
  array: 10,
  object: 11,
  map: 12,
  set: 13,
  date: 14,
  bytes: 15,
  error: 16,
  again: 17,
} as const;

/** Classes whose instances are bytes and nothing else, by their number. */
export const BYTE_CLASSES: readonly string[] = [
  "ArrayBuffer",
  "Uint8Array",
  "Int8Array",
  "Uint8ClampedArray",
  "Uint16Array",
  "Int16Array",
  "Uint32Array",
  "Int32Array",
  "Float32Array",
  "Float64Array",
  "BigUint64Array",
  "BigInt64Array",
  "DataView",
  "Float16Array",
];

const typedArrayTag = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag);

/** The one of the language that a view has, whatever extends it: `Uint8Array` also for Node's `Buffer`. */
export function className(view: ArrayBufferView): string {
  return (typedArrayTag?.get?.call(view) as string | undefined) ?? "DataView";
}

/** Strings of at most so many characters are written one by one; the platform's conversion costs more to call. */
export const SHORT_STRING = 48;

/** Bytes up to a multiple of 8: engines copy from and to memory that is shared a byte at a time where the two are aligned differently. */
export function paddingAt(position: number): number {
  return -position & 7;
}
