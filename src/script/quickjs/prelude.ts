/**
 * The script's half of wire.ts, in JavaScript for QuickJS. Evaluated once, before any script: it keeps what it needs, whatever scripts do to
 * global objects afterwards.
 *
 * Its value is an array of functions, in the order of {@link PRELUDE_FUNCTIONS}. `makeHostFunction(id, name)` and `makeHostKey(id)` are
 * functions of the host, `settled(ticket, isFulfilled, wire)` another one; a wire is an array of the text and the buffers beside it.
 */

export const PRELUDE_FUNCTIONS = [
  "encode",
  "encodeAll",
  "finish",
  "invoke",
  "error",
  "value",
  "define",
  "release",
] as const;
export type PreludeFunction = (typeof PRELUDE_FUNCTIONS)[number];

export const PRELUDE = `(makeHostFunction, makeHostKey, hostKeyId, settled) => {
  "use strict";
  const { stringify, parse } = JSON;
  const { isArray } = Array;
  const { isView } = ArrayBuffer;
  const { entries, keys, defineProperty, hasOwn, is, getPrototypeOf } = Object;
  const { apply } = Reflect;
  const { isFinite } = Number;
  const evaluate = globalThis.eval;
  const { join: arrayJoin, filter: arrayFilter } = Array.prototype;
  const { split: stringSplit, includes: stringIncludes } = String.prototype;
  const promiseThen = Promise.prototype.then;
  const [getTime, mapForEach, setForEach] = [Date.prototype.getTime, Map.prototype.forEach, Set.prototype.forEach];
  const [mapGet, mapSet, mapHas, mapDelete] = [Map.prototype.get, Map.prototype.set, Map.prototype.has, Map.prototype.delete];
  const [weakGet, weakSet, weakHas] = [WeakMap.prototype.get, WeakMap.prototype.set, WeakMap.prototype.has];
  const bufferSlice = ArrayBuffer.prototype.slice;
  const typedArray = getPrototypeOf(Uint8Array);
  const errors = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
  const call = (callee, target, ...args) => apply(callee, target, args);
  const tag = (...parts) => ({ $: parts });

  const functions = new Map();   // number -> a function that the host has
  const numbers = new WeakMap(); // that function -> its number
  const uses = new Map();        // number -> how often the host has it
  const hostFunctions = new WeakMap(); // what stands for a function of the host -> its number
  const hostErrors = new WeakMap();    // an error that began in the host -> the key that keeps it there
  let last = 0;
  let tickets = 0;

  function numberOf(callee) {
    let id = call(weakGet, numbers, callee);
    if (id === undefined || !call(mapHas, functions, id)) {
      id = ++last;
      call(weakSet, numbers, callee, id);
      call(mapSet, functions, id, callee);
      call(mapSet, uses, id, 0);
    }
    call(mapSet, uses, id, call(mapGet, uses, id) + 1);
    return id;
  }

  function release(id) {
    const left = call(mapGet, uses, id) - 1;
    call(mapSet, uses, id, left);
    if (left > 0) return;
    call(mapDelete, functions, id);
    call(mapDelete, uses, id);
  }

  function encodeError(error, buffers, path) {
    const fields = {};
    for (const key of keys(error)) {
      const field = error[key];
      if (typeof field === "string" || typeof field === "number" || typeof field === "boolean") fields[key] = encodeAny(field, buffers, path);
    }
    const parts = { name: String(error.name), message: String(error.message), stack: ownStack(error), fields };
    const key = call(weakGet, hostErrors, error);
    if (key !== undefined) parts.host = hostKeyId(key);
    return tag("e", parts);
  }

  /** Without the lines of this prelude. */
  function ownStack(error) {
    const lines = apply(stringSplit, String(error.stack ?? ""), ["\\n"]);
    return apply(arrayJoin, apply(arrayFilter, lines, [(line) => !apply(stringIncludes, line, ["(stackful:"])]), ["\\n"]);
  }

  function encodeObject(value, buffers, path) {
    if (isArray(value)) {
      const elements = [];
      for (let i = 0; i < value.length; i++) elements[i] = encodeAny(value[i], buffers, path);
      return elements;
    }
    if (value instanceof Error) return encodeError(value, buffers, path);
    if (value instanceof Date) return tag("t", call(getTime, value));
    if (value instanceof Map) {
      const list = [];
      call(mapForEach, value, (field, key) => { list[list.length] = [encodeAny(key, buffers, path), encodeAny(field, buffers, path)]; });
      return tag("m", list);
    }
    if (value instanceof Set) {
      const list = [];
      call(setForEach, value, (element) => { list[list.length] = encodeAny(element, buffers, path); });
      return tag("s", list);
    }
    if (value instanceof ArrayBuffer) { buffers[buffers.length] = value; return tag("b", buffers.length - 1); }
    if (isView(value)) {
      buffers[buffers.length] = call(bufferSlice, value.buffer, value.byteOffset, value.byteOffset + value.byteLength);
      return tag("b", buffers.length - 1);
    }
    if (value instanceof Promise) throw new TypeError("Cannot pass a promise to the host inside of another value: await it first");
    const fields = {};
    for (const key of keys(value)) {
      const field = encodeAny(value[key], buffers, path);
      if (key === "__proto__") defineProperty(fields, key, { value: field, enumerable: true, configurable: true, writable: true });
      else fields[key] = field;
    }
    return hasOwn(fields, "$") ? tag("o", fields) : fields;
  }

  function encodeAny(value, buffers, path) {
    switch (typeof value) {
      case "string": case "boolean": return value;
      case "number": return isFinite(value) && !is(value, -0) ? value : tag("d", is(value, -0) ? "-0" : String(value));
      case "undefined": return tag("u");
      case "bigint": return tag("n", String(value));
      case "function": {
        const host = call(weakGet, hostFunctions, value);
        return host === undefined ? tag("f", numberOf(value), String(value.name)) : tag("h", host, String(value.name));
      }
      case "object": {
        if (value === null) return null;
        for (let around = path; around !== null; around = around.path) {
          if (around.value === value) throw new TypeError("Cannot pass an object that contains itself to the host");
        }
        return encodeObject(value, buffers, { value, path });
      }
      default: throw new TypeError("Cannot pass a " + typeof value + " to the host");
    }
  }

  /** A wire of the value. */
  function encode(value) {
    const buffers = [];
    const text = stringify(encodeAny(value, buffers, null));
    return [text, ...buffers];
  }

  const encodeAll = (...values) => encode(values);

  function decodeFields(fields, buffers) {
    for (const key of keys(fields)) {
      const field = fields[key];
      if (typeof field !== "object" || field === null) continue;
      const value = decodeAny(field, buffers);
      defineProperty(fields, key, { value, enumerable: true, configurable: true, writable: true });
    }
    return fields;
  }

  function decodeError({ name, message, fields, host }, buffers) {
    const Kind = hasOwn(errors, name) ? errors[name] : Error;
    const error = new Kind(message);
    if (error.name !== name) defineProperty(error, "name", { value: name, configurable: true, writable: true });
    for (const key of keys(fields ?? {})) if (!(key in error)) error[key] = decodeAny(fields[key], buffers);
    if (host !== undefined) call(weakSet, hostErrors, error, makeHostKey(host));
    return error;
  }

  function decodeTagged(parts, buffers) {
    const [kind, first, second] = parts;
    switch (kind) {
      case "o": return decodeFields(first, buffers);
      case "u": return undefined;
      case "d": return +first;
      case "n": return BigInt(first);
      case "t": return new Date(first === null ? NaN : first);
      case "b": return new Uint8Array(buffers[first]);
      case "m": return new Map(decodeAny(first, buffers));
      case "s": return new Set(decodeAny(first, buffers));
      case "f": return call(mapGet, functions, first);
      case "h": return hostFunction(first, second);
      case "e": return decodeError(first, buffers);
    }
  }

  function decodeAny(wire, buffers) {
    if (typeof wire !== "object" || wire === null) return wire;
    if (isArray(wire)) {
      for (let i = 0; i < wire.length; i++) if (typeof wire[i] === "object") wire[i] = decodeAny(wire[i], buffers);
      return wire;
    }
    return hasOwn(wire, "$") ? decodeTagged(wire.$, buffers) : decodeFields(wire, buffers);
  }

  /** The value of a wire. */
  const value = (text, ...buffers) => decodeAny(parse(text), buffers);

  function hostFunction(id, name) {
    const made = makeHostFunction(id, name);
    call(weakSet, hostFunctions, made, id);
    return made;
  }

  /** A wire of the value, or a number if it is a promise: \`settled\` is called with that number later. */
  function finish(value) {
    if (!(value instanceof Promise)) return encode(value);
    const ticket = ++tickets;
    const settle = (isFulfilled) => (result) => settled(ticket, isFulfilled, encodeOr(result));
    call(promiseThen, value, settle(true), settle(false));
    return ticket;
  }

  function encodeOr(value) {
    try { return encode(value); } catch (error) { return encode(error); }
  }

  /** Calls a function by its number, or a global one by the expression that names it. */
  function invoke(target, text, ...buffers) {
    const args = value(text, ...buffers);
    if (typeof target === "number") {
      const callee = call(mapGet, functions, target);
      if (callee === undefined) throw new TypeError("The function was disposed of");
      return finish(apply(callee, undefined, args));
    }
    const end = target.lastIndexOf(".");
    const owner = end < 0 ? undefined : evaluate(target.slice(0, end));
    const callee = end < 0 ? evaluate("typeof " + target + " === 'undefined' ? undefined : " + target) : owner[target.slice(end + 1)];
    if (typeof callee !== "function") throw new TypeError(target + " is not a function");
    return finish(apply(callee, owner, args));
  }

  /** An error of the host, to be thrown. */
  const error = (text) => decodeAny(parse(text), []);

  /** Makes a function of the host a global one, or one of an object. */
  function define(id, ...path) {
    const name = path.pop();
    let owner = globalThis;
    for (const part of path) {
      if (typeof owner[part] !== "object" || owner[part] === null) {
        defineProperty(owner, part, { value: {}, writable: true, enumerable: true, configurable: true });
      }
      owner = owner[part];
    }
    defineProperty(owner, name, { value: hostFunction(id, name), writable: true, enumerable: owner !== globalThis, configurable: true });
  }

  return [encode, encodeAll, finish, invoke, error, value, define, release];
}`;
