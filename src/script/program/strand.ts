/** Where one script of a program runs: a thread of Python, a fiber of Ruby. */

import type { Frame } from "./frame.ts";

export interface Strand {
  /** Operations that it has made and that nobody has been told of. */
  operations: number;
  /** What it reports is for that. */
  listener: ((frame: Frame) => void) | undefined;
  /** Has the program go on with it, with what `order` gives when its turn has come. */
  send(order: () => Uint8Array): void;
}

/** A program that runs scripts of one language. */
export interface ScriptProgram {
  /** A strand that nobody uses. */
  take(): Strand | Promise<Strand>;
  /** It waits for the next script. */
  giveBack(strand: Strand): void;
  /** Sends what is to be known before the next order that is taken. */
  tell(order: Uint8Array): void;
  /** Something may compute from now on; nothing does. */
  watch(): void;
  unwatch(): void;
  /** Whether it is the turn of `strand`. */
  isComputing(strand: Strand): boolean;
  /** Operations that `strand` has made since this was last asked. */
  operationsOf(strand: Strand): number;
  memoryBytes(): number;
  /** Ends it wherever it is. */
  end(): void;
  /** Fulfils when it has come to an end, with the reason. */
  readonly ended: Promise<unknown>;
}
