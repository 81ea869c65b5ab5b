/** Values that take long to clone. */

import { BYTE_CLASSES, className } from "./value-layout.ts";

/** Below, it costs less to write a value than to tell that it is coming. */
const MIN_BYTES = 65_536;
/** Longer lists are data in themselves: to look at each element would take as long as to clone it. */
const MAX_ELEMENTS = 64;

/** Strings and bytes, or a list with such among other data: nothing is called while they are cloned, since nothing has getters. */
export function isLargeData(value: unknown): boolean {
  if (!Array.isArray(value)) return isLarge(value);
  if (value.length > MAX_ELEMENTS) return false;
  return value.some(isLarge) && Object.keys(value).length === value.length && value.every(isDatum);
}

function isLarge(value: unknown): boolean {
  if (typeof value === "string") return value.length >= MIN_BYTES;
  return isBytes(value) && value.byteLength >= MIN_BYTES;
}

/** Whether an element of an array is a property with a value, which holds no others. */
function isDatum(element: unknown, index: number, array: readonly unknown[]): boolean {
  if (typeof element === "object" && element !== null && !isBytes(element)) return false;
  return Object.getOwnPropertyDescriptor(array, index)?.get === undefined;
}

function isBytes(value: unknown): value is ArrayBuffer | ArrayBufferView {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

/**
 * The same with copies of all bytes that are large, which are to be moved: half the time, since the platform copies what it clones twice, into a
 * message and out of it. What a clone keeps together stays together: views of one buffer, and the same view twice.
 */
export function copyToMove(value: unknown): { readonly value: unknown; readonly transfer: readonly ArrayBuffer[] } {
  const copies = new Map<object, object>();
  const transfer: ArrayBuffer[] = [];
  const once = <Original extends object>(original: Original, make: () => Original): Original => {
    const known = copies.get(original) as Original | undefined; // what was made for it
    const copy = known ?? make();
    copies.set(original, copy);
    return copy;
  };
  const copyBuffer = (buffer: ArrayBuffer): ArrayBuffer =>
    once(buffer, () => {
      const copy = uninitialized(buffer.byteLength);
      new Uint8Array(copy).set(new Uint8Array(buffer));
      transfer.push(copy);
      return copy;
    });
  const copyOf = (element: unknown): unknown => {
    if (!isBytes(element)) return element;
    if (element instanceof ArrayBuffer) return isMovable(element) ? copyBuffer(element) : element;
    const { buffer } = element;
    const View = viewClass(element);
    if (View === undefined || !(buffer instanceof ArrayBuffer && isMovable(buffer))) return element;
    return once(element, () => new View(copyBuffer(buffer), element.byteOffset, lengthOf(element)));
  };
  return { value: Array.isArray(value) ? value.map(copyOf) : copyOf(value), transfer };
}

/** Not shared, of one size, and there. */
function isMovable(buffer: ArrayBuffer): boolean {
  const { resizable, detached } = buffer as { readonly resizable?: boolean; readonly detached?: boolean };
  return buffer.byteLength >= MIN_BYTES && resizable !== true && detached !== true;
}

type ViewClass = new (buffer: ArrayBuffer, byteOffset: number, length: number) => ArrayBufferView;

/** A clone has the class of the language, also of an object of another class that extends it. */
function viewClass(view: ArrayBufferView): ViewClass | undefined {
  const name = className(view);
  if (!BYTE_CLASSES.includes(name)) return undefined;
  return (globalThis as unknown as Record<string, ViewClass>)[name];
}

function lengthOf(view: ArrayBufferView): number {
  return view instanceof DataView ? view.byteLength : (view as Uint8Array).length;
}

/** Node has a way to leave out that it is filled with zeros. */
function uninitialized(bytes: number): ArrayBuffer {
  const { Buffer: node } = globalThis as { readonly Buffer?: typeof Buffer };
  return node === undefined ? new ArrayBuffer(bytes) : node.allocUnsafeSlow(bytes).buffer; // which has no more
}
