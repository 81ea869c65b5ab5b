/**
 * Values as text: how everything but the simplest values crosses between host and script. JSON, in which
 *
 *     { "$": [kind, …] }
 *
 * stands for what JSON does not have, and an object that has a field `$` itself is wrapped as well:
 *
 *     ["o", object]            that object            ["u"]          undefined
 *     ["d", "NaN"]             a number that is not in JSON: NaN, Infinity, -Infinity, -0
 *     ["n", "123"]             a bigint               ["t", ms]      a Date
 *     ["b", index]             bytes: a buffer beside the text
 *     ["m", [[key, value]…]]   a Map                  ["s", [value…]]   a Set
 *     ["f", id, name]          a function of the script, by a number that the script's side has given it
 *     ["h", id, name]          a function of the host
 *     ["e", parts]             an error: { name, message, stack, fields, cause, errors, host, value }, see WireError
 *
 * Nothing is shared: what occurs twice is there twice, and a cycle is a TypeError. The script's half is in each language.
 */

import type { FunctionReference } from "./language.ts";
import { ScriptError } from "./script-errors.ts";

/** What an error is as text. */
export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly fields?: Readonly<Record<string, unknown>> | undefined;
  /** Why it was thrown, as the error says itself. */
  readonly cause?: unknown;
  /** Of an `AggregateError`. */
  readonly errors?: unknown;
  /** Number of the host's error. */
  readonly host?: number | undefined;
  /** What was thrown, if it was no error object. */
  readonly value?: unknown;
}

/** What a runtime does for values that are more than data. */
export interface WireTarget {
  /** A function of a script, numbered `id`, for the host. */
  fromScript(id: number, name: string): unknown;
  /** Which function of this runtime's scripts a value of the host stands for. */
  referenceOf(value: unknown): FunctionReference | undefined;
  /** A number for a function of the host. */
  keepFunction(callee: (...args: never[]) => unknown): number;
  hostFunction(id: number): unknown;
  /** A number for an error of the host; `undefined` for one that it has only been told of. */
  keepError(error: unknown): number | undefined;
  hostError(id: number): unknown;
}

export interface WireValue {
  readonly text: string;
  readonly buffers: readonly Uint8Array[];
}

type Tagged = { readonly $: readonly [kind: string, ...parts: unknown[]] };

/** @throws {TypeError} when something in it cannot cross: a symbol, a promise, a cycle */
export function encodeWire(value: unknown, target: WireTarget): WireValue {
  const encoder = new Encoder(target);
  const wire = encoder.encode(value);
  return { text: JSON.stringify(wire), buffers: encoder.buffers };
}

export function decodeWire({ text, buffers }: WireValue, target: WireTarget): unknown {
  return decode(JSON.parse(text), { buffers, target });
}

class Encoder {
  readonly buffers: Uint8Array[] = [];
  readonly #target: WireTarget;
  /** The objects around the one that is being encoded. */
  readonly #path = new Set<object>();

  constructor(target: WireTarget) {
    this.#target = target;
  }

  encode(value: unknown): unknown {
    switch (typeof value) {
      case "string":
      case "boolean":
        return value;
      case "number":
        return Number.isFinite(value) && !Object.is(value, -0)
          ? value
          : tag("d", Object.is(value, -0) ? "-0" : `${value}`);
      case "undefined":
        return tag("u");
      case "bigint":
        return tag("n", String(value));
      case "function":
        return this.#function(value as (...args: never[]) => unknown);
      case "object":
        return value === null ? null : this.#guarded(value);
      default:
        throw new TypeError(`Cannot pass a ${typeof value} to a script`);
    }
  }

  #function(value: (...args: never[]) => unknown): Tagged {
    const reference = this.#target.referenceOf(value);
    if (reference !== undefined) return tag("f", reference.id, reference.name);
    return tag("h", this.#target.keepFunction(value), value.name);
  }

  #guarded(value: object): unknown {
    if (this.#path.has(value)) throw new TypeError("Cannot pass an object that contains itself to a script");
    this.#path.add(value);
    try {
      return this.#object(value);
    } finally {
      this.#path.delete(value);
    }
  }

  #object(value: object): unknown {
    if (Array.isArray(value)) return Array.from(value, (element) => this.encode(element));
    if (value instanceof Error) return this.error(value);
    if (value instanceof Date) return tag("t", value.getTime());
    if (value instanceof Map)
      return tag(
        "m",
        Array.from(value, (entry) => entry.map((part: unknown) => this.encode(part))),
      );
    if (value instanceof Set)
      return tag(
        "s",
        Array.from(value, (element) => this.encode(element)),
      );
    const bytes = bytesOf(value);
    if (bytes !== undefined) return tag("b", this.buffers.push(bytes) - 1);
    if (typeof (value as { then?: unknown }).then === "function") {
      throw new TypeError("Cannot pass a promise to a script inside of another value: await it first");
    }
    const fields = Object.fromEntries(Object.entries(value).map(([key, field]) => [key, this.encode(field)]));
    return Object.hasOwn(fields, "$") ? tag("o", fields) : fields;
  }

  error(error: Error): Tagged {
    const fields: Record<string, unknown> = {};
    for (const [key, field] of Object.entries(error)) {
      if (OWN_FIELDS.includes(key)) continue;
      if (typeof field === "string" || typeof field === "number" || typeof field === "boolean")
        fields[key] = this.encode(field);
    }
    const host = this.#target.keepError(error);
    const { message } = error;
    const several = this.#several(error);
    if (!(error instanceof ScriptError))
      return tag("e", { name: error.name, message, fields, host, ...several } satisfies WireError);
    const { scriptName: name, scriptStack: stack, value } = error;
    const thrown = value === error ? {} : { value: this.encode(value) };
    const because = host === undefined && "cause" in error ? { cause: this.#reason(error.cause) } : {};
    return tag("e", { name, message, stack, fields, host, ...several, ...thrown, ...because } satisfies WireError);
  }

  /** Of an `AggregateError`, and of one of a script. */
  #several(error: Error): Pick<WireError, "errors"> {
    if (!(error instanceof AggregateError || error instanceof ScriptError)) return {};
    const { errors } = error as { readonly errors?: unknown };
    return Array.isArray(errors) ? { errors: this.#reason(errors) } : {};
  }

  /** What cannot cross there is left out. */
  #reason(reason: unknown): unknown {
    try {
      return this.encode(reason);
    } catch {
      return tag("u");
    }
  }
}

/** Those of a {@link ScriptError}, which go by other names. */
const OWN_FIELDS = ["name", "scriptName", "scriptStack", "value"];

function tag(kind: string, ...parts: unknown[]): Tagged {
  return { $: [kind, ...parts] };
}

/** A copy of the bytes of a buffer or a view of one. */
function bytesOf(value: object): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return value instanceof ArrayBuffer || (typeof SharedArrayBuffer === "function" && value instanceof SharedArrayBuffer)
    ? new Uint8Array(value)
    : undefined;
}

interface Decoding {
  readonly buffers: readonly Uint8Array[];
  readonly target: WireTarget;
}

/** In place: what was parsed belongs to nobody else. */
function decode(wire: unknown, decoding: Decoding): unknown {
  if (typeof wire !== "object" || wire === null) return wire;
  if (Array.isArray(wire)) {
    for (const [index, element] of wire.entries()) {
      if (typeof element === "object" && element !== null) wire[index] = decode(element, decoding);
    }
    return wire;
  }
  const fields = wire as Record<string, unknown>;
  if (Object.hasOwn(fields, "$")) return decodeTagged(fields["$"] as Tagged["$"], decoding);
  return decodeFields(fields, decoding);
}

function decodeFields(fields: Record<string, unknown>, decoding: Decoding): Record<string, unknown> {
  for (const [key, field] of Object.entries(fields)) {
    if (typeof field !== "object" || field === null) continue;
    const decoded = decode(field, decoding);
    requireNoThen(key, decoded);
    // Also a field called `__proto__`, which an assignment would take for something else.
    Object.defineProperty(fields, key, {
      value: decoded,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return fields;
}

/**
 * What the host gets of scripts becomes the value of promises, and those call a method `then`: it would be code of a script that runs outside of
 * all limits.
 *
 * @throws {TypeError} when an object has one
 */
export function requireNoThen(key: string, value: unknown): void {
  if (key !== "then" || typeof value !== "function") return;
  throw new TypeError("Cannot pass an object with a function `then` to the host: it would be taken for a promise");
}

const DECODERS: Readonly<Record<string, (parts: readonly unknown[], decoding: Decoding) => unknown>> = {
  o: ([fields], decoding) => decodeFields(fields as Record<string, unknown>, decoding),
  u: () => undefined,
  d: ([text]) => Number(text),
  n: ([text]) => BigInt(text as string),
  t: ([ms]) => new Date(ms === null ? Number.NaN : (ms as number)),
  b: ([index], { buffers }) => buffers[index as number],
  m: ([entries], decoding) => new Map(decode(entries, decoding) as [unknown, unknown][]),
  s: ([values], decoding) => new Set(decode(values, decoding) as unknown[]),
  f: ([id, name], { target }) => target.fromScript(id as number, name as string),
  h: ([id], { target }) => target.hostFunction(id as number),
  e: ([parts], decoding) => decodeError(parts as WireError, decoding),
};

function decodeTagged([kind, ...parts]: Tagged["$"], decoding: Decoding): unknown {
  const decoder = DECODERS[kind];
  if (decoder === undefined) throw new TypeError(`Cannot read value of script: it has an unknown kind "${kind}"`);
  return decoder(parts, decoding);
}

function decodeError(
  { name, message, stack, fields, host, errors, ...thrown }: WireError,
  decoding: Decoding,
): ScriptError {
  const several = errors === undefined ? {} : { errors: decode(errors, decoding) };
  return new ScriptError(message, {
    scriptName: name,
    scriptStack: stack,
    fields: { ...several, ...decodeFields({ ...fields }, decoding) },
    ...("value" in thrown && { value: decode(thrown.value, decoding) }),
    ...("cause" in thrown && { cause: decode(thrown.cause, decoding) }),
    ...(host !== undefined && { cause: decoding.target.hostError(host) }),
  });
}
