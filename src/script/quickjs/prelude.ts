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
  "register",
  "release",
] as const;
export type PreludeFunction = (typeof PRELUDE_FUNCTIONS)[number];

export const PRELUDE = `(makeHostFunction, makeHostKey, hostKeyId, settled) => {
  "use strict";
  const { Array, ArrayBuffer, BigInt, Date, Error, Map, Number, Object, Promise, Set, String, TypeError, Uint8Array, WeakMap } = globalThis;
  const { stringify, parse } = JSON;
  const { isArray } = Array;
  const { isView } = ArrayBuffer;
  const { keys, defineProperty, hasOwn, is, getPrototypeOf, setPrototypeOf } = Object;
  const { apply } = Reflect;
  const { isFinite } = Number;
  const evaluate = globalThis.eval;
  const { join: arrayJoin, filter: arrayFilter } = Array.prototype;
  const { split: stringSplit, includes: stringIncludes, lastIndexOf, slice: stringSlice } = String.prototype;
  const promiseThen = Promise.prototype.then;
  const isInstance = Function.prototype[Symbol.hasInstance];
  const objectPrototype = Object.prototype;
  const { getTime } = Date.prototype;
  const { forEach: mapForEach, get: mapGet, set: mapSet, has: mapHas, delete: mapDelete } = Map.prototype;
  const { forEach: setForEach, add: setAdd } = Set.prototype;
  const { get: weakGet, set: weakSet } = WeakMap.prototype;
  const { slice: bufferSlice } = ArrayBuffer.prototype;
  const { AggregateError, EvalError, RangeError, ReferenceError, SyntaxError, URIError } = globalThis;
  const errors = { __proto__: null, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
  // Nothing below iterates, destructures arrays or spreads: what iterates arrays can be changed. Nor does it look up anything global, or
  // inherit anything, so that no setter, \`toJSON\` or field of a prototype gets between.
  const call = (callee, target, ...args) => apply(callee, target, args);
  const isA = (value, Kind) => apply(isInstance, Kind, [value]);
  const bare = (value) => setPrototypeOf(value, null);
  const tag = (...parts) => ({ __proto__: null, $: bare(parts) });
  const define = (target, key, value) =>
    defineProperty(target, key, { __proto__: null, value, enumerable: true, configurable: true, writable: true });
  const defineHidden = (target, key, value) => defineProperty(target, key, { __proto__: null, value, configurable: true, writable: true });

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
    const fields = { __proto__: null };
    const names = keys(error);
    for (let i = 0; i < names.length; i++) {
      const key = names[i];
      const field = error[key];
      if (typeof field === "string" || typeof field === "number" || typeof field === "boolean") fields[key] = encodeAny(field, buffers, path);
    }
    const parts = { __proto__: null, name: String(error.name), message: String(error.message), stack: ownStack(error), fields };
    const key = call(weakGet, hostErrors, error);
    if (key !== undefined) parts.host = hostKeyId(keep(key, buffers));
    else if (hasOwn(error, "cause")) parts.cause = encodeReason(error.cause, buffers, path);
    if (isA(error, AggregateError)) parts.errors = encodeReason(error.errors, buffers, path);
    return tag("e", parts);
  }

  /** Of an error that says itself why it was thrown. What cannot cross there is left out. */
  function encodeReason(reason, buffers, path) {
    try { return encodeAny(reason, buffers, path); } catch { return tag("u"); }
  }

  /** What stands for something of the host has to be there until that has been taken from the wire. */
  function keep(value, buffers) {
    const kept = buffers.kept ??= bare([]);
    kept[kept.length] = value;
    return value;
  }

  /** Without the lines of this prelude. */
  function ownStack(error) {
    const lines = apply(stringSplit, String(error.stack ?? ""), ["\\n"]);
    return apply(arrayJoin, apply(arrayFilter, lines, [(line) => !apply(stringIncludes, line, ["(stackful:"])]), ["\\n"]);
  }

  function encodeObject(value, buffers, path) {
    if (isArray(value)) {
      const elements = bare([]);
      for (let i = 0; i < value.length; i++) elements[i] = encodeAny(value[i], buffers, path);
      return elements;
    }
    const prototype = getPrototypeOf(value);
    const special = prototype === objectPrototype || prototype === null ? undefined : encodeSpecial(value, buffers, path);
    return special ?? encodeFields(value, buffers, path);
  }

  function encodeFields(value, buffers, path) {
    const fields = { __proto__: null };
    const names = keys(value);
    for (let i = 0; i < names.length; i++) {
      const key = names[i];
      const field = value[key];
      if (key === "then" && typeof field === "function") throw new TypeError("Cannot pass an object with a function \`then\` to the host: it would be taken for a promise");
      fields[key] = encodeAny(field, buffers, path);
    }
    return hasOwn(fields, "$") ? tag("o", fields) : fields;
  }

  /** Of what is more than its fields. */
  function encodeSpecial(value, buffers, path) {
    if (isA(value, Error)) return encodeError(value, buffers, path);
    if (isA(value, Date)) return tag("t", call(getTime, value));
    if (isA(value, Map)) {
      const list = bare([]);
      call(mapForEach, value, (field, key) => { list[list.length] = bare([encodeAny(key, buffers, path), encodeAny(field, buffers, path)]); });
      return tag("m", list);
    }
    if (isA(value, Set)) {
      const list = bare([]);
      call(setForEach, value, (element) => { list[list.length] = encodeAny(element, buffers, path); });
      return tag("s", list);
    }
    if (isA(value, ArrayBuffer)) { buffers[buffers.length] = value; return tag("b", buffers.length - 1); }
    if (isView(value)) {
      buffers[buffers.length] = call(bufferSlice, value.buffer, value.byteOffset, value.byteOffset + value.byteLength);
      return tag("b", buffers.length - 1);
    }
    if (isA(value, Promise)) throw new TypeError("Cannot pass a promise to the host inside of another value: await it first");
  }

  function encodeAny(value, buffers, path) {
    switch (typeof value) {
      case "string": case "boolean": return value;
      case "number": return isFinite(value) && !is(value, -0) ? value : tag("d", is(value, -0) ? "-0" : String(value));
      case "undefined": return tag("u");
      case "bigint": return tag("n", String(value));
      case "function": {
        const host = call(weakGet, hostFunctions, value);
        return host === undefined ? tag("f", numberOf(value), String(value.name)) : tag("h", host, String(keep(value, buffers).name));
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
    const buffers = bare([]);
    const wire = bare([stringify(encodeAny(value, buffers, null))]);
    for (let i = 0; i < buffers.length; i++) wire[i + 1] = buffers[i];
    if (buffers.kept !== undefined) wire.kept = buffers.kept;
    return wire;
  }

  const encodeAll = (...values) => encode(values);

  function decodeFields(fields, buffers) {
    const names = keys(fields);
    for (let i = 0; i < names.length; i++) {
      const key = names[i];
      const field = fields[key];
      if (typeof field !== "object" || field === null) continue;
      define(fields, key, decodeAny(field, buffers));
    }
    return fields;
  }

  function decodeError(parts, buffers) {
    const { name, message, fields, host, errors: reasons } = bare(parts);
    const Kind = errors[name] ?? Error;
    const error = reasons === undefined ? new Kind(message) : new AggregateError(decodeAny(reasons, buffers) ?? [], message);
    if (error.name !== name) defineHidden(error, "name", name);
    const names = keys(fields ?? {});
    for (let i = 0; i < names.length; i++) {
      const key = names[i];
      if (key in error) continue;
      define(error, key, decodeAny(fields[key], buffers));
    }
    if (host !== undefined) call(weakSet, hostErrors, error, makeHostKey(host));
    return error;
  }

  function decodeTagged(parts, buffers) {
    const first = parts[1];
    switch (parts[0]) {
      case "o": return decodeFields(first, buffers);
      case "u": return undefined;
      case "d": return +first;
      case "n": return BigInt(first);
      case "t": return new Date(first === null ? NaN : first);
      case "b": return new Uint8Array(buffers[first]);
      case "m": {
        const map = new Map();
        for (let i = 0; i < first.length; i++) call(mapSet, map, decodeAny(first[i][0], buffers), decodeAny(first[i][1], buffers));
        return map;
      }
      case "s": {
        const set = new Set();
        for (let i = 0; i < first.length; i++) call(setAdd, set, decodeAny(first[i], buffers));
        return set;
      }
      case "f": return call(mapGet, functions, first);
      case "h": return hostFunction(first, parts[2]);
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
    if (!isA(value, Promise)) return encode(value);
    const ticket = ++tickets;
    const settle = (isFulfilled) => (result) => {
      let wire;
      try {
        wire = encode(result);
      } catch (error) {
        isFulfilled = false;
        wire = encode(error);
      }
      settled(ticket, isFulfilled, wire);
    };
    call(promiseThen, value, settle(true), settle(false));
    return ticket;
  }

  /** Calls a function by its number, or a global one by the expression that names it. */
  function invoke(target, text, ...buffers) {
    const args = decodeAny(parse(text), buffers);
    if (typeof target === "number") {
      const callee = call(mapGet, functions, target);
      if (callee === undefined) throw new TypeError("The function was disposed of");
      return finish(apply(callee, undefined, args));
    }
    const end = call(lastIndexOf, target, ".");
    const owner = end < 0 ? undefined : evaluate(call(stringSlice, target, 0, end));
    const callee = end < 0 ? evaluate("typeof " + target + " === 'undefined' ? undefined : " + target) : owner[call(stringSlice, target, end + 1)];
    if (typeof callee !== "function") throw new TypeError(target + " is not a function");
    return finish(apply(callee, owner, args));
  }

  /** An error of the host, to be thrown. */
  const error = (text) => decodeAny(parse(text), []);

  /** Makes a function of the host a global one, or one of an object. */
  function register(id, ...path) {
    const name = path[path.length - 1];
    let owner = globalThis;
    for (let i = 0; i < path.length - 1; i++) {
      const part = path[i];
      if (typeof owner[part] !== "object" || owner[part] === null) define(owner, part, {});
      owner = owner[part];
    }
    (owner === globalThis ? defineHidden : define)(owner, name, hostFunction(id, name));
  }

  return [encode, encodeAll, finish, invoke, error, value, register, release];
}`;
