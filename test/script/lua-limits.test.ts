/** How scripts of Lua are stopped, wherever they are, and what limits them; the engine goes on afterwards. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { backends } from "stackful";
import type { BackendName } from "stackful";
import { ScriptEngine, ScriptError, ScriptStoppedError } from "stackful/script";
import type { ScriptEngineOptions } from "stackful/script";
import { lua } from "stackful/script/lua";
import { rejection, turn } from "../conformance/harness.ts";

const usable = backends().filter(({ name, reason }) => reason === undefined && ["jspi", "transform"].includes(name));

/** `BODY` stands for what waits, or runs for ever. */
const PLACES: Readonly<Record<string, string>> = {
  "the main chunk": "BODY",
  pcall: "while true do pcall(function() BODY end) caught = true end",
  "xpcall with a handler": "while true do xpcall(function() BODY end, function() caught = true end) caught = true end",
  "a message handler": "xpcall(error, function() BODY end) caught = true",
  "a comparator":
    "local t = {} for i = 1, 50 do t[i] = -i end pcall(table.sort, t, function(a, b) BODY return a < b end) caught = true",
  "a replacement": "pcall(string.gsub, 'abc', '%w', function() BODY end) caught = true",
  "a metamethod":
    "local t = setmetatable({}, { __index = function() BODY end }) pcall(function() return t.x end) caught = true",
  "a coroutine":
    "local co = coroutine.create(function() pcall(function() BODY end) caught = true end) kept = co coroutine.resume(co) caught = true",
  "a wrapped coroutine in a coroutine":
    "pcall(coroutine.wrap(function() coroutine.wrap(function() BODY end)() end)) caught = true",
  "a finalizer":
    "setmetatable({}, { __gc = function() pcall(function() BODY end) caught = true end }) collectgarbage() caught = true",
  "a finalizer that garbage calls":
    "setmetatable({}, { __gc = function() pcall(function() BODY end) caught = true end }) for i = 1, 1e6 do local t = {} end caught = true",
  "a variable that is closed":
    "pcall(function() local c <close> = setmetatable({}, { __close = function() BODY end }) end) caught = true",
  "a variable that is closed because of an error":
    "pcall(function() local c <close> = setmetatable({}, { __close = function() BODY end }) error('e') end) caught = true",
  "an iterator": "pcall(function() for _ in function() BODY end do end end) caught = true",
  "a loader": "pcall(load, function() BODY end) caught = true",
  "a conversion to text": "pcall(print, setmetatable({}, { __tostring = function() BODY end })) caught = true",
};

async function start(backend: BackendName, options: ScriptEngineOptions = {}): Promise<ScriptEngine> {
  const engine = await ScriptEngine.create(lua(), { backend, print: () => {}, ...options });
  engine.register("soon", async (value: unknown) => value);
  return engine;
}

/** Whether nothing of a stopped script has remained: garbage is collected, also what has finalizers, and scripts wait and fail as ever. */
async function assertUsable(engine: ScriptEngine): Promise<void> {
  assert.equal(await engine.eval("return caught"), undefined, "the script noticed its end");
  const source = `
    local finalized = 0
    for i = 1, 100 do setmetatable({}, { __gc = function() finalized = finalized + soon(1) end }) end
    collectgarbage() collectgarbage()
    local before = collectgarbage('count')
    for i = 1, 200000 do local t = { i } end
    local t = { 3, 1, 2 }
    table.sort(t, function(a, b) return soon(a) < soon(b) end)
    return { finalized, collectgarbage('count') - before < 4000, t[1], pcall(error, 'e') }`;
  assert.deepEqual(await engine.eval(source), [100, true, 1, false, "e"]);
}

for (const { name: backend } of usable) {
  describe(`Lua on ${backend}, when a script is stopped`, () => {
    for (const [place, source] of Object.entries(PLACES)) {
      it(`waiting in ${place}, ends without noticing it`, async () => {
        const engine = await start(backend);
        let waiting = 0;
        engine.register("wait", () => {
          waiting++;
          return new Promise(() => {});
        });
        // Another one waits meanwhile, and ends well.
        let open!: (value: unknown) => void;
        engine.register("other", () => new Promise((resolve) => (open = resolve)));
        const other = engine.eval("return select(2, pcall(function() return other() + 1 end))");
        for (let round = 0; round < 3; round++) {
          const controller = new AbortController();
          const run = engine.eval(source.replaceAll("BODY", "wait()"), { signal: controller.signal });
          await turn();
          assert.equal(waiting, round + 1, "it waits");
          const reason = new Error("enough");
          controller.abort(reason);
          assert.equal(await rejection(run), reason);
        }
        open(41);
        assert.equal(await other, 42);
        await assertUsable(engine);
        if (place === "a coroutine") {
          assert.deepEqual(await engine.eval("return { coroutine.status(kept), coroutine.resume(kept) }"), [
            "normal",
            false,
            "cannot resume non-suspended coroutine",
          ]);
        }
        await engine.close();
      });

      it(`running in ${place}, ends without noticing it`, async () => {
        const engine = await start(backend);
        for (const body of ["while true do end", "repeat until false", "local function f() return f() end f()"]) {
          const run = engine.eval(source.replaceAll("BODY", body), { maxOperations: 1_500_000 });
          const error = await rejection(run);
          assert.ok(error instanceof ScriptStoppedError && error.reason === "operations", String(error));
          await assertUsable(engine);
        }
        await engine.close();
      });
    }
  });

  describe(`Lua on ${backend}, collecting garbage by generations`, () => {
    for (const place of ["a finalizer", "a finalizer that garbage calls"]) {
      it(`ends a script in ${place}`, async () => {
        const engine = await start(backend);
        engine.register("wait", () => new Promise(() => {}));
        await engine.eval("collectgarbage('generational')");
        for (const body of ["wait()", "while true do end"]) {
          const controller = new AbortController();
          const reason = new Error("enough");
          const run = engine.eval(PLACES[place]!.replace("BODY", body), { signal: controller.signal });
          await turn();
          controller.abort(reason);
          assert.equal(await rejection(run), reason);
          await assertUsable(engine);
        }
        await engine.close();
      });
    }
  });

  describe(`Lua on ${backend} limits`, () => {
    it("operations, as exactly as it counts them, whoever makes them", async () => {
      const engine = await start(backend);
      const operationsOf = async (source: string): Promise<number> => {
        let last = 0;
        await engine.eval(source, {
          onProgress: (operations: number) => {
            last = operations;
          },
        });
        return last;
      };
      const plain = await operationsOf("for i = 1, 100000 do local x = i end");
      assert.ok(plain > 100_000 && plain < 1_000_000, String(plain));
      assert.equal(await operationsOf("for i = 1, 100000 do local x = i end"), plain);
      const inCoroutines = await operationsOf(
        "for i = 1, 1000 do coroutine.wrap(function() for i = 1, 100 do local x = i end end)() end",
      );
      assert.ok(inCoroutines > plain, `${inCoroutines} operations in coroutines`);
      engine.register("callBack", (callee: () => Promise<unknown>) => callee());
      const inCallbacks = await operationsOf(
        "for i = 1, 1000 do callBack(function() for i = 1, 100 do local x = i end end) end",
      );
      assert.ok(inCallbacks > plain, `${inCallbacks} operations in callbacks`);
      const mixed = await Promise.all([
        operationsOf("for i = 1, 1000 do soon(i) end"),
        operationsOf("for i = 1, 1000 do soon(i) end"),
      ]);
      assert.equal(mixed[0], mixed[1], "each pays for itself");
      await engine.close();
    });

    it("pauses a script in onProgress, while others run", async () => {
      const engine = await start(backend);
      let pauses = 0;
      const run = engine.eval("local t = {} for i = 1, 20000 do t[i % 10] = { i } end return 'done'", {
        onProgress: async () => {
          pauses++;
          await engine.eval("local t = {} for i = 1, 2000 do t[i] = { i } end collectgarbage()");
        },
      });
      assert.equal(await run, "done");
      assert.ok(pauses > 10, String(pauses));
      const stopped = await rejection(
        engine.eval("while true do pcall(error) end", { onProgress: async () => "token" }),
      );
      assert.ok(stopped instanceof ScriptStoppedError && stopped.token === "token");
      await assertUsable(engine);
      await engine.close();
    });

    it("memory: an error that a script can catch, and no more than that", async () => {
      const engine = await start(backend, { maxMemoryBytes: 2_000_000 });
      const sources = [
        "local s = ('x'):rep(1e7)",
        "local t = {} for i = 1, 1e7 do t[i] = {} end",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
        "local t = {} while true do t[#t + 1] = soon(('x'):rep(1000) .. #t) end",
        "local function f() return f() + 1 end f()",
        "local t = {} for i = 1, 1e7 do t[i] = function() return i end end pass(t)",
        "give()",
      ];
      engine.register("give", () => "x".repeat(5_000_000));
      for (const source of sources) {
        const error = await rejection(engine.eval(source));
        assert.ok(error instanceof ScriptError, `${source}: ${String(error)}`);
        assert.match(error.message, /not enough memory|stack overflow/, source);
        const caught = (await engine.eval(`return pcall(function() ${source} end)`)) as unknown[];
        assert.equal(caught[0], false, source);
        assert.ok((await engine.memoryBytes()) <= 2_000_000, `${await engine.memoryBytes()} bytes`);
        await assertUsable(engine);
      }
      await engine.close();
      await assert.rejects(start(backend, { maxMemoryBytes: 10_000 }), RangeError);
    });

    it("how deep calls nest, by errors that a script can catch", async () => {
      const engine = await start(backend);
      // The stack that the module has itself is larger than those of further scripts.
      engine.register("never", () => new Promise(() => {}));
      engine.eval("never()").catch(() => {});
      const sources = [
        "local function f() return f() + 1 end f()",
        "local function f() return (('x'):gsub('x', f)) end f()",
        "local function f() local t = {2, 1} table.sort(t, f) end f()",
        "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k + 1] end return t[1]",
        "local function f() return coroutine.wrap(f)() end f()",
        "local function f() return pcall(f) and error('deep') end f() error('end of it')",
        "local function f() return tostring(setmetatable({}, { __tostring = f })) end f()",
        "return ('('):rep(1000) .. ' ' .. load(('('):rep(1000) .. '1')()",
        "local function f() local text = ('%99.99f'):format(1e308) return ('%s'):format(setmetatable({}, { __tostring = f })) end f()",
        "local function f() local text = ('%99.99f'):format(1e308) return (('x'):gsub('x', f)) end f()",
        "local function f() return load(f)() end f()",
        "local function f() return table.concat(setmetatable({}, { __index = f, __len = function() return 3 end })) end f()",
        "local t = {} for i = 1, 5000 do t = setmetatable({}, { __index = t, __eq = t }) end return t.x.y",
        "error(setmetatable({}, { __tostring = function(e) return tostring(e) end }))",
      ];
      for (const source of sources) {
        const error = await rejection(engine.eval(source));
        assert.ok(error instanceof ScriptError, `${source}: ${String((error as Error).stack)}`);
        const waits = (await engine.eval(
          `soon(1) local ok = pcall(function() ${source} end) return ok, soon(2)`,
        )) as unknown[];
        assert.equal(waits[1], 2, source);
        await assertUsable(engine);
      }
      await engine.close();
    });
  });
}
