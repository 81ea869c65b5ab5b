/** Modules of Node, without importing them: this library also runs where there are none. */

import type * as fileSystem from "node:fs";
import type * as net from "node:net";
import type * as tty from "node:tty";

interface Builtins {
  readonly "node:fs": typeof fileSystem;
  readonly "node:net": typeof net;
  readonly "node:tty": typeof tty;
}

interface NodeProcess {
  readonly platform?: string;
  readonly versions?: Readonly<Record<string, string | undefined>>;
  /** From Node 20.16 and 22.3. */
  getBuiltinModule?<Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined;
}

const { process } = globalThis as { process?: NodeProcess };

export const platform: string | undefined = process?.platform;

/** `undefined` where there is no such module. */
export function findBuiltin<Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined {
  return process?.getBuiltinModule?.(name);
}

/** @throws {TypeError} where there is no such module */
export function requireBuiltin<Name extends keyof Builtins>(name: Name): Builtins[Name] {
  const module = findBuiltin(name);
  if (module === undefined) {
    throw new TypeError(`Cannot use the computer's files: this runtime offers no ${name}; Node does from 20.16`);
  }
  return module;
}

/** Whether the libuv below this Node is at least of that version. Other runtimes that claim to be Node have none. */
export function hasLibuv(major: number, minor: number): boolean {
  const versions = process?.versions;
  if (versions === undefined || versions["bun"] !== undefined || versions["deno"] !== undefined) return false;
  const [foundMajor = 0, foundMinor = 0] = (versions["uv"] ?? "").split(".").map(Number);
  return foundMajor > major || (foundMajor === major && foundMinor >= minor);
}
