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
