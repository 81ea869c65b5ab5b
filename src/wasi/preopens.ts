/** Directories that a program starts with. */

import { requireOptions } from "../link/check-options.ts";
import type { OptionNames } from "../link/check-options.ts";
import type { Directory } from "./host/file-system.ts";
import { openNodeDirectory } from "./host/node-file-system.ts";
import { readOnly } from "./host/read-only.ts";
import { DirectoryDescriptor } from "./preview1/directory.ts";
import { encodeText } from "./preview1/guest-memory.ts";
import { DIRECTORY_RIGHTS, FILE_RIGHTS } from "./preview1/rights.ts";

/** A directory with what may be done with it. */
export interface Preopen {
  /** A path on this computer, in Node, or a directory of any file system. */
  readonly directory: string | Directory;
  /** Whether nothing in it can be changed: it looks like a file system that was mounted for reading. */
  readonly readOnly?: boolean | undefined;
}

/**
 * What the program calls a directory → which one it is.
 *
 * - A path is opened at once, and closed when the program has ended.
 * - A `Directory` stays open: it is yours, and may be given to several programs.
 */
export type Preopens = Readonly<Record<string, string | Directory | Preopen>>;

const PREOPEN_OPTIONS: OptionNames<Preopen> = { directory: true, readOnly: true };

const RIGHTS = { base: DIRECTORY_RIGHTS, inheriting: DIRECTORY_RIGHTS | FILE_RIGHTS };

/**
 * @throws {TypeError} when one is of the wrong type, or a path in a runtime that has no `node:fs`
 * @throws {Error} with a `code` when a path cannot be opened
 */
export function openPreopens(preopens: Preopens): DirectoryDescriptor[] {
  const opened: DirectoryDescriptor[] = [];
  try {
    for (const [name, preopen] of Object.entries(preopens)) opened.push(openPreopen(name, preopen));
  } catch (error) {
    // Only paths were opened here, which close at once.
    for (const descriptor of opened) void descriptor.close();
    throw error;
  }
  return opened;
}

function openPreopen(name: string, preopen: Preopens[string]): DirectoryDescriptor {
  if (name === "" || name.includes("\0")) throw new TypeError(`Cannot make WASI: preopens has the name "${name}"`);
  const { directory, isReadOnly } = partsOf(name, preopen);
  const preopenName = encodeText(name);
  const isShared = typeof directory !== "string";
  const found = isShared ? directory : open(name, directory);
  if (found?.kind !== "directory") {
    throw new TypeError(`Cannot make WASI: preopens["${name}"] is neither a path nor a directory`);
  }
  return new DirectoryDescriptor(isReadOnly ? readOnly(found) : found, RIGHTS, { preopenName, isShared });
}

function partsOf(name: string, preopen: Preopens[string]): { directory: string | Directory; isReadOnly: boolean } {
  if (typeof preopen === "object" && preopen !== null && "directory" in preopen) {
    // One that is misspelt would make a directory writable.
    requireOptions(`make WASI: preopens["${name}"]`, preopen, PREOPEN_OPTIONS);
    return { directory: preopen.directory, isReadOnly: preopen.readOnly ?? false };
  }
  return { directory: preopen, isReadOnly: false };
}

function open(name: string, path: string): Directory {
  try {
    return openNodeDirectory(path);
  } catch (error) {
    if (!(error instanceof Error) || error instanceof TypeError) throw error;
    const { code } = error as { code?: unknown };
    throw Object.assign(new Error(`Cannot open directory for "${name}": ${error.message}`, { cause: error }), { code });
  }
}
