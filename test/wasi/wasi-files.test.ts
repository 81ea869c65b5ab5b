/** What C programs do with files, on every file system and both backends. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { backends, instantiate } from "stackful";
import { MemoryFileSystem, WASI } from "stackful/wasi";
import { FILE_SYSTEMS } from "./file-systems.ts";

const bytes = Uint8Array.from(readFileSync(new URL("../guests/wasi-files.wasm", import.meta.url)));
const CHECKS = ["check_stdio", "check_descriptors", "check_directories", "check_names", "check_read_only"];

type Checks = Record<string, () => number | Promise<number>>;

for (const { name: backend, available } of backends()) {
  for (const kind of FILE_SYSTEMS) {
    describe(`A C program with files (${backend}, ${kind.name})`, { skip: !available && `no ${backend} here` }, () => {
      for (const check of CHECKS) {
        it(check, async () => {
          // A time is exact to a quarter of a microsecond there.
          if (check === "check_names" && !kind.hasExactTimes) return;
          const { root, remove } = await kind.make();
          const fixed = new MemoryFileSystem({ file: "fixed" }).root;
          const wasi = new WASI({ preopens: { "/": root, "/read-only": { directory: fixed, readOnly: true } } });
          const instance = await instantiate<Checks>(bytes, wasi.imports(), { backend });
          await wasi.initialize(instance);
          const line = await instance.exports[check]!();
          await wasi.close();
          remove();
          assert.equal(line, 0, `wasi-files.c:${line} does not hold`);
        });
      }
    });
  }
}
