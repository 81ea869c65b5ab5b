import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { decodeModule } from "#src/binary/decode-module";
import { countInstructions } from "#src/preemption/count-instructions";

const GUESTS = ["frames", "catch-exnref", "setjmp-legacy", "generator", "wide", "traps-gc"];

/** Whatever the bytes are: a module or a refusal. A valid module stays valid. */
function tryCount(bytes: Uint8Array<ArrayBuffer>): void {
  let counted: Uint8Array<ArrayBuffer>;
  try {
    counted = countInstructions(decodeModule(bytes), "fuel");
  } catch (error) {
    assert(error instanceof WebAssembly.CompileError, String(error));
    return;
  }
  if (WebAssembly.validate(bytes)) assert(WebAssembly.validate(counted), "it is not valid any more");
}

describe("countInstructions() with hostile input", () => {
  for (const guest of GUESTS) {
    const bytes = new Uint8Array(readFileSync(`test/guests/${guest}.wasm`));

    it(`refuses or counts ${guest} with changed bytes`, () => {
      let state = 1;
      const next = (limit: number): number => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
        return (state >>> 8) % limit;
      };
      for (let round = 0; round < 400; round++) {
        const mutated = bytes.slice();
        for (let changes = 1 + next(3); changes > 0; changes--) mutated[8 + next(bytes.length - 8)] = next(256);
        tryCount(mutated);
      }
    });

    it(`refuses ${guest} cut short`, () => {
      for (let length = 0; length < bytes.length; length += 1 + Math.floor(bytes.length / 200)) {
        tryCount(bytes.slice(0, length));
      }
    });
  }
});
