/** What a user may pass as an imported function, beyond a plain one. */

import type { Caller } from "./caller.ts";
import type { AnyExports } from "./exports.ts";

/** A value that crosses between JavaScript and a guest: numbers for i32, f32 and f64, bigint for i64, anything for references. */
export type GuestValue = unknown;

/** Parameter and result types by their names in WebAssembly text: `"i32"`, `"i64"`, `"f32"`, `"f64"`, `"externref"` … */
export interface HostFunctionType {
  readonly params: readonly string[];
  readonly results: readonly string[];
}

/** A host function as it was written: with the caller before the guest's arguments. */
type CallerFunction = (caller: Caller, ...args: unknown[]) => unknown;

/** Attached to a function that wants more than the guest's arguments, or that declares its type. */
interface HostFunctionTraits {
  /** What is called with the {@link Caller} first, if it wants that. */
  readonly withCaller: CallerFunction | undefined;
  readonly type: HostFunctionType | undefined;
}

/** Where a function made here has its traits. (A weak map of what ten thousand programs import costs its garbage collection seconds.) */
const TRAITS = Symbol("stackful.traits");

function setTraits(made: Function, traits: HostFunctionTraits): void {
  Object.defineProperty(made, TRAITS, { value: traits });
}

function traitsOf(body: Function): HostFunctionTraits | undefined {
  return (body as { readonly [TRAITS]?: HostFunctionTraits })[TRAITS];
}

/**
 * A function to import that may answer with a promise. Any function may be imported as it is; this one is also known to be
 * asynchronous where the guest's bytes are not at hand, and its type is inferred.
 */
export function wrapAsync<Params extends readonly unknown[], Result>(
  body: (...args: Params) => Result,
): (...args: Params) => Result {
  requireFunction(body);
  const wrapped = (...args: Params): Result => body(...args);
  setTraits(wrapped, { withCaller: undefined, type: undefined });
  return wrapped;
}

/**
 * A function to import that is told who called it: the {@link Caller} comes before the guest's arguments.
 *
 * ```ts
 * const log = wrapAsyncWithCaller(async (caller, pointer: number, length: number) => {
 *   await print(new Uint8Array(caller.memory.buffer, pointer, length));
 * });
 * ```
 */
export function wrapAsyncWithCaller<Params extends readonly unknown[], Result, Exports extends object = AnyExports>(
  body: (caller: Caller<Exports>, ...args: Params) => Result,
): (...args: Params) => Result {
  requireFunction(body);
  // What the guest exports, and what it calls this with, is known to whoever has written it.
  const withCaller = body as unknown as CallerFunction;
  // Called with a Caller first by those who call it by hand; to a guest it has the parameters that follow.
  const wrapped = ((...args: [Caller]): unknown => withCaller(...args)) as never;
  setTraits(wrapped, { withCaller, type: undefined });
  return wrapped;
}

/**
 * A function to import whose type is only known at run time. `body` receives all parameters as one array and answers with an
 * array of results, or a promise of one. Linking it to an import of another type throws `WebAssembly.LinkError`.
 *
 * ```ts
 * const double = newAsync({ params: ["i32"], results: ["i32"] }, async (caller, [value]) => [(value as number) * 2]);
 * ```
 */
export function newAsync(
  type: HostFunctionType,
  body: (caller: Caller, params: readonly GuestValue[]) => readonly GuestValue[] | PromiseLike<readonly GuestValue[]>,
): (...args: never[]) => unknown {
  requireType(type);
  requireFunction(body);
  const single = type.results.length < 2;
  const pick = (results: readonly GuestValue[]): unknown => {
    if (!Array.isArray(results) || results.length !== type.results.length) {
      const found = Array.isArray(results) ? `${results.length} results` : `${typeof results}, no array of results`;
      throw new TypeError(
        `Cannot return from a host function: it answered ${found}, its type has ${type.results.length}`,
      );
    }
    return single ? results[0] : results;
  };
  const wrapped = (caller: Caller, ...params: GuestValue[]): unknown => {
    const results = body(caller, params);
    return isThenable(results) ? Promise.resolve(results).then(pick) : pick(results);
  };
  setTraits(wrapped, { withCaller: wrapped, type });
  return wrapped;
}

function isThenable<Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof (value as { then?: unknown }).then === "function";
}

function requireFunction(body: unknown): void {
  if (typeof body !== "function")
    throw new TypeError(`Cannot make host function: expected a function, received ${typeof body}`);
}

/** @throws {TypeError} when `type` is none */
export function requireType(type: unknown): void {
  const { params, results } = (type ?? {}) as Partial<HostFunctionType>;
  if (Array.isArray(params) && Array.isArray(results)) return;
  throw new TypeError(
    `Cannot use function type: expected { params: ["i32"], results: [] } or the like, received ${typeof type}`,
  );
}

/** What to call with a {@link Caller} before the guest's arguments, if `body` expects one. */
export function callerFunction(body: Function): CallerFunction | undefined {
  return traitsOf(body)?.withCaller;
}

/** The type that `body` declares, if any. */
export function declaredType(body: Function): HostFunctionType | undefined {
  return traitsOf(body)?.type;
}

/** Whether `body` was made by one of the functions above, or written as an `async function`. */
export function isDeclaredAsync(body: Function): boolean {
  return traitsOf(body) !== undefined || isAsyncFunction(body);
}

/** Whether `body` was written as an `async function`, which answers with a promise of its own every time. */
export function isAsyncFunction(body: Function): boolean {
  return Object.prototype.toString.call(body) === "[object AsyncFunction]";
}

/**
 * Whether `body` is a function that a wasm module exports. It can be linked directly, and suspends with its caller.
 *
 * The JavaScript API offers no test; but it says that such a function is named by its index, and it is native code.
 */
export function isExportedFunction(body: Function): boolean {
  return /^function \d+\(\) \{ \[native code\] \}$/.test(Function.prototype.toString.call(body));
}
