import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readBranchHints } from "#src/binary/branch-hints";
import { decodeModule } from "#src/binary/decode-module";
import { functionBody } from "#src/binary/module";
import { ModuleNames } from "#src/binary/names";
import { opcode } from "#src/binary/opcodes";
import { hasMultiMemory } from "#src/transform/runtime-home";
import { SuspendableInstance } from "#src/transform/suspendable-instance";
import { transformModule } from "#src/transform/transform-module";
import type { TransformedModule } from "#src/transform/transformed-module";
import { assemble } from "./assemble.ts";

/** The largest number of calls of `env.ask` in one of the guests. */
const CALLS = 24;

/** `main(n)` calls `ask`, which answers with a number made of its argument and of how often it was called. */
const guest = (body: string): string => `(module
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (tag $odd (param i32))
  (func (export "main") (param $n i32) (result i32) (local $i i32) (local $j i32) (local $sum i32) ${body}))`;

const GUESTS: Readonly<Record<string, string>> = {
  "a loop": `
    (loop $again
      (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 3)) (call $ask (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $sum)`,
  "loops in loops, with calls before, in and behind the inner one": `
    (loop $outer
      (local.set $j (call $ask (i32.const 100)))
      (local.set $j (i32.and (local.get $j) (i32.const 3)))
      (loop $inner
        (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 7)) (call $ask (local.get $j))))
        (br_if $inner (i32.lt_s (i32.const 0) (local.tee $j (i32.sub (local.get $j) (i32.const 1))))))
      (local.set $sum (i32.xor (local.get $sum) (call $ask (local.get $i))))
      (br_if $outer (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.get $sum)`,
  "a loop with operands below it, and a result": `
    (i32.add
      (call $ask (i32.const 1))
      (i32.sub (i32.mul (local.get $n) (i32.const 5))
        (loop $again (result i32)
          (local.set $sum (i32.add (local.get $sum) (call $ask (local.get $i))))
          (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))
          (i32.add (local.get $sum) (call $ask (i32.const 2))))))`,
  "a loop in each arm of a loop's if": `
    (loop $outer
      (if (i32.and (local.get $i) (i32.const 1))
        (then
          (local.set $j (i32.const 2))
          (loop $odd
            (local.set $sum (i32.add (local.get $sum) (call $ask (local.get $j))))
            (br_if $odd (local.tee $j (i32.sub (local.get $j) (i32.const 1))))))
        (else
          (local.set $j (i32.const 3))
          (loop $even
            (local.set $sum (i32.mul (local.get $sum) (call $ask (local.get $j))))
            (br_if $even (local.tee $j (i32.sub (local.get $j) (i32.const 1)))))))
      (br_if $outer (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.get $sum)`,
  "a loop that leaves the function and goes on from a switch": `
    (loop $again
      (block $two (block $one (block $zero
        (br_table $zero $one $two $again (i32.rem_u (call $ask (local.get $i)) (i32.const 3))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (local.get $n)))
        (return (local.get $sum)))
        (local.set $sum (i32.add (local.get $sum) (call $ask (i32.const 9))))
        (local.set $i (i32.add (local.get $i) (i32.const 2)))
        (br_if $again (i32.lt_u (local.get $i) (local.get $n))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (local.get $n))))
    (i32.sub (local.get $sum) (i32.const 1))`,
};

/** Their loops call small functions: some that suspend, and some whose copies cannot be beside the loop copy. */
const CALLING: Readonly<Record<string, string>> = {
  "small functions that call each other, one of which suspends": `
    (func $ask_twice (param $v i32) (result i32) (local $kept i32)
      (local.set $kept (call $ask (local.get $v)))
      (i32.sub (call $count (local.get $kept)) (call $ask (i32.add (local.get $v) (local.get $kept)))))
    (func $count (param $v i32) (result i32)
      (global.set $counted (i32.add (global.get $counted) (i32.const 1)))
      (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (local.get $v)))
      (call $mixed (local.get $v) (global.get $counted)))
    (func $mixed (param i32 i32) (result i32) (i32.xor (i32.mul (local.get 0) (i32.const 5)) (local.get 1)))
    (func $main (export "main") (param $n i32) (result i32) (local $i i32) (local $sum i32)
      (loop $again
        (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 3)) (call $ask_twice (local.get $i))))
        (local.set $sum (call $mixed (local.get $sum) (call $count (local.get $i))))
        (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
      (i32.add (local.get $sum) (i32.load (i32.const 8))))`,
  "a function with a segment, one with a reference, a recursive one and one with a tail call": `
    (func $with_segment (param $v i32) (result i32)
      (memory.init $bytes (i32.const 16) (i32.const 0) (i32.const 4))
      (i32.add (i32.load (i32.const 16)) (local.get $v)))
    (func $with_reference (param $v i32) (result i32)
      (table.set $functions (i32.const 0) (ref.func $with_segment))
      (call_indirect $functions (param i32) (result i32) (local.get $v) (i32.const 0)))
    (func $recursive (param $v i32) (result i32)
      (if (result i32) (i32.eqz (local.get $v)) (then (call $ask (i32.const 4)))
        (else (i32.add (local.get $v) (call $recursive (i32.sub (local.get $v) (i32.const 1)))))))
    (func $tail (param $v i32) (result i32) (return_call $with_reference (i32.mul (local.get $v) (i32.const 3))))
    (func $main (export "main") (param $n i32) (result i32) (local $i i32) (local $sum i32)
      (loop $again
        (local.set $sum (i32.add (local.get $sum) (call $with_segment (call $ask (local.get $i)))))
        (local.set $sum (i32.xor (call $with_reference (local.get $sum)) (call $recursive (i32.const 2))))
        (local.set $sum (i32.add (local.get $sum) (call $tail (local.get $i))))
        (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
      (local.get $sum))`,
};

const callingGuest = (functions: string): string => `(module
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (memory 1) (table $functions 1 funcref) (global $counted (mut i32) (i32.const 0)) (data $bytes "\\01\\02\\03\\04")
  ${functions.includes("$with_segment") ? "(elem declare func $with_segment)" : ""} ${functions})`;

/** Each loop throws in the third iteration, out of a try that is inside or around. */
const CATCHING: Readonly<Record<string, string>> = {
  "a loop in a try": `
    (block $caught (result i32)
      (try_table (catch $odd $caught)
        (loop $again
          (local.set $sum (i32.add (local.get $sum) (call $ask (local.get $i))))
          (if (i32.eq (local.get $i) (i32.const 3)) (then (throw $odd (local.get $sum))))
          (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))))
      (local.get $sum))
    (i32.add (call $ask (i32.const 50)))`,
  "a try in a loop in a try": `
    (block $outside (result i32)
      (try_table (catch $odd $outside)
        (loop $again
          (local.set $sum
            (i32.add (local.get $sum)
              (block $inside (result i32)
                (try_table (catch $odd $inside)
                  (if (i32.eq (local.get $i) (i32.const 2)) (then (throw $odd (call $ask (i32.const 77)))))
                  (local.set $sum (i32.xor (local.get $sum) (call $ask (local.get $i)))))
                (local.get $sum))))
          (if (i32.eq (local.get $i) (i32.const 5)) (then (throw $odd (i32.const 1000))))
          (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))))
      (local.get $sum))`,
};

const answer = (value: number, call: number): number => (value * 31 + call * 17 + 5) % 23;

function plainResult(bytes: Uint8Array, n: number): unknown {
  let calls = 0;
  const imports = { env: { ask: (value: number) => answer(value, calls++) } };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes as BufferSource), imports);
  return (exports["main"] as (n: number) => unknown)(n);
}

/** Suspends at the calls for which `suspends` says so. */
function suspendedResult(transformed: TransformedModule, n: number, suspends: (call: number) => boolean): unknown {
  let calls = 0;
  const ask = (value: number): unknown => {
    const result = answer(value, calls++);
    return suspends(calls - 1) ? instance.suspend(result) : result;
  };
  const imports = { env: { ask } } as unknown as WebAssembly.Imports;
  const instance = new SuspendableInstance(transformed, imports);
  let outcome = instance.start("main", n);
  while (!outcome.done) outcome = outcome.stack.resume(outcome.value);
  return outcome.values[0];
}

function compareAll(bytes: Uint8Array): void {
  const transformed = transformModule(bytes);
  for (const n of [1, 7]) {
    const expected = plainResult(bytes, n);
    assert.equal(
      suspendedResult(transformed, n, () => true),
      expected,
      "suspended at every call",
    );
    for (let only = 0; only < CALLS; only++) {
      assert.equal(
        suspendedResult(transformed, n, (call) => call === only),
        expected,
        `suspended at call ${only}`,
      );
      assert.equal(
        suspendedResult(transformed, n, (call) => call % 5 === only % 5),
        expected,
      );
    }
  }
}

/** Names of the functions that the second module is made of: resume copies, loop copies, near copies. */
async function namesOfCopies(text: string): Promise<(string | undefined)[]> {
  const module = decodeModule(transformModule(await assemble(text), { multiMemory: true }).resume());
  const names = new ModuleNames(module);
  const defined = module.functions.length - module.importedFunctions;
  return Array.from({ length: defined }, (_, index) => names.name("function", module.importedFunctions + index));
}

/** The opcodes of the instructions that are hinted as unlikely, for each function that has some. */
function unlikelyInstructions(bytes: Uint8Array): number[][] {
  const module = decodeModule(bytes);
  return [...readBranchHints(module)].map(([index, hints]) =>
    hints.map(({ offset, likely }) => {
      assert.equal(likely, false);
      return bytes[functionBody(module, index).start + offset]!;
    }),
  );
}

const hasTryTable = WebAssembly.validate(
  // (module (func (try_table)))
  Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 8, 1, 6, 0, 31, 64, 0, 11, 11),
);

describe("a resumed frame that loops", () => {
  for (const [name, body] of Object.entries(GUESTS)) {
    it(`goes on with the same results: ${name}`, async () => {
      // Engines without it would refuse the tag.
      compareAll(await assemble(guest(body).replace("(tag $odd (param i32))", "")));
    });
  }

  for (const [name, body] of Object.entries(CATCHING)) {
    it(
      `goes on with the same handlers: ${name}`,
      { skip: !hasTryTable && "this engine has no try_table" },
      async () => {
        compareAll(await assemble(guest(body)));
      },
    );
  }

  for (const [name, functions] of Object.entries(CALLING)) {
    it(`goes on with the same results: ${name}`, async () => {
      compareAll(await assemble(callingGuest(functions)));
    });
  }

  it("leaves the resume copy for a loop copy", async () => {
    const text = guest(GUESTS["a loop"]!).replace("(tag $odd (param i32))", "");
    const transformed = transformModule(await assemble(text), { multiMemory: hasMultiMemory() });
    const module = decodeModule(transformed.resume());
    // A guest that has a memory of its own gets none on engines without multiple memories; this one has none.
    assert.equal(module.functions.length - module.importedFunctions, 2);
  });

  it("leaves it in the second iteration without a suspension, not before", async () => {
    const text = guest(GUESTS["a loop"]!).replace("(tag $odd (param i32))", "");
    const transformed = transformModule(await assemble(text), { multiMemory: true });
    const { importedFunctions } = decodeModule(transformed.resume());
    // Which function of the second module called, 0 for the resume copy and 1 for the loop copy.
    const callers: number[] = [];
    const ask = (value: number): unknown => {
      const [, index] = /wasm-function\[(\d+)\]/.exec(new Error().stack ?? "") ?? [];
      callers.push(Number(index) - importedFunctions);
      return value < 3 ? instance.suspend(value) : value;
    };
    const imports = { env: { ask } } as WebAssembly.Imports;
    const instance = new SuspendableInstance(transformed, imports);
    let outcome = instance.start("main", 7);
    while (!outcome.done) outcome = outcome.stack.resume(outcome.value);
    assert.deepEqual(callers.slice(1), [0, 0, 0, 1, 1, 1]);
  });

  it("calls copies of small functions, where they can be in the second module", async () => {
    const [small, others] = await Promise.all(
      Object.values(CALLING).map(async (functions) => namesOfCopies(callingGuest(functions))),
    );
    assert.deepEqual(small, ["ask_twice", "main", "main", "ask_twice", "count", "mixed"]);
    assert.deepEqual(others, ["recursive", "main", "main", "recursive", "tail"]);
  });

  it("is told by hints that nothing suspends, and so are small functions of the first module and who calls them", async () => {
    const add = (name: string): string => `(local.set $sum (i32.add (local.get $sum) (call ${name} (local.get $n))))`;
    const transformed = transformModule(
      await assemble(`(module
        (import "env" "ask" (func $ask (param i32) (result i32)))
        (func $small (param i32) (result i32) (i32.add (call $ask (local.get 0)) (i32.const 1)))
        (func $large (param $n i32) (result i32) (local $sum i32) ${add("$ask").repeat(4)} (local.get $sum))
        (func (export "main") (param $n i32) (result i32) (local $sum i32)
          (loop $again
            ${add("$small").repeat(6)} ${add("$large")}
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (local.get $sum)))`),
      { multiMemory: true },
    );
    const brIf = opcode("br_if");
    const times = (count: number): number[] => Array.from({ length: count }, () => brIf);
    assert.deepEqual(unlikelyInstructions(transformed.main), [times(1), times(6)]);
    // The loop copy and the near copies.
    assert.deepEqual(unlikelyInstructions(transformed.resume()), [times(7), times(1), times(4)]);
  });
});
