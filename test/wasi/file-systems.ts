/** Every file system that programs can be given: what is tested for one holds for all. */

import { mkdtempSync, promises, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { it } from "node:test";
import { MemoryFileSystem, openNodeDirectory, openPromisesDirectory } from "stackful/wasi";
import type { Directory } from "stackful/wasi";
import { GuestCalls } from "./guest-calls.ts";

export interface FileSystemKind {
  readonly name: "node" | "node, by paths" | "memory" | "fs.promises";
  /** Whether times are kept to the nanosecond. */
  readonly hasExactTimes: boolean;
  make(): Promise<EmptyDirectory>;
}

/** An empty directory, and what removes it. */
export interface EmptyDirectory {
  readonly root: Directory;
  remove(): void;
}

/** An empty directory of this computer, for as long as `use` runs. */
export function temporaryDirectory(): { readonly path: string; remove(): void } {
  const folder = mkdtempSync(path.join(tmpdir(), "stackful-wasi-"));
  return { path: folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

async function node(isHeld: boolean): Promise<EmptyDirectory> {
  const folder = temporaryDirectory();
  const root = openNodeDirectory(folder.path, { isHeld });
  return {
    root,
    remove: () => {
      void root.close();
      folder.remove();
    },
  };
}

async function overPromises(): Promise<EmptyDirectory> {
  const folder = temporaryDirectory();
  return { root: await openPromisesDirectory(promises, folder.path), remove: () => folder.remove() };
}

const inMemory = async (): Promise<EmptyDirectory> => ({ root: new MemoryFileSystem().root, remove: () => {} });

export const FILE_SYSTEMS: readonly FileSystemKind[] = [
  { name: "node", hasExactTimes: true, make: async () => node(process.platform === "linux") },
  { name: "node, by paths", hasExactTimes: true, make: async () => node(false) },
  { name: "memory", hasExactTimes: true, make: inMemory },
  { name: "fs.promises", hasExactTimes: false, make: overPromises },
];

/** The first directory a program starts with. */
export const ROOT = 3;

/** Runs a test on each file system, in an empty directory that is open as {@link ROOT}. */
export function onEach(title: string, test: (guest: GuestCalls, kind: FileSystemKind) => Promise<void>): void {
  for (const kind of FILE_SYSTEMS) {
    it(`${title} (${kind.name})`, async () => {
      const { root, remove } = await kind.make();
      const guest = new GuestCalls({ preopens: { "/": root } });
      try {
        await test(guest, kind);
      } finally {
        await guest.wasi.close();
        remove();
      }
    });
  }
}
