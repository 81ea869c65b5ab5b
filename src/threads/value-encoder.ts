/** Writes values into shared memory; value-layout.ts draws how. */

import { errorParts } from "./error-parts.ts";
import { BYTE_CLASSES, SHORT_STRING, TAG, className, paddingAt } from "./value-layout.ts";

/** Where an encoder writes. */
export interface EncoderRoom {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** A value is none of those that value-layout.ts has: it may still be one that the platform can clone. */
export class NotEncodable extends Error {}

/** There is no room for a value. */
export class NoRoom extends Error {}

/** Made once: to capture a stack each time would cost more than to write a value. */
const notEncodable = new NotEncodable();
const noRoom = new NoRoom();

const utf8 = new TextEncoder();

/**
 * Writes one value.
 *
 * @param room where to; `grow` gives more, with what was written so far in it
 * @param grow `undefined` when there is no more
 * @returns bytes
 * @throws {NotEncodable} @throws {NoRoom}
 */
export function encodeValue(
  value: unknown,
  room: EncoderRoom,
  grow: (needed: number, used: number) => EncoderRoom | undefined,
): number {
  const encoder = new ValueEncoder(room, grow);
  encoder.write(value);
  return encoder.length;
}

class ValueEncoder {
  #bytes: Uint8Array;
  #view: DataView;
  #end: number;
  readonly #grow: (needed: number, used: number) => EncoderRoom | undefined;
  /** Objects and their numbers. */
  #seen: Map<object, number> | undefined;
  length = 0;

  constructor({ bytes, view }: EncoderRoom, grow: (needed: number, used: number) => EncoderRoom | undefined) {
    this.#bytes = bytes;
    this.#view = view;
    this.#end = bytes.length;
    this.#grow = grow;
  }

  write(value: unknown): void {
    switch (typeof value) {
      case "number":
        this.#number(value);
        break;
      case "string":
        this.#string(value);
        break;
      case "boolean":
        this.#tag(value ? TAG.true : TAG.false);
        break;
      case "undefined":
        this.#tag(TAG.undefined);
        break;
      case "bigint":
        this.#bigint(value);
        break;
      case "object":
        if (value === null) this.#tag(TAG.null);
        else this.#object(value);
        break;
      default:
        throw notEncodable;
    }
  }

  /** Makes room for `count` bytes and claims them. @returns where they start */
  #claim(count: number): number {
    const start = this.length;
    this.#reserve(count);
    this.length = start + count;
    return start;
  }

  #reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.#end) return;
    const room = this.#grow(needed, this.length);
    if (room === undefined) throw noRoom;
    this.#bytes = room.bytes;
    this.#view = room.view;
    this.#end = room.bytes.length;
  }

  #tag(tag: number): void {
    const start = this.#claim(1);
    this.#bytes[start] = tag;
  }

  #tagged(tag: number, count: number): void {
    const start = this.#claim(5);
    this.#bytes[start] = tag;
    this.#view.setUint32(start + 1, count, true);
  }

  #number(value: number): void {
    if ((value | 0) === value && !Object.is(value, -0)) {
      const start = this.#claim(5);
      this.#bytes[start] = TAG.int32;
      this.#view.setInt32(start + 1, value, true);
    } else {
      this.#float(TAG.float64, value);
    }
  }

  #float(tag: number, value: number): void {
    const start = this.#claim(9);
    this.#bytes[start] = tag;
    this.#view.setFloat64(start + 1, value, true);
  }

  #bigint(value: bigint): void {
    const digits = value.toString(16);
    this.#tagged(TAG.bigint, digits.length);
    this.#characters(digits);
  }

  #characters(text: string): void {
    let at = this.#claim(text.length);
    for (let index = 0; index < text.length; index++) this.#bytes[at++] = text.charCodeAt(index);
  }

  #string(text: string): void {
    if (text.length > SHORT_STRING) this.#longString(text);
    else if (isLatin1(text)) {
      this.#tagged(TAG.latin1, text.length);
      this.#characters(text);
    } else {
      this.#utf16(text);
    }
  }

  #longString(text: string): void {
    // Before it is converted: that costs more than whatever is done if there is no room. It takes a byte for a character at least.
    this.#reserve(text.length);
    if (!text.isWellFormed()) {
      this.#utf16(text);
      return;
    }
    // Not encodeInto(): browsers refuse to write into memory that is shared.
    const encoded = utf8.encode(text);
    this.#tagged(TAG.utf8, encoded.length);
    const start = this.#claim(encoded.length);
    this.#bytes.set(encoded, start);
  }

  #utf16(text: string): void {
    this.#tagged(TAG.utf16, 2 * text.length);
    const start = this.#claim(2 * text.length);
    for (let index = 0; index < text.length; index++) {
      this.#view.setUint16(start + 2 * index, text.charCodeAt(index), true);
    }
  }

  #object(object: object): void {
    const known = this.#seen?.get(object);
    if (known !== undefined) {
      this.#tagged(TAG.again, known);
      return;
    }
    this.#seen ??= new Map();
    this.#seen.set(object, this.#seen.size);
    if (Array.isArray(object)) this.#array(object);
    else if (object instanceof Error) this.#error(object);
    else if (object instanceof Date) this.#float(TAG.date, object.getTime());
    else if (object instanceof Map) this.#map(object);
    else if (object instanceof Set) this.#set(object);
    else if (object instanceof ArrayBuffer || ArrayBuffer.isView(object)) this.#binary(object);
    else this.#properties(object);
  }

  #array(array: readonly unknown[]): void {
    // Holes and further properties are left to the platform.
    const keys = Object.keys(array);
    if (keys.length !== array.length) throw notEncodable;
    // Those of elements come first.
    if (keys.length > 0 && keys.at(-1) !== String(array.length - 1)) throw notEncodable;
    this.#tagged(TAG.array, array.length);
    for (const element of array) this.write(element);
  }

  #properties(object: object): void {
    const prototype: unknown = Object.getPrototypeOf(object);
    // Objects of other classes may be anything, also such that the platform refuses.
    if (prototype !== null && prototype !== Object.prototype) throw notEncodable;
    this.#tag(TAG.object);
    this.#entries(object);
  }

  #entries(object: object): void {
    const keys = Object.keys(object);
    const start = this.#claim(4);
    this.#view.setUint32(start, keys.length, true);
    for (const key of keys) {
      this.#string(key);
      this.write((object as Record<string, unknown>)[key]);
    }
  }

  #map(map: ReadonlyMap<unknown, unknown>): void {
    this.#tagged(TAG.map, map.size);
    for (const [key, value] of map) {
      this.write(key);
      this.write(value);
    }
  }

  #set(set: ReadonlySet<unknown>): void {
    this.#tagged(TAG.set, set.size);
    for (const element of set) this.write(element);
  }

  #binary(binary: ArrayBuffer | ArrayBufferView): void {
    const isBuffer = binary instanceof ArrayBuffer;
    const buffer = isBuffer ? binary : binary.buffer;
    // Shared memory stays shared, and what can be resized can be resized: the platform sees to that.
    if (!(buffer instanceof ArrayBuffer) || isResizable(buffer)) throw notEncodable;
    const number = isBuffer ? 0 : BYTE_CLASSES.indexOf(className(binary));
    if (number < 0) throw notEncodable;
    const start = this.#claim(6);
    this.#bytes[start] = TAG.bytes;
    this.#bytes[start + 1] = number;
    this.#view.setUint32(start + 2, binary.byteLength, true);
    this.#claim(paddingAt(this.length));
    const at = this.#claim(binary.byteLength);
    const from = isBuffer ? new Uint8Array(binary) : new Uint8Array(buffer, binary.byteOffset, binary.byteLength);
    this.#bytes.set(from, at);
  }

  #error(error: Error): void {
    const parts = errorParts(error);
    this.#tag(TAG.error);
    this.#string(parts.class);
    this.#string(parts.name);
    this.#string(parts.message);
    // What may refer to the error itself comes last.
    this.#entries(parts.own);
  }
}

function isLatin1(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0xff) return false;
  return true;
}

/** Newer than what TypeScript is told that there is. */
function isResizable(buffer: ArrayBuffer): boolean {
  return (buffer as { readonly resizable?: boolean }).resizable === true;
}
