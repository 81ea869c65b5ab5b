/** What a file of this folder exports that describes a program. */

import { readFileSync } from "node:fs";
import path from "node:path";
import type { Load, SuspendingGuest } from "./guest.ts";
import type { Observation } from "./observation.ts";

export interface Program {
  readonly name: string;
  /** The module, below node_modules. */
  readonly wasm: string;
  /** Name → one run of the program from its start to its end. */
  readonly cases: Readonly<Record<string, (load: Load) => Promise<Observation>>>;
  readonly interleaved?: Interleaved;
}

/** Several runs of a program that can be made one after the other, or at once in one instance. */
export interface Interleaved {
  /** What each run comes to in an instance of its own. */
  alone(load: Load): Promise<readonly string[]>;
  /** What they come to together, and how often the instance went from one to another. */
  together(
    load: (imports: WebAssembly.Imports) => SuspendingGuest,
    seed: number,
  ): Promise<{ readonly results: readonly string[]; readonly switches: number }>;
}

/** Numbers that look random, the same in each run. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    return (state >>> 8) & 0xff_ff;
  };
}

/** Where npm has put the programs; scripts start everything in the root of the repository. */
const MODULES = path.resolve("test/programs/packages/node_modules");

export function installed(file: string): string {
  return path.join(MODULES, file);
}

export function readInstalled(file: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(installed(file)));
}
