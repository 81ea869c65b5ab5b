import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { compareCountedRuns } from "./counted-runs.ts";

const FOLDER = "test/transform/generated";
const WITH_REFERENCES: readonly string[] = ["gc-4051.wasm", "gc-4061.wasm"];

describe("A generated module", () => {
  const modules = readdirSync(FOLDER)
    .filter((file) => file.endsWith(".wasm"))
    .map((file) => ({ file, bytes: new Uint8Array(readFileSync(`${FOLDER}/${file}`)) }))
    .filter(({ bytes }) => WebAssembly.validate(bytes))
    // V8 12.4 has try_table before it was finished, and refuses it where its results are references.
    .filter(({ file }) => !(process.versions.v8.startsWith("12.") && WITH_REFERENCES.includes(file)));

  for (const precision of ["time", "fuel"] as const) {
    it(`with its "${precision}" counted does the same, and costs the same on every backend`, () => {
      let asked = 0;
      for (const { bytes, file } of modules) {
        try {
          asked += compareCountedRuns(bytes, precision, 3).asked;
        } catch (cause) {
          throw new Error(`Differs: ${file}`, { cause });
        }
      }
      assert.ok(asked > modules.length, `the counters have run out ${asked} times`);
    });
  }
});
