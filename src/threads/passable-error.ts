/** Errors, made such that they can cross to another thread. */

import { addOwnProperties, bareError, errorParts } from "./error-parts.ts";
import { encodeValue } from "./value-encoder.ts";
import type { EncoderRoom } from "./value-encoder.ts";

/** The same value, if it can cross or is no error; otherwise an error like it, without those of its own properties that cannot. */
export function passable(value: unknown): unknown {
  return !(value instanceof Error) || isEncodable(value) ? value : stripped(value, new Set());
}

function stripped(error: Error, outer: Set<Error>): Error {
  outer.add(error);
  const { own, ...parts } = errorParts(error);
  const { fields = {}, cause, errors, ...others } = own;
  const copy = bareError(parts);
  addOwnProperties(copy, {
    ...others,
    ...("cause" in own && { cause: strippedValue(cause, outer) }),
    ...("errors" in own && { errors: Array.from(errors as unknown[], (each) => strippedValue(each, outer)) }),
    fields: Object.fromEntries(Object.entries(fields).filter(([, field]) => isEncodable(field))),
  });
  return copy;
}

/** What cannot cross becomes what it is as a string. */
function strippedValue(value: unknown, outer: Set<Error>): unknown {
  if (isEncodable(value)) return value;
  return value instanceof Error && !outer.has(value) ? stripped(value, outer) : String(value);
}

function isEncodable(value: unknown): boolean {
  try {
    encodeValue(value, roomOf(1024), (needed) => roomOf(2 * needed));
    return true;
  } catch {
    // Besides what the encoder throws: a getter may throw anything.
    return false;
  }
}

function roomOf(byteCount: number): EncoderRoom {
  const buffer = new ArrayBuffer(byteCount);
  return { bytes: new Uint8Array(buffer), view: new DataView(buffer) };
}

/** `what` cannot cross, because of `cause`. */
export function notCloneable(what: string, cause: unknown): DOMException {
  return new DOMException(`Cannot pass on ${what}: ${(cause as Error).message}`, "DataCloneError");
}
