import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mutate, mutationSources, randomNumbers, transformHostile } from "./mutations.ts";

const MUTATIONS = 600;
const SEED = 1;

describe("transformModule() with hostile input", () => {
  const sources = mutationSources();

  it(`refuses or compiles ${MUTATIONS} broken modules, as npm run fuzz -- --mutations=10000 does with more`, () => {
    const random = randomNumbers(SEED);
    const fates = { invalid: 0, refused: 0, transformed: 0 };
    for (let count = 0; count < MUTATIONS; count++) {
      const bytes = mutate(sources[random(sources.length)]!, random);
      fates[transformHostile(bytes, count % 3 === 0 ? false : undefined)]++;
    }
    assert(fates.invalid > MUTATIONS / 4 && fates.transformed > MUTATIONS / 40, JSON.stringify(fates));
  });

  it("refuses a module cut short, wherever that is", () => {
    const bytes = new Uint8Array(sources.find(({ functions }) => functions.length > 5)!.bytes);
    let complete = 0;
    for (let length = 0; length < bytes.length; length++) {
      if (transformHostile(bytes.slice(0, length)) === "transformed") complete++;
    }
    // What ends between two sections may be a module.
    assert(complete < 10, `${complete} were not refused`);
  });
});
