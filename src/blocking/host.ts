/** The parent's functions, for the modules of a thread: plain functions that block until the parent has answered. */

import type { BlockingCallOptions } from "../threads/blocking-caller.ts";
import type { Blocking } from "./inference.ts";

type CallHost = (name: number, args: readonly unknown[], options: BlockingCallOptions) => unknown;

interface HostOfThread {
  readonly names: readonly string[];
  readonly call: CallHost;
}

/** Registered for all copies of this package in the thread: bundlers make several. */
const HOST = Symbol.for("stackful.blocking.host");

/** To be called once, before modules of the user's are loaded. */
export function provideHost(host: HostOfThread): void {
  Object.defineProperty(globalThis, HOST, { value: host });
}

/**
 * The functions that the parent has given to this thread, as `host` of `startThread()`. Each blocks this thread until it has answered.
 *
 * @example
 *     // report.ts, in a thread
 *     const { fetchJson } = host<typeof import("./main.ts").host>();
 *     export const title = (url: string): string => fetchJson(url).title;
 *
 * @param options for all calls through the object that is returned
 * @throws {TypeError} when this is no thread of `startThread()`
 */
export function host<Host>(options: BlockingCallOptions = {}): Blocking<Host> {
  const found = (globalThis as { readonly [HOST]?: HostOfThread })[HOST];
  if (found === undefined)
    throw new TypeError("Cannot call the host: this module does not run in a thread of startThread()");
  const root: Record<string, unknown> = {};
  for (const [number, path] of found.names.entries()) {
    place(root, path.split("."), (...args: unknown[]) => found.call(number, args, options));
  }
  return root as Blocking<Host>; // what the parent has; the type is the user's word
}

function place(object: Record<string, unknown>, [key = "", ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) object[key] = value;
  else place((object[key] ??= {}) as Record<string, unknown>, rest, value);
}

/** Functions of `object`, and of plain objects in it, by their paths: `a.b` is function `b` of `a`. */
export function functionsOf(
  object: object,
  prefix = "",
): { readonly name: string; readonly call: (args: unknown[]) => unknown }[] {
  return namesOf(object).flatMap((key) => {
    const value = (object as Record<string, unknown>)[key];
    const name = prefix + key;
    if (typeof value === "function") return [{ name, call: (args) => Reflect.apply(value, object, args) as unknown }];
    return isPlain(value) ? functionsOf(value, `${name}.`) : [];
  });
}

/** Also those of a class that it is an instance of. */
function namesOf(object: object): string[] {
  const prototype = Object.getPrototypeOf(object) as object | null;
  const inherited = prototype === null || prototype === Object.prototype ? [] : Object.getOwnPropertyNames(prototype);
  return [...new Set([...Object.keys(object), ...inherited.filter((key) => key !== "constructor")])];
}

function isPlain(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
