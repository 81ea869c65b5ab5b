import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeModule } from "#src/binary/decode-module";
import { UsageError } from "#src/cli/command";
import { selectFrom } from "#src/cli/selection";
import { assemble } from "../transform/assemble.ts";

const module = decodeModule(
  await assemble(`(module
    (import "env" "read" (func $read))
    (import "env" "write" (func $write))
    (func $reader)
    (func $writer)
    (func (export "both"))
    (func $env.late))`),
);
const ALL = [2, 3, 4, 5];

/** Imports that may suspend, and functions that may be suspended. */
function select(only: readonly string[], exclude: readonly string[]): { imports: string[]; functions: number[] } {
  const selection = selectFrom(module, only, exclude);
  return {
    imports: ["read", "write"].filter((name) => selection.imports("env", name)),
    functions: ALL.filter((index) => !selection.exclude(index)),
  };
}

describe("selectFrom()", () => {
  const cases: [only: string[], exclude: string[], imports: string[], functions: number[]][] = [
    [[], [], ["read", "write"], ALL],
    [["env.read"], [], ["read"], ALL],
    [[], ["env.read"], ["write"], ALL],
    [["*.r??d"], [], ["read"], ALL],
    [["env.*"], ["env.w*"], ["read"], ALL],
    [[], ["env.read", "env.write"], [], ALL],
    [[], ["import:*"], [], ALL],
    [[], ["writer"], ["read", "write"], [2, 4, 5]],
    [[], ["3"], ["read", "write"], [2, 4, 5]],
    [["both", "reader"], [], ["read", "write"], [2, 4]],
    [["function:*e*"], ["reader"], ["read", "write"], [3, 5]],
    [["env.read", "writer"], [], ["read"], [3]],
    // What is the name of an import, too, is about that, unless it says otherwise.
    [[], ["env.*"], [], ALL],
    [[], ["function:env.*"], ["read", "write"], [2, 3, 4]],
    [[], ["env.late"], ["read", "write"], [2, 3, 4]],
  ];
  for (const [only, exclude, imports, functions] of cases) {
    it(`only ${only.join(", ") || "–"}, exclude ${exclude.join(", ") || "–"}`, () => {
      assert.deepEqual(select(only, exclude), { imports, functions });
    });
  }

  const wrong: [pattern: string, tip?: string][] = [
    ["env.raed", "a similar name exists: 'env.read'"],
    ["read", "a similar name exists: 'env.read'"],
    ["raeder", "a similar name exists: 'reader'"],
    ["17"],
    ["0"],
    ["import:reader", "a similar name exists: 'reader'"],
    ["(.*"],
    [""],
  ];
  for (const [pattern, tip] of wrong) {
    it(`refuses "${pattern}", which fits nothing`, () => {
      assert.throws(
        () => select([], [pattern]),
        (error) =>
          error instanceof UsageError &&
          error.message.includes(`fits '${pattern}'`) &&
          (tip === undefined || error.tip === tip),
      );
    });
  }
});
