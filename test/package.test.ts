/** What package.json promises: each subpath export exists, under both of its conditions. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { COMPILER_VERSION } from "#src/transform/compiler-version";

interface Manifest {
  name: string;
  version: string;
  bin: Record<string, string>;
  exports: Record<string, string | Record<string, string>>;
}

const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
const modules = Object.entries(manifest.exports).filter(([subpath]) => subpath !== "./package.json");

describe("package.json", () => {
  it("has the version that the compiler says it has", () => assert.equal(COMPILER_VERSION, manifest.version));

  it("names programs whose sources say what runs them", () => {
    for (const file of Object.values(manifest.bin)) {
      const source = file.replace(/^\.\/dist\/(.*)\.js$/, "src/$1.ts");
      assert.match(readFileSync(source, "utf8"), /^#!\/usr\/bin\/env node\n/);
    }
  });

  for (const [subpath, target] of modules) {
    const name = manifest.name + subpath.slice(1);

    it(`exports ${name}`, async () => {
      const module: unknown = await import(name);
      assert.equal(typeof module, "object");
    });

    it(`maps ${name} to one file and what is built from it`, () => {
      assert.ok(typeof target === "object" && typeof target["source"] === "string");
      const stem = target["source"].replace(/^\.\/src\/(.*)\.ts$/, "./dist/$1");
      assert.deepEqual(Object.entries(target), [
        ["source", target["source"]],
        ["types", `${stem}.d.ts`],
        ["default", `${stem}.js`],
      ]);
    });
  }
});
