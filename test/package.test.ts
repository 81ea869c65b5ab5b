/** What package.json promises: each subpath export exists, under both of its conditions. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";

interface Manifest {
  name: string;
  exports: Record<string, string | Record<string, string>>;
}

const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
const modules = Object.entries(manifest.exports).filter(([subpath]) => subpath !== "./package.json");

describe("package.json", () => {
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
