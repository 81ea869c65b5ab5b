/**
 * Makes a guest that can be interrupted: WebAssembly in, WebAssembly out.
 *
 * Every function and every loop lowers a counter (counter.ts) and calls an imported function when it is below 0. What is counted
 * depends on the precision:
 *
 *     "time"    1 for each arrival at a function or a loop: enough to look at the clock now and then
 *     "fuel"    the cost of what runs (charges.ts): the same sum for the same program and input, wherever and however it runs
 *
 * A function that loops keeps what it owes in a local, and settles when that exceeds a limit; so a loop of a few instructions does
 * not wait for the memory that the counter is in. See counted-code.ts for the code.
 */

import { readBranchHints } from "../binary/branch-hints.ts";
import type { BranchHint, BranchHints } from "../binary/branch-hints.ts";
import type { BinaryModule } from "../binary/module.ts";
import { SECTION } from "../binary/sections.ts";
import { Writer } from "../binary/writer.ts";
import { CodeCounter } from "./counted-code.ts";
import type { Precision } from "./counted-code.ts";
import { Counter, REFUEL_MODULE, REFUEL_NAME } from "./counter.ts";
import { ImportingEditor } from "../binary/importing-editor.ts";

export type { Precision } from "./counted-code.ts";

/**
 * The guest with its counter. It has one import and one export more than `module`, see counter.ts, and its functions have indices
 * that are one higher.
 *
 * @throws {TypeError} when the module uses the name of the added import itself
 * @throws {WebAssembly.CompileError} when its code cannot be read
 */
export function countInstructions(module: BinaryModule, precision: Precision): Uint8Array<ArrayBuffer> {
  if (module.imports.some((entry) => entry.module === REFUEL_MODULE)) {
    throw new TypeError(
      `Cannot make guest interruptible: it has imports of the module "${REFUEL_MODULE}", a name that is reserved`,
    );
  }
  return new CountingEditor(module, precision).build();
}

class CountingEditor extends ImportingEditor {
  readonly #hints = new Map<number, readonly BranchHint[]>();

  constructor(module: BinaryModule, precision: Precision) {
    super(module, [{ module: REFUEL_MODULE, name: REFUEL_NAME, type: { params: [], results: [] } }]);
    const bodies = this.#countBodies(precision);
    this.rewrites.set(SECTION.code, (writer) => writer.bytes(bodies.view()));
  }

  protected override branchHints(): BranchHints {
    return this.#hints;
  }

  /** All bodies of the module with their sizes, as the code section has them. */
  #countBodies(precision: Precision): Writer {
    const { bodies, bytes, importedFunctions } = this.module;
    const hints = readBranchHints(this.module);
    const writer = new Writer(bytes.length);
    const code = new CodeCounter(this, new Counter(this), precision);
    for (let body = 0; body * 2 < bodies.length; body++) {
      const index = importedFunctions + body;
      const ofFunction = code.writeBody(writer, index, hints.get(index) ?? []);
      if (ofFunction.length > 0) this.#hints.set(this.renumbered(index), ofFunction);
    }
    return writer;
  }
}
