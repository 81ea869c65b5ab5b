/** Lua as a script engine, on every backend that this runtime has: what other languages do not have, or do otherwise. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { backends } from "stackful";
import type { BackendName } from "stackful";
import { ScriptEngine, ScriptError } from "stackful/script";
import type { ScriptEngineOptions } from "stackful/script";
import { lua } from "stackful/script/lua";
import { rejection, turn } from "../conformance/harness.ts";
import type { Sources } from "./harness.ts";
import { languageSuite } from "./suite.ts";

const sources: Sources = {
  expression: (text) => text,
  sum: (first, second) => `return later(${first}, ${first}) + later(${second}, ${second})`,
  caught: `local ok, message = pcall(fail, "no") return tostring(message)`,
  uncaught: `function outer() fail("no") end outer()`,
  thrown: `error("mine")`,
  sorted: `local t = { 3, 1, 2 } table.sort(t, function(a, b) later(1) return a < b end) return t`,
  endless: `while true do end`,
  guarded: (body) => `while true do pcall(function() ${body} end) note("caught") end`,
  functions: `
    function add(a, b) return a + b end
    function same(value) return value end
    function waitAndAdd(n) later(1) return n + 1 end`,
  adder: (n) => `return function(x) later(1) return x + ${n} end`,
  callback: `return apply(function(x) return later(1, x * 2) end, 21) + 1`,
  recursion: `local function deeper() return 1 + deeper() end return select(2, pcall(deeper))`,
  hoard: `local kept = {} while true do kept[#kept + 1] = ("x"):rep(1000) .. #kept end`,
  pingPong: `while true do local x = get() x = x + 1 put(x) end`,
};

languageSuite({ name: "Lua", make: () => lua(), sources });

interface Host {
  readonly engine: ScriptEngine;
  readonly printed: string[];
  /** What scripts wait for in `wait(id)`, until it is opened. */
  open(id: number, answer?: unknown): void;
  readonly waiting: ReadonlyMap<number, unknown>;
}

async function start(backend: BackendName, options: ScriptEngineOptions = {}): Promise<Host> {
  const printed: string[] = [];
  const waiting = new Map<number, { resolve(value: unknown): void }>();
  const engine = await ScriptEngine.create(lua(), { backend, print: (text) => printed.push(text), ...options });
  engine.register("wait", (id: number) => new Promise((resolve) => waiting.set(id, { resolve })));
  engine.register("soon", async (value: unknown) => value);
  engine.register("pass", (value: unknown) => value);
  const open = (id: number, answer?: unknown): void => {
    const waiter = waiting.get(id);
    assert.ok(waiter, `nobody waits for ${id}`);
    waiting.delete(id);
    waiter.resolve(answer);
  };
  return { engine, printed, open, waiting };
}

/** Runs `body` with an engine, and looks afterwards whether that is in order. */
async function using(
  backend: BackendName,
  body: (host: Host) => Promise<void>,
  options?: ScriptEngineOptions,
): Promise<void> {
  const host = await start(backend, options);
  await body(host);
  assert.equal(await host.engine.eval("collectgarbage() collectgarbage() return select('#', 1, 2)"), 2);
  await host.engine.close();
}

async function failureOf(engine: ScriptEngine, source: string): Promise<ScriptError> {
  const error = await rejection(engine.eval(source));
  assert.ok(error instanceof ScriptError, String(error));
  return error;
}

const usable = backends().filter(({ name, reason }) => reason === undefined && ["jspi", "transform"].includes(name));

for (const { name: backend } of usable) {
  describe(`Lua on ${backend}`, () => {
    it("passes values to the host and back", () =>
      using(backend, async ({ engine }) => {
        const same = [0, 1, -1, 1.5, 2 ** 53 - 1, 1e300, Infinity, -0, true, false, "", "text", "ünïcödé 🎈", "a\0b"];
        same.push((2n ** 63n - 1n) as never, -(2n ** 63n) as never, "x".repeat(10_000));
        for (const value of same) assert.ok(Object.is(await engine.apply("pass", [value]), value), String(value));
        assert.deepEqual(await engine.eval("pass({1, 2, {3}})"), [1, 2, [3]]);
        assert.deepEqual(await engine.eval("pass({a = 1, b = {c = 'd'}})"), { a: 1, b: { c: "d" } });
        assert.deepEqual(await engine.apply("pass", [[1, null, 3]]), [1, undefined, 3]);
        assert.deepEqual(await engine.apply("pass", [[]]), []);
        assert.deepEqual(await engine.apply("pass", [{}]), {});
        assert.deepEqual(await engine.eval("pass({})"), {});
        assert.deepEqual(await engine.eval("pass({[10] = 'ten', x = 1})"), { 10: "ten", x: 1 });
        assert.deepEqual(await engine.eval("pass('\\xff\\xfe')"), Uint8Array.of(255, 254));
        assert.equal(await engine.apply("pass", [Uint8Array.of(104, 105)]), "hi");
        assert.deepEqual(await engine.apply("pass", [new Map([["k", new Set([1])]])]), { k: [1] });
        const proto = JSON.parse('{"__proto__": 1}') as object;
        assert.deepEqual(Object.keys(await engine.apply<object>("pass", [proto])), ["__proto__"]);
        assert.equal(
          await engine.eval("math.type(pass(3)) .. math.type(pass(3.5)) .. math.type(2^53)"),
          "integerfloatfloat",
        );
      }));

    it("keeps integers of 64 bits, which become bigints only where numbers end", () =>
      using(backend, async ({ engine }) => {
        assert.equal(await engine.eval("9007199254740991"), 9007199254740991);
        assert.equal(await engine.eval("9007199254740993"), 9007199254740993n);
        assert.equal(await engine.eval("math.mininteger"), -(2n ** 63n));
        engine.register("big", () => 2n ** 63n);
        const error = await failureOf(engine, "big()");
        assert.match(error.message, /an integer of Lua has 64 bits/);
      }));

    it("gives what a script returns: nothing, one value, several as an array, the value of an expression", () =>
      using(backend, async ({ engine }) => {
        assert.equal(await engine.eval("local x = 1"), undefined);
        assert.equal(await engine.eval("return 1"), 1);
        assert.deepEqual(await engine.eval("return 1, nil, 3"), [1, undefined, 3]);
        assert.equal(await engine.eval("1 + 1"), 2);
        assert.equal(await engine.eval("x = 5"), undefined);
        assert.equal(await engine.eval("-- comment\nx"), 5);
      }));

    it("refuses what cannot cross, and goes on", () =>
      using(backend, async ({ engine }) => {
        const cases: [string, RegExp][] = [
          ["local t = {} t.t = t pass(t)", /contains itself/],
          ["pass(coroutine.create(print))", /coroutine/],
          ["pass({[{}] = 1})", /one of its keys is a table/],
          ["local t = {} for i = 1, 2000 do t = {t} end pass(t)", /more than 500 deep/],
        ];
        for (const [source, message] of cases) {
          assert.match((await failureOf(engine, source)).message, message);
          assert.equal(
            await engine.eval(`pcall(function() ${source} end)`).then((result) => (result as unknown[])[0]),
            false,
          );
        }
        const cyclic: unknown[] = [];
        cyclic.push(cyclic);
        let deep: unknown = 0;
        for (let i = 0; i < 2000; i++) deep = [deep];
        for (const value of [cyclic, deep, Symbol("s"), { p: Promise.resolve(1) }]) {
          engine.register("bad", () => value);
          assert.equal((await engine.eval<unknown[]>("return pcall(bad)"))[0], false);
        }
        await assert.rejects(engine.eval("return coroutine.create(print)"), TypeError);
      }));

    it("passes functions both ways, and knows them again", () =>
      using(backend, async ({ engine }) => {
        const add = await engine.eval("return function(a, b) return soon(a) + b end");
        assert.equal(await (add as (...args: number[]) => Promise<unknown>)(1, 2), 3);
        engine.register("identity", (value: unknown) => value);
        assert.equal(await engine.eval("local f = function() end return identity(f) == f"), true);
        assert.equal(await engine.eval("identity(print) == print"), true);
        const host = (value: number): number => value * 2;
        assert.equal(await engine.apply("identity", [host]), host);
        engine.register("give", () => host);
        assert.equal(await engine.eval("local a, b = give(), give() return a == b and a(21)"), 42);
        (add as Disposable)[Symbol.dispose]();
        await assert.rejects((add as () => Promise<unknown>)(), /disposed/);
      }));

    it("forgets functions of the host that no script has any more", () =>
      using(backend, async ({ engine }) => {
        engine.register("make", () => () => 1);
        const many = "for i = 1, 20000 do make() end collectgarbage() collectgarbage()";
        await engine.eval(many);
        const before = await engine.memoryBytes();
        for (let round = 0; round < 3; round++) await engine.eval(many);
        assert.ok(
          (await engine.memoryBytes()) < before + 50_000,
          `${(await engine.memoryBytes()) - before} bytes more`,
        );
      }));

    it("throws errors of the host as values that a script can catch", () =>
      using(backend, async ({ engine }) => {
        const failure = Object.assign(new TypeError("no such thing"), { code: "ENOENT" });
        engine.register("fail", () => {
          throw failure;
        });
        engine.register("failLater", () => Promise.reject(failure));
        for (const name of ["fail", "failLater"]) {
          const caught =
            "local ok, e = pcall(" + name + ") return ok, tostring(e), e.name, e.message, e.code, 'so: ' .. e";
          assert.deepEqual(await engine.eval(caught), [
            false,
            "no such thing",
            "TypeError",
            "no such thing",
            "ENOENT",
            "so: no such thing",
          ]);
          const error = await failureOf(engine, `local function inner() ${name}() end inner()`);
          assert.equal(error.cause, failure);
          assert.equal(error.message, "no such thing");
          assert.equal(error.scriptName, "TypeError");
          assert.match(error.scriptStack, /script:1: in (local|upvalue|function) 'inner'/);
          const again = await failureOf(engine, `local ok, e = pcall(${name}) error(e)`);
          assert.equal(again.cause, failure);
        }
        assert.equal(await engine.eval("select(2, pcall(fail))"), failure);
        // What another WebAssembly module throws is no jump of Lua.
        const { Tag, Exception } = WebAssembly as unknown as Record<
          "Tag" | "Exception",
          new (...args: unknown[]) => object
        >;
        const foreign = new Exception(new Tag({ parameters: [] }), []);
        engine.register("failPlainly", () => Promise.reject(foreign));
        assert.equal(await engine.eval("select(2, pcall(failPlainly))"), foreign);
        engine.register("failPlainly", () => {
          throw foreign as Error;
        });
        assert.equal((await failureOf(engine, "failPlainly()")).cause, foreign);
        for (const thrown of ["text", 7, true]) {
          engine.register("failPlainly", () => Promise.reject(thrown));
          assert.equal(await engine.eval("select(2, pcall(failPlainly))"), thrown);
        }
      }));

    it("throws errors of any value for the host, with the script's stack", () =>
      using(backend, async ({ engine }) => {
        const text = await failureOf(engine, "local function f() error('boom') end\nf()");
        assert.equal(text.message, "script:1: boom");
        assert.equal(text.value, "script:1: boom");
        assert.match(text.scriptStack, /script:2: in main chunk/);
        const table = await failureOf(engine, "error({ code = 4 })");
        assert.deepEqual(table.value, { code: 4 });
        const shown = "error(setmetatable({}, { __tostring = function() return 'shown ' .. soon('so') end }))";
        assert.equal((await failureOf(engine, shown)).message, "shown so");
        assert.equal((await failureOf(engine, "error(nil)")).value, undefined);
        const syntax = await rejection(engine.eval("x = = 1", { fileName: "broken.lua" }));
        assert.ok(syntax instanceof ScriptError);
        assert.equal(syntax.scriptName, "SyntaxError");
        assert.equal(syntax.message, "broken.lua:1: unexpected symbol near '='");
        const inCoroutine = await failureOf(engine, "coroutine.wrap(function() soon(1) error('inside', 0) end)()");
        assert.equal(inCoroutine.message, "script:1: inside");
      }));

    it("waits inside whatever Lua calls back", () =>
      using(
        backend,
        async ({ engine }) => {
          const sources: [string, unknown][] = [
            [
              "local t = {3, 1, 2, 5, 4} table.sort(t, function(a, b) return soon(a) < soon(b) end) return t",
              [1, 2, 3, 4, 5],
            ],
            ["return (('a-b'):gsub('%w', function(c) return soon(c:upper()) end))", "A-B"],
            ["local t = setmetatable({}, {__index = function(_, k) return soon(k .. '!') end}) return t.x", "x!"],
            [
              "local t = setmetatable({}, {__add = function(a, b) return soon(b) end, __lt = function() return soon(true) end}) return {t + 3, t < t}",
              [3, true],
            ],
            [
              "local t = setmetatable({}, {__eq = function() return soon(true) end}) return t == setmetatable({}, getmetatable(t))",
              true,
            ],
            ["return select(2, pcall(pcall, error, soon('e')))", [false, "e"]],
            [
              "return pcall(function() return pcall(function() error(soon('inner'), 0) end) end)",
              [true, false, "inner"],
            ],
            [
              "return select(2, xpcall(function() error(soon('e'), 0) end, function(m) return soon(m .. ' handled') end))",
              "e handled",
            ],
            [
              "local log = {} do local c <close> = setmetatable({}, {__close = function() log[#log + 1] = soon('closed') end}) end return log[1]",
              "closed",
            ],
            [
              "local s = 0 for a in function(_, last) return soon((last or 0) < 3 and (last or 0) + 1 or nil) end do s = s + a end return s",
              6,
            ],
            [
              "local c = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(soon(i)) end end) return {c(), c(), c()}",
              [1, 2, 3],
            ],
            [
              "local log = 0 setmetatable({}, {__gc = function() log = soon(8) end}) collectgarbage() collectgarbage() return log",
              8,
            ],
            ["return load(function() local r = part part = nil return soon(r) end)()", 17],
            ["return tostring(setmetatable({}, {__tostring = function() return soon('text') end}))", "text"],
            [
              "return table.concat(setmetatable({}, {__index = function(_, i) return soon('p' .. i) end, __len = function() return soon(2) end}), ',')",
              "p1,p2",
            ],
            ["local r <const> = require 'answer' return r + require('answer')", 84],
            [
              `package.preload.greet = function(...) return { soon(1), ... } end
              local first, place = require 'greet'
              return { first, place, first == require 'greet', package.loaded.greet == first }`,
              [[1, "greet", ":preload:"], ":preload:", true, true],
            ],
          ];
          for (const [source, expected] of sources) {
            await engine.eval("part = 'return 17'");
            assert.deepEqual(await engine.eval(source), expected, source);
          }
        },
        { loadModule: async () => "return 42" },
      ));

    it("has any number of scripts wait at once, and end in any order", () =>
      using(backend, async ({ engine, open, waiting }) => {
        const source = (id: number): string => `
          local kept, waits = { ${id} }, 0
          local ok, value = pcall(function()
            local t = {3, 1, 2}
            table.sort(t, function(a, b) kept[2] = wait(${id}) waits = waits + 1 return a < b end)
            return kept[2]
          end)
          return { ok, value, kept[1], waits > 1, #kept }`;
        const results = Array.from({ length: 200 }, (_, id) => engine.eval(source(id)));
        await turn();
        assert.equal(waiting.size, 200);
        for (let round = 0; waiting.size > 0; round++) {
          const order = [...waiting.keys()].toSorted((a, b) => ((a * 7919 + round) % 211) - ((b * 7919 + round) % 211));
          for (const id of order) {
            open(id, id * 2);
            if (id % 5 === 0) await turn();
          }
          await engine.eval("local t = {} for i = 1, 100 do t[i] = {i} end collectgarbage('step')");
        }
        assert.deepEqual(
          await Promise.all(results),
          Array.from({ length: 200 }, (_, id) => [true, id * 2, id, true, 2]),
        );
      }));

    it("lets the host call functions of the script that waits for it", () =>
      using(backend, async ({ engine }) => {
        engine.register("twice", async (callee: (value: unknown) => Promise<unknown>, value: unknown) => {
          await turn();
          return callee(await callee(value));
        });
        assert.equal(await engine.eval("twice(function(x) return soon(x) * 3 end, 2)"), 18);
        const nested =
          "local function f(n) if n == 0 then return 1 end return twice(function(x) return x end, f(n - 1)) end return f(20)";
        assert.equal(await engine.eval(nested), 1);
        const error = await failureOf(engine, "twice(function() error('from below', 0) end, 1)");
        assert.equal(error.message, "from below");
        assert.ok(error.cause instanceof ScriptError);
      }));

    it("lets nobody resume or close the thread of another script, whether it waits or has ended", () =>
      using(backend, async ({ engine, open }) => {
        const waiting = engine.eval("other = coroutine.running() return wait(1) + 1");
        await turn();
        const touched = "coroutine.status(other), coroutine.resume(other)";
        const closed = "select(2, pcall(coroutine.close, other))";
        assert.deepEqual(await engine.eval(touched), ["normal", false, "cannot resume non-suspended coroutine"]);
        assert.match(await engine.eval<string>(closed), /cannot close a normal coroutine/);
        assert.match(await engine.eval<string>("debug.traceback(other)"), /in function 'wait'/);
        open(1, 41);
        assert.equal(await waiting, 42);
        assert.deepEqual(await engine.eval(touched), ["dead", false, "cannot resume dead coroutine"]);
        assert.equal(await engine.eval(closed), true);
        await failureOf(engine, "other = coroutine.running() error({})");
        assert.deepEqual(await engine.eval(touched), ["dead", false, "cannot resume dead coroutine"]);
      }));

    it("takes away what reaches out of the engine", () =>
      using(backend, async ({ engine }) => {
        const gone =
          "return { io, package.loadlib, package.cpath, dofile, loadfile, os.exit, os.execute, os.remove, debug.sethook, debug.getregistry }";
        assert.deepEqual(await engine.eval(gone), {});
        assert.deepEqual(await engine.eval("return load(string.dump(function() end))"), [
          undefined,
          "attempt to load a binary chunk (mode is 't')",
        ]);
        assert.equal(await engine.eval("load('return x', 'chunk', 't', { x = 3 })()"), 3);
        assert.equal(await engine.eval("debug.getinfo(1, 'f').func"), undefined);
        assert.equal(await engine.eval("getmetatable(select(2, pcall(pass, coroutine.create(print))))"), false);
      }));

    it("tells the time", () =>
      using(backend, async ({ engine }) => {
        const now = (await engine.eval("os.time()")) as number;
        assert.ok(Math.abs(now - Date.now() / 1000) < 5);
        const format = "%a %A %b %B %c %d %e %F %H %I %j %m %M %p %S %T %u %U %V %w %W %x %y %Y %%";
        const expected =
          "Sat Saturday Feb February Sat Feb 29 13:05:09 2020 29 29 2020-02-29 13 01 060 02 05 PM 09 13:05:09 6 08 09 6 08 02/29/20 20 2020 %";
        assert.equal(await engine.eval(`os.date("!${format}", 1582981509)`), expected);
        const local = new Date(2024, 0, 31, 12, 0, 0).getTime() / 1000;
        assert.equal(await engine.eval("os.time({ year = 2023, month = 13, day = 31, hour = 12 })"), local);
        assert.equal(await engine.eval("os.date('*t', os.time({ year = 2024, month = 1, day = 31 })).yday"), 31);
        assert.equal(await engine.eval("os.getenv('HOME')"), undefined);
      }));

    it("prints", () =>
      using(backend, async ({ engine, printed }) => {
        await engine.eval(
          "print('a', 1, nil, 2.5, setmetatable({}, { __tostring = function() return soon('waited') end })) print()",
        );
        assert.deepEqual(printed, ["a\t1\tnil\t2.5\twaited", ""]);
      }));
  });
}
