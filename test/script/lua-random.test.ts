/** Random scripts of Lua that wait in whatever calls them back, many at once, some of which are stopped: the others give what they should. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { backends } from "stackful";
import { ScriptEngine } from "stackful/script";
import { lua } from "stackful/script/lua";
import { randomNumbers } from "../conformance/harness.ts";

/** Each has the value of E, a number, or nothing if that is in a finalizer. */
const CONSTRUCTS: readonly string[] = [
  "(select(2, pcall(function() return E end)))",
  "(select(2, xpcall(function() return E end, function(m) return m end)))",
  "coroutine.wrap(function() coroutine.yield(E) end)()",
  "tonumber((('x'):gsub('x', function() return tostring(E) end)))",
  "(function() local r local t = {2, 1} table.sort(t, function(a, b) r = r or E return a < b end) return r end)()",
  "setmetatable({}, { __index = function() return E end }).x",
  "(setmetatable({}, { __add = function() return E end }) + 1)",
  "(function() local r do local c <close> = setmetatable({}, { __close = function() r = E end }) end return r end)()",
  "(function() for v in function(_, last) if not last then return E end end do return v end end)()",
  "(function() local r setmetatable({}, { __gc = function() r = E end }) collectgarbage() collectgarbage() return r or -1 end)()",
  "(select(2, pcall(error, E)))",
  "call(function() return E end)",
  "(function() local t = {} for i = 1, 300 do t[i] = { i, tostring(i) } end return E + #t - 300 end)()",
];

const SCRIPTS = 600;
const AT_ONCE = 60;

class RandomScripts {
  readonly #random: () => number;
  readonly engine: ScriptEngine;

  constructor(engine: ScriptEngine, seed: number) {
    this.engine = engine;
    this.#random = randomNumbers(seed);
    engine.register("later", (value: number) => this.#later(value));
    engine.register("now", (value: number) => value);
    engine.register("call", (callee: () => Promise<unknown>) => callee());
  }

  #later(value: number): Promise<number> {
    const isSoon = this.#random() < 0.5;
    const ms = this.#random() * 3;
    return new Promise((resolve) => (isSoon ? setImmediate(resolve, value) : setTimeout(resolve, ms, value)));
  }

  /** Runs one, and gives whether it was stopped. */
  async run(): Promise<boolean> {
    const expected = Math.floor(this.#random() * 1000);
    let expression = this.#random() < 0.7 ? `later(${expected})` : `now(${expected})`;
    for (let depth = Math.floor(this.#random() * 7); depth > 0; depth--) {
      const construct = CONSTRUCTS[Math.floor(this.#random() * CONSTRUCTS.length)]!;
      expression = construct.replace("E", () => expression);
    }
    const controller = new AbortController();
    const reason = new Error("stopped");
    if (this.#random() < 0.3) setTimeout(() => controller.abort(reason), this.#random() * 4);
    try {
      const value = await this.engine.eval(`return ${expression}`, { signal: controller.signal });
      // Somebody else's garbage may be what runs a finalizer, or its script may have been stopped there.
      if (!(expression.includes("__gc") && value === -1)) assert.equal(value, expected, expression);
      return false;
    } catch (error) {
      if (error !== reason) throw error;
      return true;
    }
  }
}

describe("Random scripts of Lua", () => {
  for (const { name: backend } of backends().filter(({ available }) => available)) {
    it(`give what they should, whichever of them are stopped (${backend})`, async () => {
      const engine = await ScriptEngine.create(lua(), { backend });
      const scripts = new RandomScripts(engine, 20);
      let stopped = 0;
      for (let made = 0; made < SCRIPTS; made += AT_ONCE) {
        const outcomes = await Promise.all(Array.from({ length: AT_ONCE }, () => scripts.run()));
        stopped += outcomes.filter(Boolean).length;
      }
      assert.ok(stopped > 0 && stopped < SCRIPTS / 2, `${stopped} were stopped`);
      assert.deepEqual(await engine.eval("collectgarbage() return pcall(error, later(1))"), [false, 1]);
      await engine.close();
    });
  }
});
