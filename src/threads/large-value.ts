/** Values that take long to clone. */

import { BYTE_CLASSES, className } from "./value-layout.ts";

/** Below, it costs less to write a value than to tell that it is coming. */
const MIN_BYTES = 65_536;
/** Longer lists are data in themselves: to look at each element would take as long as to clone it. */
const MAX_ELEMENTS = 64;

/** Strings and bytes, some of them large. All has been read of them that may be code of users: to write them calls nobody. */
export interface LargeValue {
  readonly parts: readonly Part[];
  /** Whether they are a list of arguments. */
  readonly isList: boolean;
}

/** As it is, unless it is bytes that can be moved. */
type Part = { readonly value: unknown; readonly bytes?: undefined } | { readonly value: object; readonly bytes: Bytes };

interface Bytes {
  readonly buffer: ArrayBuffer;
  /** `undefined`: the buffer itself. */
  readonly View: ViewClass | undefined;
  readonly byteOffset: number;
  readonly length: number;
}

type ViewClass = new (buffer: ArrayBuffer, byteOffset: number, length: number) => ArrayBufferView;

/**
 * @param isList whether `value` is a list of arguments that was made here
 * @returns `undefined`: it is not large, or something in it may call somebody when it is cloned
 */
export function readLargeValue(value: unknown, isList: boolean): LargeValue | undefined {
  const elements = isList ? (value as readonly unknown[]) : [value]; // what `isList` says
  if (elements.length > MAX_ELEMENTS || !elements.some(isLarge)) return undefined;
  const parts = elements.map(readPart);
  return parts.includes(undefined) ? undefined : { parts: parts as readonly Part[], isList }; // none is undefined
}

function isLarge(value: unknown): boolean {
  if (typeof value === "string") return value.length >= MIN_BYTES;
  return (ArrayBuffer.isView(value) ? viewBytes(value) : bufferBytes(value)) >= MIN_BYTES;
}

function readPart(value: unknown): Part | undefined {
  if (typeof value !== "object" || value === null) return { value };
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, length, View } = readView(value);
    if (View === undefined || bufferBytes(buffer) < MIN_BYTES || isResizable(buffer)) return { value };
    return { value, bytes: { buffer: buffer as ArrayBuffer, View, byteOffset, length } }; // bufferBytes() has found that
  }
  const count = bufferBytes(value);
  if (count < 0) return undefined;
  if (count < MIN_BYTES || isResizable(value)) return { value };
  return { value, bytes: { buffer: value as ArrayBuffer, View: undefined, byteOffset: 0, length: count } }; // the same
}

/**
 * The same with copies of all bytes that are large, which are to be moved: half the time, since the platform copies what it clones twice, into a
 * message and out of it. What a clone keeps together stays together: views of one buffer, and the same view twice.
 */
export function copyToMove({ parts, isList }: LargeValue): {
  readonly value: unknown;
  readonly transfer: readonly ArrayBuffer[];
} {
  const buffers = new Map<ArrayBuffer, ArrayBuffer>();
  const views = new Map<object, ArrayBufferView>();
  const copyBuffer = (buffer: ArrayBuffer): ArrayBuffer => {
    const copy = buffers.get(buffer) ?? copyOf(buffer);
    buffers.set(buffer, copy);
    return copy;
  };
  const values = parts.map(({ value, bytes }) => {
    if (bytes === undefined) return value;
    const copy = copyBuffer(bytes.buffer);
    if (bytes.View === undefined) return copy;
    const view = views.get(value) ?? new bytes.View(copy, bytes.byteOffset, bytes.length);
    views.set(value, view);
    return view;
  });
  return { value: isList ? values : values[0], transfer: [...buffers.values()] };
}

/** Node has a way to leave out that it is filled with zeros. */
function copyOf(buffer: ArrayBuffer): ArrayBuffer {
  const { Buffer: node } = globalThis as { readonly Buffer?: typeof Buffer };
  const from = new Uint8Array(buffer);
  const copy = node === undefined ? new ArrayBuffer(from.length) : node.allocUnsafeSlow(from.length).buffer; // which has no more
  new Uint8Array(copy).set(from);
  return copy;
}

// What users cannot replace: properties of views and buffers as the language has them.

type Getters = Readonly<Record<string, PropertyDescriptor | undefined>>;

const OF_TYPED_ARRAYS: Getters = Object.getOwnPropertyDescriptors(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
);
const OF_DATA_VIEWS: Getters = Object.getOwnPropertyDescriptors(DataView.prototype);
const OF_BUFFERS: Getters = Object.getOwnPropertyDescriptors(ArrayBuffer.prototype);

function readView(view: ArrayBufferView): Omit<Bytes, "buffer"> & { readonly buffer: unknown } {
  const name = className(view);
  const getters = name === "DataView" ? OF_DATA_VIEWS : OF_TYPED_ARRAYS;
  const classes = globalThis as unknown as Record<string, ViewClass | undefined>;
  return {
    buffer: read(getters, "buffer", view),
    byteOffset: read(getters, "byteOffset", view) as number,
    length: read(getters, name === "DataView" ? "byteLength" : "length", view) as number,
    View: BYTE_CLASSES.includes(name) ? classes[name] : undefined,
  };
}

function viewBytes(view: ArrayBufferView): number {
  return read(className(view) === "DataView" ? OF_DATA_VIEWS : OF_TYPED_ARRAYS, "byteLength", view) as number;
}

/** -1 of what is no `ArrayBuffer`. */
function bufferBytes(value: unknown): number {
  if (!(value instanceof ArrayBuffer)) return -1;
  try {
    return read(OF_BUFFERS, "byteLength", value) as number;
  } catch {
    return -1;
  }
}

function isResizable(buffer: unknown): boolean {
  return read(OF_BUFFERS, "resizable", buffer) === true;
}

function read(getters: Getters, name: string, object: unknown): unknown {
  return getters[name]?.get?.call(object);
}
