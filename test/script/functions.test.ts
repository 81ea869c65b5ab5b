/** Functions and errors that cross more than once, and engines that call each other: of every language. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { ScriptEngine, ScriptError } from "stackful/script";
import type { ScriptFunction } from "stackful/script";
import { lua } from "stackful/script/lua";
import { quickjs } from "stackful/script/quickjs";
import { check, rejection } from "./harness.ts";

const LANGUAGES = [
  {
    name: "QuickJS",
    make: () => quickjs(),
    same: "function same(value) { return value; }",
    use: "function use(callee) { return callee(1) + 1; }",
    increment: "(x) => x + 1",
    up: "function up(n) { return down(n); }",
  },
  {
    name: "Lua",
    make: () => lua(),
    same: "function same(value) return value end",
    use: "function use(callee) return callee(1) + 1 end",
    increment: "return function(x) return x + 1 end",
    up: "function up(n) return down(n) end",
  },
];

for (const language of LANGUAGES) {
  describe(`${language.name}: functions that cross`, () => {
    check(language, "are those of the host when they come back", async (engine) => {
      await engine.eval(language.same);
      const mine = (): number => 1;
      assert.equal(await engine.call("same", mine), mine);
      assert.deepEqual(await engine.call("same", { mine, list: [mine] }), { mine, list: [mine] });
    });

    check(language, "to another engine are functions of the host there", async (engine) => {
      await using other = await ScriptEngine.create(language.make());
      // What has the same number there must not be taken for it.
      const decoy = (await other.eval(language.increment.replace("1", "100"))) as ScriptFunction;
      const increment = (await engine.eval(language.increment)) as ScriptFunction;
      await other.eval(language.use);
      assert.equal(await other.call("use", increment), 3);
      assert.equal(await other.call("use", decoy), 102);
      assert.match(((await rejection(other.call(increment, 1))) as Error).message, /another engine/);
    });

    check(language, "call each other as deep as is allowed, and no deeper", async (engine) => {
      engine.register("down", async (n: number) => (n === 0 ? 0 : 1 + Number(await engine.call("up", n - 1))));
      await engine.eval(language.up);
      assert.equal(await engine.call("up", 400), 400);
      const error = await rejection(engine.call("up", 5000));
      assert.ok(error instanceof ScriptError);
      assert.match(error.message, /1000 deep/);
      assert.equal(await engine.call("up", 20), 20);
    });
  });
}

describe("QuickJS: errors that were thrown because of others", () => {
  check(LANGUAGES[0]!, "have them as their cause", async (engine) => {
    const own = await rejection(engine.eval("throw new Error('outer', { cause: new TypeError('inner') })"));
    assert.ok(own instanceof ScriptError && own.cause instanceof ScriptError);
    assert.deepEqual([own.message, own.cause.scriptName, own.cause.message], ["outer", "TypeError", "inner"]);
    const failed = new RangeError("no");
    engine.register("failing", () => Promise.reject(failed));
    const wrapped = await rejection(
      engine.eval("try { failing() } catch (cause) { throw new Error('outer', { cause }) }"),
    );
    assert.ok(wrapped instanceof ScriptError && wrapped.cause instanceof ScriptError);
    assert.equal(wrapped.cause.cause, failed);
    const cyclic = await rejection(engine.eval("const e = new Error('self'); e.cause = e; throw e"));
    assert.deepEqual([(cyclic as Error).message, (cyclic as Error).cause], ["self", undefined]);
  });
});
