/** Reads values that value-encoder.ts has written. */

import { addOwnProperties, bareError } from "./error-parts.ts";
import type { EncoderRoom } from "./value-encoder.ts";
import { BYTE_CLASSES, TAG, paddingAt } from "./value-layout.ts";

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Nothing in it points to the memory it was read from. */
export function decodeValue(room: EncoderRoom): unknown {
  return new ValueDecoder(room).read();
}

type ViewClass = new (buffer: ArrayBuffer) => ArrayBufferView;

class ValueDecoder {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  readonly #objects: unknown[] = [];

  constructor({ bytes, view }: EncoderRoom) {
    this.#bytes = bytes;
    this.#view = view;
  }

  read(): unknown {
    const tag = this.#bytes[this.#at++];
    switch (tag) {
      case TAG.undefined:
        return undefined;
      case TAG.null:
        return null;
      case TAG.false:
        return false;
      case TAG.true:
        return true;
      case TAG.int32:
        this.#at += 4;
        return this.#view.getInt32(this.#at - 4, true);
      case TAG.float64:
        return this.#float();
      case TAG.latin1:
        return this.#characters(this.#count());
      default:
        return this.#readLonger(tag);
    }
  }

  #readLonger(tag: number | undefined): unknown {
    switch (tag) {
      case TAG.utf8:
        return this.#utf8(this.#count());
      case TAG.utf16:
        return this.#utf16(this.#count());
      case TAG.bigint:
        return this.#bigint();
      case TAG.array:
        return this.#array();
      case TAG.object:
        return this.#properties();
      case TAG.bytes:
        return this.#binary();
      case TAG.again:
        return this.#objects[this.#count()];
      default:
        return this.#readRare(tag);
    }
  }

  #readRare(tag: number | undefined): unknown {
    switch (tag) {
      case TAG.map:
        return this.#map();
      case TAG.set:
        return this.#set();
      case TAG.date:
        return this.#remember(new Date(this.#float()));
      case TAG.error:
        return this.#error();
      default:
        throw new TypeError(`Cannot read a value from shared memory: ${String(tag)} is no tag`);
    }
  }

  #remember<Value>(object: Value): Value {
    this.#objects.push(object);
    return object;
  }

  #count(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  #float(): number {
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8, true);
  }

  #characters(count: number): string {
    let text = "";
    for (const end = this.#at + count; this.#at < end; this.#at++) text += String.fromCharCode(this.#bytes[this.#at]!);
    return text;
  }

  #utf8(count: number): string {
    // Not all platforms decode memory that is shared.
    const copy = this.#bytes.slice(this.#at, this.#at + count);
    this.#at += count;
    return utf8.decode(copy);
  }

  #utf16(byteCount: number): string {
    let text = "";
    const end = this.#at + byteCount;
    for (; this.#at < end; this.#at += 2) text += String.fromCharCode(this.#view.getUint16(this.#at, true));
    return text;
  }

  #bigint(): bigint {
    const digits = this.#characters(this.#count());
    return digits.startsWith("-") ? -BigInt(`0x${digits.slice(1)}`) : BigInt(`0x${digits}`);
  }

  #array(): unknown[] {
    const count = this.#count();
    const array: unknown[] = this.#remember([]);
    for (let index = 0; index < count; index++) array.push(this.read());
    return array;
  }

  #properties(): Record<string, unknown> {
    return this.#entries(this.#remember({}));
  }

  #entries(object: Record<string, unknown>): Record<string, unknown> {
    const count = this.#count();
    for (let index = 0; index < count; index++) {
      const key = this.read() as string;
      const value = this.read();
      if (key !== "__proto__") object[key] = value;
      // An assignment would set the prototype.
      else Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
    }
    return object;
  }

  #map(): Map<unknown, unknown> {
    const count = this.#count();
    const map = this.#remember(new Map<unknown, unknown>());
    for (let index = 0; index < count; index++) {
      const key = this.read();
      map.set(key, this.read());
    }
    return map;
  }

  #set(): Set<unknown> {
    const count = this.#count();
    const set = this.#remember(new Set<unknown>());
    for (let index = 0; index < count; index++) set.add(this.read());
    return set;
  }

  #binary(): ArrayBuffer | ArrayBufferView {
    const number = this.#bytes[this.#at++]!;
    const count = this.#count();
    this.#at += paddingAt(this.#at);
    const buffer = new ArrayBuffer(count);
    new Uint8Array(buffer).set(this.#bytes.subarray(this.#at, this.#at + count));
    this.#at += count;
    if (number === 0) return this.#remember(buffer);
    const View = (globalThis as unknown as Record<string, ViewClass>)[BYTE_CLASSES[number]!]!; // the thread that wrote it has it too
    return this.#remember(new View(buffer));
  }

  #error(): Error {
    const parts = { class: this.read() as string, name: this.read() as string, message: this.read() as string };
    const error = this.#remember(bareError(parts));
    addOwnProperties(error, this.#entries({}));
    return error;
  }
}
