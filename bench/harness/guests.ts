/** Guests to measure with: linked by stackful, or by hand with what the engine has. */

import { readFileSync } from "node:fs";
import { instantiate } from "stackful";
import type { HostImports, Instance, InstantiateOptions } from "stackful";

// oxlint-disable-next-line typescript/no-explicit-any -- each benchmark knows its guests
export type GuestFunction = (...args: any[]) => any;
export type GuestFunctions = Record<string, GuestFunction>;

/** TypeScript's library does not know these two yet. */
interface PromiseIntegration {
  readonly Suspending: new (body: Function) => WebAssembly.ImportValue;
  readonly promising: (body: unknown) => GuestFunction;
}
const { Suspending, promising } = WebAssembly as unknown as PromiseIntegration;

export function bytesOf(guest: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(readFileSync(new URL(`../../test/guests/${guest}.wasm`, import.meta.url)));
}

/** Functions of the guest as raw JSPI has them: its imports in `host` as given, its exports made `promising`. */
export async function linkRaw(guest: string, host: Record<string, unknown>): Promise<GuestFunctions> {
  const { instance } = await WebAssembly.instantiate(bytesOf(guest), { host } as WebAssembly.Imports);
  const functions = Object.entries(instance.exports).filter(([, value]) => typeof value === "function");
  return Object.fromEntries(functions.map(([name, value]) => [name, promising(value)]));
}

/** The same imports, each of them made suspending. */
export function suspending(host: Record<string, Function>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(host).map(([name, body]) => [name, new Suspending(body)]));
}

export async function link(
  guest: string,
  host: HostImports[string],
  options?: InstantiateOptions,
): Promise<Instance<GuestFunctions>> {
  return instantiate<GuestFunctions>(bytesOf(guest), { host }, options);
}
