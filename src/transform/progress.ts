/** How far the compiler has come in the code of a module, told now and then. */

import { functionBody } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";

export type TellProgress = (doneBytes: number, totalBytes: number) => void;

/** Bytes of code between two reports of progress: some 10 ms. */
const PROGRESS_BYTES = 2 ** 17;

/** Tells how far the compiler has come in the code of a module. */
export class Progress {
  readonly #module: BinaryModule;
  readonly #tell: TellProgress | undefined;
  readonly #start: number;
  readonly #total: number;
  #told = 0;

  constructor(module: BinaryModule, tell: TellProgress | undefined) {
    const { bodies } = module;
    this.#module = module;
    this.#tell = tell;
    this.#start = bodies[0] ?? 0;
    this.#total = (bodies.at(-1) ?? 0) - this.#start;
  }

  /** The compiler is about to do the function with this index. */
  reached(functionIndex: number): void {
    if (this.#tell === undefined) return;
    const done = functionBody(this.#module, functionIndex).start - this.#start;
    if (done - this.#told < PROGRESS_BYTES) return;
    this.#told = done;
    this.#tell(done, this.#total);
  }
}
