/** What a file of this folder exports that describes a program. */

import { readFileSync } from "node:fs";
import path from "node:path";
import type { Load } from "./guest.ts";
import type { Observation } from "./observation.ts";

export interface Program {
  readonly name: string;
  /** The module, below node_modules. */
  readonly wasm: string;
  /** Name → one run of the program from its start to its end. */
  readonly cases: Readonly<Record<string, (load: Load) => Promise<Observation>>>;
}

/** Where npm has put the programs; scripts start everything in the root of the repository. */
const MODULES = path.resolve("test/programs/packages/node_modules");

export function installed(file: string): string {
  return path.join(MODULES, file);
}

export function readInstalled(file: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(installed(file)));
}
