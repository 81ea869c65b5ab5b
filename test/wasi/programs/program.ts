/** What a file of this folder exports that describes a program. */

import type { Instance } from "stackful";
import type { WASI } from "stackful/wasi";

export interface WasiProgram {
  readonly name: string;
  /** The module. @throws {Missing} when it cannot be had on this computer */
  module(): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;
  readonly cases: Readonly<Record<string, WasiCase>>;
  /** What it imports besides WASI. */
  readonly imports?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** How it is run, if it is no command. @returns its exit code */
  run?(wasi: WASI, instance: Instance<object>, args: readonly string[]): Promise<number>;
}

/** Why a program cannot be run here: a compiler is not installed. */
export class Missing extends Error {
  override readonly name = "Missing";
}

/** Text comes at once; a number is how many milliseconds pass before what follows. */
export type TimedInput = readonly (string | number)[];

/** A text that has to be equal, or what has to match it. */
export type Expectation = string | RegExp;

export interface WasiCase {
  /** With the name of the program. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: TimedInput;
  /** Files of the directory that the program knows as `/work`, which is in memory. */
  readonly files?: Readonly<Record<string, string>>;
  /** Directories of this computer, read-only: as the program knows them → where they are. */
  readonly folders?: Readonly<Record<string, string>>;
  readonly stdout: Expectation;
  /** Nothing when left out. */
  readonly stderr?: Expectation;
  /** 0 when left out. */
  readonly exitCode?: number;
  /** Files in `/work` afterwards; others may be there. */
  readonly filesAfter?: Readonly<Record<string, Expectation>>;
  /** Milliseconds that the program has to be suspended for at least: it sleeps, or waits for its input. */
  readonly waits?: number;
}
