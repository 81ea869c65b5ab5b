import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { TransformError } from "#src/transform/refusal";
import { transformModule } from "#src/transform/transform-module";

const GUESTS = ["frames", "catch-exnref", "setjmp-legacy", "generator", "wide"];

/** Compiles whatever it can: the result is a module or a refusal, and takes no time. */
function tryTransform(bytes: Uint8Array): boolean {
  try {
    transformModule(bytes).resume();
    return true;
  } catch (error) {
    assert(error instanceof WebAssembly.CompileError || error instanceof TransformError, String(error));
    return false;
  }
}

describe("transformModule() with hostile input", () => {
  for (const guest of GUESTS) {
    const bytes = new Uint8Array(readFileSync(`test/guests/${guest}.wasm`));

    it(`refuses or compiles ${guest} with changed bytes`, () => {
      let state = 1;
      const next = (limit: number): number => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
        return (state >>> 8) % limit;
      };
      for (let round = 0; round < 400; round++) {
        const mutated = bytes.slice();
        for (let changes = 1 + next(3); changes > 0; changes--) mutated[8 + next(bytes.length - 8)] = next(256);
        tryTransform(mutated);
      }
    });

    it(`refuses ${guest} cut short`, () => {
      for (let length = 0; length < bytes.length; length += 1 + Math.floor(bytes.length / 200)) {
        tryTransform(bytes.slice(0, length));
      }
    });
  }
});
