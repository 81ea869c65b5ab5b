/** What a guest imports of a host function that may suspend it. */

import type { BinaryModule } from "../binary/module.ts";

export type HostFunction = (...parameters: readonly unknown[]) => unknown;

/** An import that may suspend. */
export interface WrappedImport {
  readonly module: string;
  readonly name: string;
  readonly paramCount: number;
}

/** `suspend` suspends the running stack with a value; what it returns or throws has to be returned or thrown to the guest. */
export type WrapImport = (
  host: HostFunction,
  entry: WrappedImport,
  suspend: (value: unknown) => unknown,
) => HostFunction;

/** What a host function returns to suspend. */
export class Suspending {
  value: unknown;
}

/** For host functions that return `suspending` to suspend, with its value. */
export function wrapsSuspending(suspending: Suspending): WrapImport {
  return (host, { paramCount }, suspend) => {
    const settle = (result: unknown): unknown => (result === suspending ? suspend(suspending.value) : result);
    // As many parameters as the guest gives: engines call such a function faster than one that collects them.
    switch (paramCount) {
      case 0:
        return () => settle(host());
      case 1:
        return (a) => settle(host(a));
      case 2:
        return (a, b) => settle(host(a, b));
      default:
        return (...all) => settle(host(...all));
    }
  };
}

/** What a module imports of `imports`, and no more: for dynamic linking, they are proxies that make what they are asked for. */
export function importedValues(
  { imports: entries }: BinaryModule,
  imports: WebAssembly.Imports,
): Record<string, Record<string, WebAssembly.ImportValue>> {
  const values: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module, name } of entries) {
    if (!imports[module]) continue;
    const value = imports[module][name];
    values[module] ??= {};
    if (value !== undefined) values[module][name] = value;
  }
  return values;
}
