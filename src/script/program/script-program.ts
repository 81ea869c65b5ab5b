/** What an interpreter that is a program does for its scripts: implemented by each language. */

import type { Strand } from "./strand.ts";
import type { Turns } from "./turns.ts";

/** A program that runs scripts of one language. */
export interface ScriptProgram {
  readonly turns: Turns;
  /** A strand that nobody uses. */
  take(): Strand | Promise<Strand>;
  /** It waits for the next script. */
  giveBack(strand: Strand): void;
  /** Sends what is to be known before the next order that is taken. */
  tell(order: Uint8Array): void;
  memoryBytes(): number;
  /** Ends it wherever it is. */
  end(): void;
  /** Fulfils when it has come to an end, with the reason. */
  readonly ended: Promise<unknown>;
}
