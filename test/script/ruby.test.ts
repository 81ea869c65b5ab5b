/** Ruby as a script engine: what other languages do not have, or do otherwise. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ScriptEngine, ScriptError } from "stackful/script";
import { ruby } from "stackful/script/ruby";
import { check, never, rejection, sleep } from "./harness.ts";
import { findInstalled } from "./installed-engine.ts";
import { rubySources } from "./ruby-sources.ts";
import { languageSuite } from "./suite.ts";

const wasm = findInstalled("@ruby/3.4-wasm-wasi/dist/ruby+stdlib.wasm");
const language = {
  name: "Ruby",
  make: () => ruby({ wasm }),
  sources: rubySources,
  overflow: /stack level too deep/,
  skips: new Map([["of the memory", "Ruby ends its process when it has no memory left to say so"]]),
  isLarge: true,
};

const nothingFound = new Error("nothing found");
const MODULES: Readonly<Record<string, string>> = {
  counter: "$count = ($count || 0) + later(2, 1)\ndef counted = $count",
  failing: "raise 'mine'",
  endless: "loop {}",
};
const loadModule = async (name: string): Promise<string> => {
  await sleep(1);
  const source = MODULES[name];
  if (source === undefined) throw nothingFound;
  return source;
};

/** Each a script with its value: what counts loops must not change them. */
const COUNTED: readonly (readonly [source: string, value: unknown])[] = [
  ["x = 0; x += 1 while x < 3; x", 3],
  ["x = 5; begin; x += 1; end while x < 3; x", 6],
  ["x = 0; x += 1 until x == 2; x", 2],
  ["def twice(x) = x * 2\ntwice(2)", 4],
  ["def nothing; end\nnothing", null],
  ["[1, 2].map {}", [null, null]],
  ["[1, 2].map do |x| end", [null, null]],
  ["->(){}.call", null],
  ["[1, 2].map { it + 1 }", [2, 3]],
  ["for i in 1..3 do end; i", 3],
  ["i = 0; while (i += 1) < 3; end; i", 3],
  ["[1].map { |x| <<~TEXT }\n  text #{x}\nTEXT\n", ["text 1\n"]],
  ["def m\n  yield 1\nrescue\n  2\nensure\n  3\nend\nm { |x| x }", 1],
  ['"grüße #{[1].map { |x| x + 1 }.first}"', "grüße 2"],
  ["x = [3].each_with_index.map { |(a), b| a + b }; x", [3]],
  ["# 😀\n[1].each { |x| x }.size", 1],
];

if (wasm === undefined) {
  it("runs Ruby", { skip: "@ruby/3.4-wasm-wasi is not installed: 90 MB, see test/programs/packages" });
} else {
  languageSuite(language);
  describe("Ruby: values", values);
  describe("Ruby: errors", errors);
  describe("Ruby: scripts", scripts);
  describe("Ruby: stopping", stopping);
}

function values(): void {
  check(language, "that cannot be written leave the engine as it is", async (engine) => {
    const sources = [
      'raise "\\xff"',
      "list = 1; 500.times { list = [list] }; list",
      'class Mute < StandardError; def message = raise("x"); end; raise Mute',
    ];
    for (const source of sources) {
      assert.ok((await rejection(engine.eval(source))) instanceof ScriptError, source);
      assert.equal(await engine.eval("1 + 1"), 2, source);
    }
  });

  check(language, "that JSON does not have", async (engine) => {
    await engine.eval(rubySources.functions);
    const map = new Map<unknown, unknown>([[1, "one"]]);
    assert.deepEqual(await engine.call("same", map), map);
    assert.deepEqual(await engine.call("same", new Set([1, 2])), new Set([1, 2]));
    assert.deepEqual(await engine.call("same", new Date(5)), new Date(5));
    assert.deepEqual(await engine.eval("[:symbol, { a: 1 }, 1..3, [255].pack('C'), 2 ** 64, nil]"), [
      "symbol",
      { a: 1 },
      [1, 2, 3],
      new Uint8Array([255]),
      2n ** 64n,
      null,
    ]);
    assert.deepEqual(await engine.eval("Struct.new(:a).new(1)"), { a: 1 });
    assert.deepEqual(await engine.eval('{ "\\xff" => 1 }'), new Map([[new Uint8Array([255]), 1]]));
    assert.match(JSON.stringify(await engine.eval("a = []; 200.times { a = [a] }; a")), /^\[{201}\]{201}$/);
  });

  check(language, "that cannot cross", async (engine) => {
    assert.match(((await rejection(engine.eval("Object.new"))) as Error).message, /Cannot pass a Object/);
    assert.match(((await rejection(engine.eval("o = []; o << o; o"))) as Error).message, /itself/);
    assert.match(((await rejection(engine.eval("(1..)"))) as Error).message, /without an end/);
  });
}

function errors(): void {
  check(language, "have their name, message and stack", async (engine) => {
    const source = "class Mine < StandardError; end\ndef thrower\n  raise Mine, 'mine'\nend\nthrower";
    const error = await rejection(engine.eval(source, { fileName: "plugin.rb" }));
    assert.ok(error instanceof ScriptError);
    assert.deepEqual([error.scriptName, error.message], ["Mine", "mine"]);
    assert.match(error.scriptStack, /^plugin.rb:3:in '.*thrower'\nplugin.rb:5:in '<main>'$/);
    assert.equal(((await rejection(engine.eval("def = ("))) as ScriptError).scriptName, "SyntaxError");
  });

  check(language, "of the host have its fields, and are found behind others", async (engine) => {
    const source = "begin; fail('no'); rescue HostError => e; [e.name, e.code, e.message]; end";
    assert.deepEqual(await engine.eval(source), ["RangeError", "E_NO", "no"]);
    const error = (await rejection(engine.eval("begin; fail('no'); rescue; raise 'mine'; end"))) as ScriptError;
    assert.ok(error.cause instanceof RangeError);
    assert.equal(error.scriptName, "RuntimeError");
  });

  check(language, "have those behind them as their cause", async (engine) => {
    const error = (await rejection(engine.eval("begin; 1 / 0; rescue; raise 'mine'; end"))) as ScriptError;
    assert.equal((error.cause as ScriptError).scriptName, "ZeroDivisionError");
  });
}

function scripts(): void {
  check(language, "have the values that they have", async (engine) => {
    for (const [source, value] of COUNTED) assert.deepEqual(await engine.eval(source), value, source);
  });

  check(language, "wait within fibers of their own", async (engine) => {
    // Variables of the top level are those of all scripts.
    const source = (name: string): string => `
      ${name} = Enumerator.new { |y| 3.times { |i| y << later(1, i) } }
      [${name}.next, later(1, 7), ${name}.next, ${name}.next]`;
    const results = await Promise.all([engine.eval(source("a")), engine.eval(source("b")), engine.eval("later(2, 1)")]);
    assert.deepEqual(results, [[0, 7, 1, 2], [0, 7, 1, 2], 1]);
  });

  check(
    language,
    "require what the host has, once",
    async (engine) => {
      const source = "require 'json'; require 'counter'; [require('counter'), counted, JSON.generate([1])]";
      assert.deepEqual(await Promise.all([engine.eval(source), engine.eval(source)]), [
        [false, 1, "[1]"],
        [false, 1, "[1]"],
      ]);
      const missing = (await rejection(engine.eval("require 'missing'"))) as ScriptError;
      assert.deepEqual([missing.scriptName, missing.cause], ["LoadError", nothingFound]);
      assert.equal(
        await engine.eval("begin; require 'missing'; rescue LoadError => e; e.message; end"),
        "cannot load such file -- missing",
      );
      const failing = (): Promise<unknown> => rejection(engine.eval("require 'failing'"));
      assert.deepEqual([await failing(), await failing()].map(String), ["ScriptError: mine", "ScriptError: mine"]);
      const endless = await rejection(engine.eval("require 'endless'", { timeoutMs: 20 }));
      assert.equal((endless as Error).name, "TimeoutError");
    },
    { loadModule },
  );

  check(language, "print line by line", async () => {
    const printed: string[] = [];
    const engine = await ScriptEngine.create(ruby({ wasm }), { print: (text) => printed.push(text) });
    await engine.eval("puts 'one', 2\nprint \"three\\nfour\\n\"\nwarn 'error'");
    await engine.close();
    assert.deepEqual(printed, ["one", "2", "three", "four", "error"]);
  });

  check(language, "go on while another one computes", async (engine) => {
    const controller = new AbortController();
    const endless = rejection(engine.eval("loop {}", { signal: controller.signal }));
    assert.equal(await engine.eval("later(1, 1) + later(1, 2)"), 3);
    await engine.eval("20.times { later(0) }");
    controller.abort("enough");
    assert.equal(await endless, "enough");
  });

  check(language, "sleep beside each other", async (engine) => {
    const started = performance.now();
    await Promise.all([1, 2, 3].map(() => engine.eval("sleep 0.3")));
    assert.ok(performance.now() - started < 850);
  });

  check(language, "run on a thread", async () => {
    const engine = await ScriptEngine.create(ruby({ wasm }), { thread: true });
    engine.register("later", (value: unknown) => sleep(1).then(() => value));
    try {
      assert.deepEqual(await Promise.all([1, 2].map((n) => engine.eval(`later(${n})`))), [1, 2]);
      const error = await rejection(engine.eval("loop {}", { timeoutMs: 30 }));
      assert.equal((error as Error).name, "TimeoutError");
      assert.equal(await engine.eval("later(3)"), 3);
    } finally {
      await engine.close();
    }
  });
}

/** What keeps what stops a script from leaving it. */
const STUBBORN: readonly string[] = [
  "while true do begin; loop {}; rescue Exception; end end",
  "def f\n  loop {}\nensure\n  return 1\nend\nwhile true do f end",
  "loop { begin; 1 while true; rescue Exception; ensure; loop {}; end }",
  "Fiber.new { begin; loop {}; rescue Exception; loop {}; end }.resume",
  "[2, 1].sort { loop {} }",
  "catch(:done) { loop { catch(:other) { loop {} } } }",
];

function stopping(): void {
  check(language, "scripts that catch everything", async (engine) => {
    for (const source of STUBBORN) {
      const error = await rejection(engine.eval(source, { timeoutMs: 50 }));
      assert.equal((error as Error).name, "TimeoutError", source);
      assert.equal(await engine.eval("1 + 1"), 2, source);
    }
  });

  check(language, "turns of a loop that take long, behind one whose turns do not", async (engine) => {
    const source = "300_000.times {}; loop { 'a' * 10_000_000 }";
    const error = await rejection(engine.eval(source, { timeoutMs: 150 }));
    assert.equal((error as Error).name, "TimeoutError");
    assert.equal(await engine.eval("1 + 1"), 2);
  });

  check(language, "what cannot be stopped ends the engine", async (engine) => {
    const controller = new AbortController();
    engine.register("begin_", () => void setTimeout(() => controller.abort("enough")));
    engine.register("forever", never);
    const waiting = rejection(engine.eval("forever()"));
    assert.equal(
      await rejection(engine.eval("begin_; eval('while true do end')", { signal: controller.signal })),
      "enough",
    );
    assert.match(((await waiting) as Error).message, /its Ruby has ended/);
    assert.match(((await rejection(engine.eval("1"))) as Error).message, /its Ruby has ended/);
  });
}
