/**
 * Values of QuickJS. Simple ones are read where they lie; others cross as wires (../wire.ts), which the prelude makes and takes.
 *
 * A `JSValue*` that is "owned" is freed by whoever has it.
 */

import type { WireValue } from "../wire.ts";
import { only } from "./quickjs-layout.ts";
import type { QuickJSFunctions } from "./quickjs-functions.ts";
import type { QuickJSMemory } from "./quickjs-memory.ts";

const VALUE_BYTES = 8;
/** Tags are small numbers; the upper halves of doubles are none of these. */
const LOWEST_TAG = -16;
const HIGHEST_TAG = 9;

/** Where a string's length may be, before its bytes; a bit of it says whether it is wide. */
const HEADER_OFFSETS = [4, 8, 12, 16, 20, 24];
const LENGTH_BITS = 0x7fff_ffff;

type Kind = "int" | "boolean" | "null" | "undefined" | "string" | "object" | "bigint" | "double" | "other";

const NO_ROOM = "Cannot read value of script: its memory is full";

/** What `read` returns of a value that is not simple. */
export const NOT_SIMPLE: unique symbol = Symbol("not simple");

export class QuickJSValues {
  readonly #functions: QuickJSFunctions;
  readonly #memory: QuickJSMemory;
  readonly #context: number;
  readonly #kinds = new Map<number, Kind>();
  readonly #tags = new Map<Kind, number>();
  /** Bytes before a C string at which its length is. */
  readonly #lengthOffset: number;
  /** What stands for "an exception was thrown". */
  readonly #exception: readonly [payload: number, tag: number];

  /** `evaluate` gives owned values. */
  constructor(
    parts: { functions: QuickJSFunctions; memory: QuickJSMemory; context: number },
    evaluate: (source: string) => number,
  ) {
    this.#functions = parts.functions;
    this.#memory = parts.memory;
    this.#context = parts.context;
    this.#learnTags(evaluate);
    this.#lengthOffset = this.#findLength(evaluate);
    const thrown = parts.functions.QTS_Throw(this.#context, parts.functions.QTS_GetUndefined());
    this.#exception = [this.#memory.read(thrown), this.#memory.read(thrown + 4)];
    this.free(parts.functions.QTS_ResolveException(this.#context, thrown));
    this.free(thrown);
  }

  #learnTags(evaluate: (source: string) => number): void {
    const samples: readonly (readonly [string, Kind])[] = [
      ["7", "int"],
      ["true", "boolean"],
      ["null", "null"],
      ["undefined", "undefined"],
      ["'text'", "string"],
      ["({})", "object"],
      ["5n", "bigint"],
      ["5n ** 500n", "bigint"],
    ];
    for (const [source, kind] of samples) {
      const value = evaluate(source);
      const tag = this.#memory.read(value + 4);
      if (!this.#kinds.has(tag)) this.#kinds.set(tag, kind);
      if (!this.#tags.has(kind)) this.#tags.set(kind, tag);
      this.free(value);
    }
  }

  /** Looks for a word before the bytes of a string that has its length. A zero in it may take two bytes, so that C sees no end there. */
  #findLength(evaluate: (source: string) => number): number {
    const isLength = (word: number, zeros: number): boolean => word === zeros || word === zeros * 2;
    const offsets = [3, 300].map((zeros) => {
      const value = evaluate(`"\\0".repeat(${zeros})`);
      const text = this.#functions.QTS_GetString(this.#context, value);
      const found = HEADER_OFFSETS.filter((offset) => isLength(this.#memory.read(text - offset) & LENGTH_BITS, zeros));
      this.#functions.QTS_FreeCString(this.#context, text);
      this.free(value);
      return found;
    });
    return only(
      offsets[0]!.filter((offset) => offsets[1]!.includes(offset)),
      "the length of a string",
    );
  }

  free(value: number): void {
    this.#functions.QTS_FreeValuePointer(this.#context, value);
  }

  isException(value: number): boolean {
    return this.#memory.read(value + 4) === this.#exception[1];
  }

  /** An owned value that says that an exception was thrown. */
  exception(): number {
    return this.#make(...this.#exception);
  }

  #kindOf(value: number): Kind {
    const tag = this.#memory.read(value + 4);
    return this.#kinds.get(tag) ?? (tag < LOWEST_TAG || tag > HIGHEST_TAG ? "double" : "other");
  }

  /** The address of the argument at `index` of a call. */
  argument(args: number, index: number): number {
    return args + index * VALUE_BYTES;
  }

  /** A value that is no object, or {@link NOT_SIMPLE}. */
  read(value: number): unknown {
    switch (this.#kindOf(value)) {
      case "int":
        return this.#memory.read(value);
      case "double":
        return this.#functions.QTS_GetFloat64(this.#context, value);
      case "boolean":
        return this.#memory.read(value) !== 0;
      case "null":
        return null;
      case "undefined":
        return undefined;
      case "string":
        return this.#readString(value);
      case "other":
        // Of a release that has more kinds: ropes, short bigints.
        return this.typeOf(value) === "string" ? this.#readString(value) : NOT_SIMPLE;
      default:
        return NOT_SIMPLE;
    }
  }

  typeOf(value: number): string {
    const text = this.#functions.QTS_Typeof(this.#context, value);
    const type = this.#memory.textAt(text);
    this.#functions.free(text);
    return type;
  }

  #readString(value: number): string | typeof NOT_SIMPLE {
    const text = this.#functions.QTS_GetString(this.#context, value);
    // There was no room for a copy; whoever tries the longer way says so.
    if (text === 0) return NOT_SIMPLE;
    try {
      const bytes = this.#memory.read(text - this.#lengthOffset) & LENGTH_BITS;
      const result = this.#memory.text(text, bytes);
      // A surrogate without its other half has become something else, and so may a zero.
      return result.includes("\u{FFFD}") || result.includes("\0") ? NOT_SIMPLE : result;
    } finally {
      this.#functions.QTS_FreeCString(this.#context, text);
    }
  }

  /** An owned value, or `undefined` for one that is not simple. */
  make(value: unknown): number | undefined {
    switch (typeof value) {
      case "number":
        return Number.isInteger(value) && (value | 0) === value && !Object.is(value, -0)
          ? this.#make(value, this.#tags.get("int")!)
          : this.#functions.QTS_NewFloat64(this.#context, value);
      case "boolean":
        return this.#make(Number(value), this.#tags.get("boolean")!);
      case "undefined":
        return this.#make(0, this.#tags.get("undefined")!);
      case "string":
        return value.includes("\0") || !value.isWellFormed() ? undefined : this.makeString(value);
      default:
        return value === null ? this.#make(0, this.#tags.get("null")!) : undefined;
    }
  }

  makeString(text: string): number {
    const copy = this.#memory.copyText(text);
    const value = this.#functions.QTS_NewString(this.#context, copy.address);
    this.#functions.free(copy.address);
    return value;
  }

  #make(payload: number, tag: number): number {
    const value = this.#memory.allocate(VALUE_BYTES);
    this.#memory.write(value, payload);
    this.#memory.write(value + 4, tag);
    return value;
  }

  /**
   * Owned values for a wire: its text, and its buffers.
   *
   * @throws {RangeError} when there is no room for them
   */
  makeWire({ text, buffers }: WireValue): number[] {
    const made: number[] = [];
    const add = (value: number): void => {
      made.push(value);
      if (this.isException(value)) throw new RangeError(`Cannot pass value to script: its memory is full`);
    };
    try {
      add(this.makeString(text));
      for (const bytes of buffers) {
        add(this.#functions.QTS_NewArrayBuffer(this.#context, this.#memory.copyBytes(bytes), bytes.length));
      }
      return made;
    } catch (error) {
      for (const value of made) this.free(value);
      throw error;
    }
  }

  /** What the prelude has made: an array of a text and buffers. */
  readWire(array: number): WireValue {
    const length = this.#memory.allocate(4);
    this.#functions.QTS_GetLength(this.#context, length, array);
    const count = this.#memory.read(length);
    this.#functions.free(length);
    const text = this.#element(array, 0, (value) => this.#readJson(value));
    const buffers = Array.from({ length: count - 1 }, (_, index) =>
      this.#element(array, index + 1, (value) => this.#readBuffer(value)),
    );
    return { text, buffers };
  }

  #element<Result>(array: number, index: number, read: (value: number) => Result): Result {
    const value = this.#functions.QTS_GetPropNumber(this.#context, array, index);
    try {
      return read(value);
    } finally {
      this.free(value);
    }
  }

  /** JSON has neither zeros nor halves of surrogates in it. */
  #readJson(value: number): string {
    const text = this.#functions.QTS_GetString(this.#context, value);
    if (text === 0) throw new RangeError(NO_ROOM);
    const result = this.#memory.textAt(text);
    this.#functions.QTS_FreeCString(this.#context, text);
    return result;
  }

  #readBuffer(value: number): Uint8Array {
    const bytes = this.#functions.QTS_GetArrayBufferLength(this.#context, value);
    const copy = this.#functions.QTS_GetArrayBuffer(this.#context, value);
    if (copy === 0 && bytes > 0) throw new RangeError(NO_ROOM);
    const result = this.#memory.bytes.slice(copy, copy + bytes);
    this.#functions.free(copy);
    return result;
  }
}
