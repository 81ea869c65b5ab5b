/**
 * Functions of the first module for instructions that resume copies cannot have in them.
 *
 * Data and element segments can only be used by the module that has them:
 *
 *     (func $init_3 (param i32 i32 i32)  local.get 0  local.get 1  local.get 2  memory.init 3)
 *
 * A tail call leaves the handlers around it, and has other results than the resume copy. It becomes a tail call of
 *
 *     (func $call_f (param …)  local.get 0 …  call $f  global.set $results…)
 */

import { plainCall } from "./calls.ts";
import type { FirstModule } from "./first-module.ts";
import type { FunctionShape } from "./function-shape.ts";
import * as op from "./operations.ts";
import type { Operations } from "./operations.ts";
import type { ResultGlobals } from "./runtime-globals.ts";

export class OutlinedInstructions {
  readonly #first: FirstModule;
  readonly #results: ResultGlobals;
  /** The instruction as text of its bytes, and types → the function that does it. */
  readonly #functions = new Map<string, number>();

  constructor(first: FirstModule, results: ResultGlobals) {
    this.#first = first;
    this.#results = results;
  }

  /** All of them. */
  indices(): number[] {
    return [...this.#functions.values()];
  }

  /** The function for an operation of kind SEGMENT or OUTLINED_CALL. */
  for(shape: FunctionShape, operation: number, operations: Operations): number {
    const { bytes } = this.#first.module;
    const start = operations.start[operation]!;
    const end = operations.end[operation]!;
    const type = shape.outlinedTypes[operations.argument[operation]!]!;
    // The same instruction takes and gives subtypes elsewhere.
    const results = operations.kind[operation] === op.OUTLINED_CALL ? shape.type.results : type.results;
    const key = `${bytes.slice(start, end).join()} ${type.params.join()} ${results.join()}`;
    const known = this.#functions.get(key);
    if (known !== undefined) return known;
    const { code, index } = this.#first.addFunction(type);
    for (const position of type.params.keys()) code.localGet(position);
    if (operations.kind[operation] === op.OUTLINED_CALL) {
      code.writer.u8(plainCall(bytes[start]!));
      code.copy(bytes, start + 1, end);
      this.#results.emitSet(code, shape.type.results);
    } else {
      code.copy(bytes, start, end);
    }
    this.#functions.set(key, index);
    return index;
  }
}
