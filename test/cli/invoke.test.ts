/** `stackful run --invoke`: one function of a module, called with words. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { instantiate } from "stackful";
import { argumentsFor, resultText } from "#src/cli/invoke";
import { assemble } from "../transform/assemble.ts";
import { expectError, expectOutput, guest, scratchFolder } from "./run-cli.ts";

const folder = scratchFolder();
process.env["STACKFUL_CACHE_DIR"] = path.join(folder, "cache");

const identityText = `(module
  (global $initialized (mut i32) (i32.const 0))
  (func (export "_initialize") (global.set $initialized (i32.const 1)))
  (func (export "initialized") (result i32) (global.get $initialized))
  (func (export "i32") (param i32) (result i32) (local.get 0))
  (func (export "i64") (param i64) (result i64) (local.get 0))
  (func (export "f32") (param f32) (result f32) (local.get 0))
  (func (export "f64") (param f64) (result f64) (local.get 0))
  (func (export "two") (result i32 i64) (i32.const 1) (i64.const 2))
  (func (export "reference") (param externref))
  (func (export "trap") unreachable)
  (func (export "none")))`;

interface Identities {
  i32(value: number): number;
  i64(value: bigint): bigint;
  f32(value: number): number;
  f64(value: number): number;
  two(): [number, bigint];
  none(): void;
}

const identities = Uint8Array.from(await assemble(identityText));
const identityFile = path.join(folder, "identities.wasm");
writeFileSync(identityFile, identities);

describe("stackful run --invoke", () => {
  it("calls a function, and prints what it returns", async () => {
    await expectOutput(["--invoke", "add", guest("add"), "2", "40"], "42\n");
    await expectOutput(["--invoke", "add", guest("add"), "-1", "0xffffffff"], "-2\n");
  });

  it("converts words to every type of number, and back", async () => {
    const { exports, module } = await instantiate<Identities>(identities);
    for (const [type, word, printed] of [
      ["i32", "-2147483648", "-2147483648"],
      ["i32", "4294967295", "-1"],
      ["i32", "+1_000", "1000"],
      ["i64", "9223372036854775807", "9223372036854775807"],
      ["i64", "18446744073709551615", "-1"],
      ["i64", "-0x10", "-16"],
      ["f64", "-1.5e3", "-1500"],
      ["f64", "nan", "nan"],
      ["f64", "-inf", "-inf"],
      ["f64", "-0", "-0"],
      ["f32", ".5", "0.5"],
      ["f32", "0.1", "0.1"],
      ["f32", "16777217", "16777216"],
      ["f32", "3.4028234e38", "3.4028235e+38"],
      ["f32", "-inf", "-inf"],
      ["f32", "nan", "nan"],
    ] as const) {
      const [value] = argumentsFor(module, type, [word]);
      assert.equal(resultText(module, type, await exports[type](value as never)), `${printed}\n`);
    }
    assert.equal(resultText(module, "two", await exports.two()), "1\n2\n");
    assert.equal(resultText(module, "none", await exports.none()), "");
  });

  it("says which words are no such numbers", async () => {
    const { module } = await instantiate(identities);
    for (const [type, word] of [
      ["i32", "4294967296"],
      ["i32", "1.5"],
      ["i64", "x"],
      ["i64", "18446744073709551616"],
      ["f64", "1,5"],
      ["f64", ""],
    ] as const) {
      const message = `invalid value '${word}' for an argument of '${type}': expected an ${type}`;
      assert.throws(() => argumentsFor(module, type, [word]), { name: "UsageError", message });
    }
    const few = "'i32' takes 1 argument (i32), and was given 0";
    assert.throws(() => argumentsFor(module, "i32", []), { name: "UsageError", message: few });
    assert.throws(
      () => argumentsFor(module, "reference", ["1"]),
      /cannot call 'reference': it takes a value of type externref/,
    );
  });

  it("initializes a library first, and ends with 134 when it traps", async () => {
    await expectError(
      ["--invoke", "ad", guest("add"), "1"],
      "error: the program exports no function 'ad'\n\n  tip: a similar name exists: 'add'\n",
    );
    await expectError(["--invoke", "trap", identityFile], /^error: the program was ended by a trap/, 134);
    await expectOutput(["--invoke", "initialized", identityFile], "1\n");
  });
});
