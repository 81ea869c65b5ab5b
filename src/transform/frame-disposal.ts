/**
 * Letting go of frames that nobody will continue: the places in side tables that they hold are free again then.
 *
 *     ;; $forget : [] -> [] is about the frame at $frame, which has references
 *     (call_indirect $forgetters (i32.load (global.get $frame)))        ;; by the number of the resume copy
 *
 *     ;; in the table, one for each layout: takes the references out
 *     (drop (call $take (i32.load offset=OFFSET (global.get $frame)))) …
 */

import type { FunctionBuilder } from "../binary/definitions.ts";
import { FUNCREF } from "../binary/value-types.ts";
import { hasReferences, isPlain } from "./frame-layout.ts";
import type { FrameLayout } from "./frame-layout.ts";
import type { ReferenceTables } from "./reference-tables.ts";
import type { RuntimeHome } from "./runtime-home.ts";

const NOTHING = { params: [], results: [] };

export class FrameDisposal {
  readonly #home: RuntimeHome;
  readonly #forget: FunctionBuilder;
  /** Number of a resume copy → the function for its frames. */
  readonly #forgetters: number[] = [];
  /** Types in the frame → the function. */
  readonly #known = new Map<string, number>();

  constructor(home: RuntimeHome) {
    this.#home = home;
    this.#forget = home.module.addFunction(NOTHING);
  }

  /** The function that forgets the frame at `$frame`; only for frames with references. */
  get forget(): number {
    return this.#forget.index;
  }

  /** Frames of the next resume copy have this layout. */
  add(layout: FrameLayout, references: ReferenceTables): void {
    this.#forgetters.push(hasReferences(layout) ? this.#forgetterFor(layout, references) : this.forget);
  }

  /** After the last one. */
  finish(): void {
    if (this.#known.size === 0) return;
    const { module, memory, globals } = this.#home;
    const minimum = this.#forgetters.length;
    const table = module.addTable({ element: FUNCREF, minimum, maximum: minimum });
    module.addElements(table, (code) => void code.i32Const(0), this.#forgetters);
    this.#forget.code.globalGet(globals.frame).i32Load({ memory }).callIndirect(module.type(NOTHING), table);
  }

  #forgetterFor({ types, offsets }: FrameLayout, references: ReferenceTables): number {
    const key = types.join();
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const { module, memory, globals } = this.#home;
    const { code, index } = module.addFunction(NOTHING);
    for (const [position, type] of types.entries()) {
      if (isPlain(type)) continue;
      code.globalGet(globals.frame).i32Load({ offset: offsets[position]!, memory }).call(references.take(type)).drop();
    }
    this.#known.set(key, index);
    return index;
  }
}
