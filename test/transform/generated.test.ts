import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { compareRuns } from "./differential.ts";

const FOLDER = "test/transform/generated";

/** Transformed with a suspension at every call of an import, a module does what it does as it is. */
describe("A generated module", () => {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(".wasm"));
  for (const features of new Set(files.map((file) => file.split("-")[0]!))) {
    const modules = files
      .filter((file) => file.startsWith(features))
      .map((file) => ({ file, bytes: new Uint8Array(readFileSync(`${FOLDER}/${file}`)) }))
      .filter(({ bytes }) => WebAssembly.validate(bytes));
    const skip = modules.length > 0 ? false : "this engine does not have the features";

    it(`with ${features} does the same with suspensions`, { skip }, () => {
      let suspensions = 0;
      for (const { bytes, file } of modules) {
        suspensions += withName(file, () => compareRuns(bytes).suspensions);
      }
      assert(suspensions > modules.length);
    });

    it(`with ${features} does the same when resumed stacks throw`, { skip }, () => {
      for (const { bytes, file } of modules) withName(file, () => compareRuns(bytes, { throwEvery: 4, seed: 7 }));
    });
  }

  it("does the same with the runtime in a module of its own", () => {
    for (const file of files.filter((name) => name.startsWith("simd"))) {
      withName(file, () => compareRuns(readFileSync(`${FOLDER}/${file}`), { multiMemory: false }));
    }
  });
});

function withName<Result>(file: string, run: () => Result): Result {
  try {
    return run();
  } catch (cause) {
    throw new Error(`Differs: ${file}`, { cause });
  }
}
