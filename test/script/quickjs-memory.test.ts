/** What scripts of QuickJS may keep, whatever the host passes to them or takes from them. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { quickjs } from "stackful/script/quickjs";
import { check, rejection } from "./harness.ts";

const language = { name: "QuickJS", make: () => quickjs() };
const LIMIT = 4 << 20;
const options = { maxMemoryBytes: LIMIT };

/** Characters that can be kept, in pieces of 10,000, until there is no room. */
const HOARD = `function hoard() {
  const kept = [];
  try { for (;;) kept.push("x".repeat(10_000) + kept.length); } catch {}
  return kept.length * 10_000;
}
`;

/** What makes a cycle with a large block behind it, each time. */
const CYCLES: readonly (readonly [kind: string, source: string])[] = [
  ["buffers", "const bytes = new Uint8Array(400_000); const api = { get: () => api.size + bytes[0] }"],
  ["strings", "const tree = { text: 'x'.repeat(200_000) + i }; tree.self = tree"],
  ["arrays that grow", "const list = []; for (let j = 0; j < 10_000; j++) list.push(j); list.push(list)"],
];

describe("QuickJS: memory", () => {
  check(
    language,
    "is not more after large values have crossed",
    async (engine) => {
      engine.register("echo", (value: unknown) => value);
      await engine.eval(HOARD);
      const before = Number(await engine.call("hoard"));
      await engine.eval(`
        for (const make of [(n) => "x".repeat(n), (n) => "\\u00e9".repeat(n), (n) => [new Uint8Array(n)]]) {
          for (let size = 1000; size < 1 << 26; size *= 2) try { echo(make(size)); } catch { break; }
        }
        0`);
      const after = Number(await engine.call("hoard"));
      assert.ok(before <= LIMIT, `${before} bytes`);
      assert.ok(after < before * 1.2, `${before} bytes, and ${after} afterwards`);
    },
    options,
  );

  for (const [kind, made] of CYCLES) {
    check(
      language,
      `is not full of objects that only refer to each other: ${kind}`,
      async (engine) => {
        await engine.eval(`for (let i = 0; i < 100; i++) { ${made} } 0`);
        assert.ok((await engine.memoryBytes()) < LIMIT);
        // What is kept is found, and no garbage.
        assert.equal(
          await engine.eval(
            `const kept = []; for (let i = 0; i < 100; i++) { ${made}; kept.push([i]); } kept.flat().length`,
          ),
          100,
        );
      },
      options,
    );
  }

  check(
    language,
    "is not more because the host needs some when there is none",
    async (engine) => {
      engine.register("recurse", async (callee: (depth: number) => Promise<unknown>, depth: number) => callee(depth));
      const lengths: number[] = [];
      engine.register("keep", (length: number) => void lengths.push(length));
      await rejection(
        engine.eval(`${HOARD}
        const kept = [];
        function fill(depth) {
          try { for (;;) kept.push("x".repeat(10_000) + kept.length); } catch {}
          keep(kept.length * 10_000);
          kept.length -= 5; // room to go on with
          if (depth > 0) recurse(fill, depth - 1);
        }
        fill(30);
        throw "done"`),
      );
      assert.equal(lengths.length, 31);
      assert.ok(Math.max(...lengths) < LIMIT * 1.2, lengths.join());
    },
    options,
  );

  check(
    language,
    "has no room for what the host is to read",
    async (engine) => {
      const lengths: number[] = [];
      engine.register("take", (value: string | Uint8Array) => void lengths.push(value.length));
      // The stack on which values are read should not lie in the middle of what is left.
      await engine.eval("take([])");
      lengths.length = 0;
      for (const value of ["new Uint8Array(2_300_000).fill(7).buffer", `"\\u00e9".repeat(2_300_000)`]) {
        const text = `const value = ${value}; try { take(value); "taken" } catch (error) { error.message }`;
        assert.match(String(await engine.eval(`{ ${text} }`)), /memory/);
        assert.match(String(await rejection(engine.eval(value))), /memory/);
      }
      assert.deepEqual(lengths, []);
      assert.equal(await engine.eval("take('abc'); 1 + 1"), 2);
      assert.deepEqual(lengths, [3]);
    },
    options,
  );
});
