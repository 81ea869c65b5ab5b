import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { decodeModule } from "#src/binary/decode-module";
import { editLua } from "#src/script/lua/guest-edit";
import { findProtectedCall } from "#src/script/lua/protected-calls";
import { guestBytes } from "../conformance/harness.ts";

const original = Uint8Array.from(readFileSync(new URL(import.meta.resolve("wasmoon/dist/glue.wasm"))));

describe("editLua()", () => {
  it("makes a module that an engine takes, with all that the original exports", () => {
    const edited = editLua(original);
    assert.ok(WebAssembly.validate(edited));
    const names = (bytes: Uint8Array): string[] => decodeModule(bytes).exports.map(({ name }) => name);
    const added = names(edited).filter((name) => !names(original).includes(name));
    assert.deepEqual(
      names(edited).filter((name) => !added.includes(name)),
      names(original),
    );
    assert.ok(added.every((name) => name.startsWith("script_")));
  });

  it("leaves no block behind where a protected call is left for good", () => {
    assert.doesNotThrow(() => findProtectedCall(decodeModule(original)));
    assert.throws(() => findProtectedCall(decodeModule(editLua(original))), /its setjmp keeps something else/);
  });

  it("refuses other modules, and says what it expects", () => {
    for (const guest of ["frames", "setjmp-emscripten"]) {
      assert.throws(() => editLua(guestBytes(guest)), {
        name: "CompileError",
        message: /expected that of wasmoon 1\.16$/,
      });
    }
  });
});
