/** Checks of options: one that is misspelt, or given as something else, would otherwise just not be there. */

import { Stack } from "./stacks.ts";
import type { StackOptions } from "./stacks.ts";
import type { CallOptions } from "./linked-guest.ts";

/** The names of all options; the compiler finds one that is missing here. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

export const CALL_OPTIONS: OptionNames<CallOptions> = {
  signal: true,
  timeoutMs: true,
  stack: true,
  owner: true,
  onEnter: true,
  onLeave: true,
};

export const STACK_OPTIONS: OptionNames<StackOptions> = { bytes: true, capacity: true, measure: true };

/**
 * A timeout or a limit that is silently not set is worse than an error, so names are checked, too.
 *
 * @throws {TypeError} when `options` is no object, or has others than those of `names`
 */
export function requireOptions(action: string, options: unknown, names: Readonly<Record<string, true>>): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(`Cannot ${action}: expected an object with options, received ${describe(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(names, name)) continue;
    throw new TypeError(`Cannot ${action}: unknown option ${name}, expected ${Object.keys(names).join(", ")}`);
  }
}

/** @throws {TypeError} when they are no options of a call; what `signal` and `timeoutMs` are is checked when it starts */
export function requireCallOptions(action: string, options: CallOptions, names: OptionNames<CallOptions>): void {
  requireOptions(action, options, names);
  const { stack } = options;
  if (stack === undefined || stack instanceof Stack) return;
  throw new TypeError(
    `Cannot ${action}: stack must be one that instance.stacks.open() made, received ${describe(stack)}`,
  );
}

/** @throws {TypeError} when option `name` is given and is none of `values` */
export function requireOneOf(action: string, name: string, value: unknown, values: readonly unknown[]): void {
  if (value === undefined || values.includes(value)) return;
  const expected = values.map((one) => JSON.stringify(one)).join(" or ");
  throw new TypeError(`Cannot ${action}: ${name} must be ${expected}, received ${describe(value)}`);
}

/** For messages: what it was instead. */
export function describe(value: unknown): string {
  if (value === null || value === undefined || typeof value === "number") return String(value);
  if (Array.isArray(value)) return "an array";
  return typeof value === "string" ? JSON.stringify(value) : `a value of type ${typeof value}`;
}
