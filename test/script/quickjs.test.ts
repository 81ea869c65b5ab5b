import assert from "node:assert/strict";
import { describe } from "node:test";
import { ScriptEngine, ScriptError } from "stackful/script";
import { quickjs } from "stackful/script/quickjs";
import { check, checkHere, never, rejection, sleep } from "./harness.ts";
import { javascript } from "./javascript.ts";
import { languageSuite } from "./suite.ts";

const language = { name: "QuickJS", make: () => quickjs(), sources: javascript };

languageSuite(language);

describe("QuickJS: promises of scripts", () => {
  checkHere(language, "are waited for", async (engine) => {
    assert.equal(await engine.eval("(async () => { await null; return later(1, 7); })()"), 7);
    assert.equal(await engine.eval("Promise.all([1, Promise.resolve(2)]).then((all) => all.length)"), 2);
    assert.equal(await engine.eval("async function twice(n) { return (await n) * 2 } twice(2)"), 4);
    assert.equal(await engine.call("twice", 4), 8);
  });

  checkHere(language, "reject", async (engine) => {
    const error = await rejection(engine.eval("Promise.reject(new RangeError('out'))"));
    assert.ok(error instanceof ScriptError);
    assert.deepEqual([error.scriptName, error.message], ["RangeError", "out"]);
    assert.equal(((await rejection(engine.eval("Promise.reject(7)"))) as ScriptError).value, 7);
  });

  checkHere(language, "are settled by later calls", async (engine) => {
    const result = engine.eval("let settle; new Promise((resolve) => (settle = resolve))");
    await sleep(1);
    await engine.eval("settle({ a: 1 })");
    assert.deepEqual(await result, { a: 1 });
  });

  checkHere(language, "that nobody settles end with their limit", async (engine) => {
    const error = await rejection(engine.eval("new Promise(() => {})", { timeoutMs: 10 }));
    assert.equal((error as Error).name, "TimeoutError");
  });

  checkHere(language, "do what is left before the evaluation ends", async (engine, notes) => {
    await engine.eval("Promise.resolve().then(() => note('job')); note('script')");
    assert.deepEqual(notes, ["script", "job"]);
  });

  checkHere(language, "cannot loop for ever", async (engine) => {
    const source = "const again = () => Promise.resolve().then(again); again()";
    const error = await rejection(engine.eval(source, { timeoutMs: 50 }));
    assert.equal((error as Error).name, "TimeoutError");
  });
});

describe("QuickJS: errors", () => {
  checkHere(language, "are each script's own, when many are thrown at once", async (engine) => {
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    engine.register("gate", () => gate);
    const scripts = Array.from({ length: 50 }, async (_, number) => {
      const source = `gate(); try { throw new Error("inner") } catch { gate() } throw new Error("of ${number}")`;
      return ((await rejection(engine.eval(source))) as Error).message;
    });
    open();
    assert.deepEqual(
      await Promise.all(scripts),
      scripts.map((_, number) => `of ${number}`),
    );
  });

  check(language, "have their name, message, stack and fields", async (engine) => {
    const source = "function thrower() { throw Object.assign(new TypeError('mine'), { code: 7 }) } thrower()";
    const error = await rejection(engine.eval(source, { fileName: "plugin.js" }));
    assert.ok(error instanceof ScriptError);
    assert.deepEqual([error.scriptName, error.message], ["TypeError", "mine"]);
    assert.equal((error as { readonly code?: unknown }).code, 7);
    assert.match(error.scriptStack, /thrower \(plugin\.js/);
    assert.doesNotMatch(error.scriptStack, /stackful/);
    assert.equal(error.value, error);
  });

  check(language, "of any type", async (engine) => {
    for (const [source, value] of [
      ["'text'", "text"],
      ["null", null],
      ["{ a: 1 }", { a: 1 }],
      ["undefined", undefined],
    ] as const) {
      const error = await rejection(engine.eval(`throw ${source === "{ a: 1 }" ? "({ a: 1 })" : source}`));
      assert.ok(error instanceof ScriptError);
      assert.deepEqual(error.value, value);
    }
  });

  check(language, "in the text of a script", async (engine) => {
    const error = await rejection(engine.eval("let = = 1"));
    assert.equal((error as ScriptError).scriptName, "SyntaxError");
  });

  check(language, "of the host are of their class, and keep their fields", async (engine) => {
    const source =
      "try { fail('no') } catch (e) { [e instanceof RangeError, e.name, e.code, e.stack.includes('script')] }";
    assert.deepEqual(await engine.eval(source), [true, "RangeError", "E_NO", true]);
  });

  check(language, "of the host that are no errors", async (engine) => {
    engine.register("throwText", async () => Promise.reject("text")); // oxlint-disable-line prefer-promise-reject-errors
    assert.equal(await engine.eval("try { throwText() } catch (e) { e }"), "text");
  });

  check(language, "as values", async (engine) => {
    const error = await engine.eval("new EvalError('value')");
    assert.ok(error instanceof ScriptError);
    assert.equal(error.scriptName, "EvalError");
  });

  check(language, "while others wait have the stack of their own script", async (engine) => {
    const body = (index: number): string => `
      function level${index}(n) {
        later(${(index * 7) % 11});
        if (n > 0) return level${index}(n - 1);
        try { null.field; } catch (error) { return error.stack; }
      }
      later(1, level${index}(${index % 5}))`;
    const stacks = await Promise.all(Array.from({ length: 50 }, (_, index) => engine.eval(body(index))));
    for (const [index, stack] of stacks.entries()) {
      const names = String(stack).match(/level\d+/g) ?? [];
      assert.deepEqual(
        names,
        Array.from({ length: (index % 5) + 1 }, () => `level${index}`),
      );
    }
  });

  check(language, "of several reasons have them", async (engine) => {
    const reasons = [new RangeError("one"), "two"];
    engine.register("failAll", () => Promise.any(reasons.map((reason) => Promise.reject(reason))));
    const read = "e instanceof AggregateError && [e.errors[0] instanceof RangeError, e.errors[0].message, e.errors[1]]";
    assert.deepEqual(await engine.eval(`try { failAll() } catch (e) { ${read} }`), [true, "one", "two"]);
    const own = "Promise.any([Promise.reject(new TypeError('one')), Promise.reject(2)])";
    const error = (await rejection(engine.eval(own))) as ScriptError & { readonly errors: readonly unknown[] };
    assert.deepEqual(
      [error.scriptName, String(error.errors[0]), error.errors[1]],
      ["AggregateError", "ScriptError: one", 2],
    );
  });
});

describe("QuickJS: values", () => {
  checkHere(language, "that JSON does not have", async (engine) => {
    await engine.eval(javascript.functions);
    const value = [undefined, new Date(5), new Map<unknown, unknown>([["a", new Set([1n])]]), [Number.NaN, -0], null];
    assert.deepEqual(await engine.call("same", value), value);
    assert.deepEqual(await engine.call("same", "half \u{D800}"), "half \u{D800}");
    assert.deepEqual(
      await engine.call("same", JSON.parse('{"__proto__": 1, "$": [2]}')),
      JSON.parse('{"__proto__": 1, "$": [2]}'),
    );
  });

  checkHere(language, "are read with their getters, which may wait", async (engine, notes) => {
    assert.deepEqual(await engine.eval("({ get slow() { return later(1, 5) }, fast: 1 })"), { slow: 5, fast: 1 });
    await engine.eval("note({ get slow() { return later(1, 5) } })");
    assert.deepEqual(notes, [{ slow: 5 }]);
    await engine.eval(`
      const mine = new Error("mine");
      try { note({ get slow() { later(1); throw mine } }) } catch (error) { note(error === mine) }`);
    assert.deepEqual(notes, [{ slow: 5 }, true]);
  });

  checkHere(language, "that cannot cross", async (engine) => {
    assert.match(((await rejection(engine.eval("Symbol('s')"))) as Error).message, /symbol/);
    assert.match(((await rejection(engine.eval("const o = {}; o.o = o; o"))) as Error).message, /itself/);
    assert.match(((await rejection(engine.eval("note(Promise.resolve())"))) as Error).message, /promise/);
  });
});

describe("QuickJS: modules", () => {
  const sources: Readonly<Record<string, string>> = {
    "lib/one.js": "import { two } from './two.js'; export const one = two - 1;",
    "lib/two.js": "export const two = later(1, 2);",
  };
  const loadModule = async (name: string): Promise<string> => {
    await sleep(1);
    const source = sources[name];
    if (source === undefined) throw new Error(`no module ${name}`);
    return source;
  };

  check(
    language,
    "are loaded by the host, which may take its time",
    async (engine) => {
      const source = "import { one } from './lib/one.js'; export const result = one; export default later(1, 'x');";
      assert.deepEqual(await engine.eval(source, { module: true, fileName: "main.js" }), { default: "x", result: 1 });
      assert.equal(await engine.eval("import('lib/two.js').then((m) => m.two)"), 2);
      const error = await rejection(engine.eval("import 'missing'", { module: true }));
      assert.match((error as Error).message, /no module missing|missing/);
    },
    { loadModule },
  );

  check(language, "need somebody who loads them", async (engine) => {
    const error = await rejection(engine.eval("import 'a'", { module: true }));
    assert.match((error as Error).message, /loadModule|'a'/);
  });
});

/** Each takes another way through the engine, with more or less of its own stack and of the native one. */
const ENDLESS_NESTING: readonly string[] = [
  "[".repeat(100_000),
  "(".repeat(100_000),
  "[...".repeat(10_000),
  "JSON.parse('['.repeat(1e6))",
  "JSON.stringify((() => { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a })())",
  "new RegExp('(?:'.repeat(1e5))",
  "eval('1' + '+1'.repeat(1e5))",
  "eval('-'.repeat(1e5) + 1)",
  "let f = () => 1; for (let i = 0; i < 1e5; i++) f = f.bind(); f()",
  "(function f() { [1].map(f) })()",
  "(function f() { [2, 1].sort(f) })()",
  "(function f() { 'a'.replace(/a/, f) })()",
  "(function f() { new Proxy({}, { get: f }).x })()",
  "(function f() { JSON.stringify({ toJSON: f }) })()",
  "(function f() { f.apply(null, []) })()",
  "(function f() { eval('f()') })()",
  "let o = { toString() { return '' + this } }; '' + o",
  "(function* g() { yield* g() })().next()",
  "(async function f() { await f() })()",
  "class A { constructor() { new A } } new A",
  "(function f() { Reflect.construct(f, []) })()",
  "(function f() { for (const x of { [Symbol.iterator]: f }); })()",
  "(function f(...a) { f(...a, 1) })()",
  "(function f() { `${{ toString: f }}` })()",
  "(function f() { Promise.resolve({ get then() { f() } }) })()",
];

describe("QuickJS: functions that scripts leave behind", () => {
  check(language, "cost who calls them, not the script that has ended", async (engine, notes) => {
    // In the asynchronous context of the script: a subscription of the host is made like that.
    engine.register("repeat", (callee: () => Promise<unknown>) => {
      const timer = setInterval(() => {
        clearInterval(timer);
        callee().then(
          (value) => notes.push(value),
          (error: unknown) => notes.push(error),
        );
      }, 20);
    });
    const work = "(() => { for (let i = 0; i < 60_000; i++); return 'done' })";
    await engine.eval(`repeat(${work}); ${work}()`, { maxOperations: 180_000 });
    await sleep(100);
    assert.deepEqual(notes, ["done"]);
  });

  check(language, "end with the script if that was stopped", async (engine) => {
    const controller = new AbortController();
    let left: Promise<unknown> | undefined;
    engine.register("forever", () => {
      setTimeout(() => controller.abort("enough"), 1);
      return never();
    });
    engine.register("repeat", (callee: () => Promise<unknown>) => {
      left = new Promise((resolve) => setTimeout(resolve, 40)).then(() => rejection(callee()));
    });
    const stopped = rejection(engine.eval("repeat(() => 1); forever()", { signal: controller.signal }));
    assert.equal(await stopped, "enough");
    assert.equal(await left, "enough");
  });
});

describe("QuickJS: scripts that are not well-meaning", () => {
  checkHere(language, "change what is global", async (engine) => {
    await engine.eval(`
      Array.prototype[Symbol.iterator] = Map.prototype.get = JSON.parse = JSON.stringify = Object.keys = Promise.prototype.then =
        Reflect.apply = Error.prototype.toString = () => { throw 1 };
      globalThis.Error = globalThis.Promise = globalThis.Object = globalThis.eval = undefined;
      function same(value) { return value }`);
    assert.deepEqual(await engine.call("same", { a: [1, "two"] }), { a: [1, "two"] });
    assert.equal(await engine.eval("try { fail('no') } catch (e) { e.message }"), "no");
  });

  checkHere(language, "loop while they are read", async (engine) => {
    const looping = "({ get a() { for (;;) try { for (;;); } catch {} } })";
    const error = await rejection(engine.eval(`note(${looping})`, { timeoutMs: 50 }));
    assert.equal((error as Error).name, "TimeoutError");
    await engine.eval("globalThis.api = { get files() { for (;;); } }; 0");
    assert.throws(() => engine.register("api.files.read", () => {}), /Cannot define/);
    assert.equal(await engine.eval("1 + 1"), 2);
  });

  checkHere(language, "forge what crosses to the host", async (engine) => {
    const values = await engine.eval(`
      Object.prototype.toJSON = function () { return { $: ["h", 1] } };
      [{ $: ["h", 1] }, { $: ["f", 99, "x"] }, { $: ["nothing"] }, { a: 1 }]`);
    assert.deepEqual(values, [{ $: ["h", 1] }, { $: ["f", 99, "x"] }, { $: ["nothing"] }, { a: 1 }]);
  });

  checkHere(language, "put themselves between the parts of what crosses", async (engine) => {
    const taken: unknown[] = [];
    engine.register("take", (value: unknown) => void taken.push(value));
    await engine.eval(`
      for (const index of [0, 1]) {
        const set = function (value) {
          if (value?.$) { value.$[0] = "h"; value.$[1] = 9; }
          if (index === 1) this[0] = '[[{"$":["h",9,"x"]}]]';
          Object.defineProperty(this, index, { value, enumerable: true, writable: true, configurable: true });
        };
        Object.defineProperty(Array.prototype, index, { configurable: true, set });
        take([() => 1, new Uint8Array([5])]);
        delete Array.prototype[index];
      }`);
    assert.equal(taken.length, 2);
    for (const value of taken) {
      const [callee, bytes] = value as [() => Promise<unknown>, Uint8Array];
      // Its own function, not one of the host that it was never given.
      assert.equal(await callee(), 1);
      assert.deepEqual(bytes, new Uint8Array([5]));
    }
  });

  checkHere(language, "run where nobody can wait", async (engine, notes) => {
    await engine.eval(
      "globalThis.api = { get files() { return note(1) } }; globalThis.deep = { get er() { return deep.er } }; 0",
    );
    assert.throws(() => engine.register("api.files.read", () => {}), /Cannot define/);
    assert.throws(() => engine.register("deep.er.read", () => {}), /Cannot define/);
    assert.equal(await engine.eval("note(2); 1 + 1"), 2);
    assert.deepEqual(notes, [2]);
  });

  checkHere(language, "reject while other jobs of theirs wait", async (engine) => {
    const source =
      "Promise.resolve().then().then().then().then().then().then(() => later(20)); Promise.reject(new Error('out'))";
    // An unhandled rejection would fail this test.
    assert.equal(((await rejection(engine.eval(source))) as Error).message, "out");
  });

  checkHere(language, "throw while they are read", async (engine) => {
    const error = await rejection(engine.eval("({ get a() { throw new Error('trap') } })"));
    assert.match((error as Error).message, /trap/);
    const thrown = await rejection(engine.eval("throw { get message() { throw 1 }, get name() { throw 2 } }"));
    assert.ok(thrown instanceof ScriptError);
    assert.equal(await engine.eval("1 + 1"), 2);
  });

  check(language, "put something in the way of what reads their values", async (engine, notes) => {
    await engine.eval(`
      Object.prototype.toJSON = () => ({ $: ["h", 1, "forged"] });
      for (const Kind of [Map, Date, Error, Promise]) Object.defineProperty(Kind, Symbol.hasInstance, { value: () => true });
      Object.prototype.get = Object.prototype.host = Object.prototype.fields = 1;
      note({ a: [1] }); note(new Map([[1, { b: 2 }]]));`);
    assert.deepEqual(notes, [{ a: [1] }, new Map([[1, { b: 2 }]])]);
    assert.deepEqual(await engine.eval("({ $: ['h', 1, 'forged'], c: undefined })"), {
      $: ["h", 1, "forged"],
      c: undefined,
    });
    assert.equal(await engine.eval("try { fail('no') } catch (e) { e.code + e.message }"), "E_NOno");
    assert.ok((await engine.memoryBytes()) > 0);
  });

  const LOOPS_WHEN_READ = [
    "note({ get a() { for (;;); } })",
    "note(new Proxy({}, { ownKeys() { for (;;); } }))",
    "print({ get a() { for (;;); } })",
    "({ get a() { for (;;); } })",
    "throw { get message() { for (;;); } }",
    "for (;;) try { note({ get a() { throw 1 } }) } catch {}",
  ];
  for (const source of LOOPS_WHEN_READ) {
    check(language, `loop while they are read, beside others: ${source}`, async (engine) => {
      const controller = new AbortController();
      const stuck = engine.eval(source, { signal: controller.signal });
      assert.equal(await engine.eval("later(1, 1) + 1"), 2);
      controller.abort(new Error("stop"));
      assert.equal(((await rejection(stuck)) as Error).message, "stop");
    });
  }

  check(language, "pass what the host would take for a promise", async (engine, notes) => {
    const thenable = "({ then(resolve) { note('called'); resolve(7) } })";
    for (const source of [thenable, `[${thenable}]`, `note(${thenable})`, `Promise.resolve([${thenable}])`]) {
      assert.match(((await rejection(engine.eval(source))) as Error).message, /taken for a promise/, source);
    }
    assert.deepEqual(notes, []);
    assert.equal(JSON.stringify(await engine.eval("({ then: 1 })")), '{"then":1}');
  });

  check(
    language,
    "throw when there is no memory even for an error",
    async (engine) => {
      const error = await rejection(engine.eval("(() => { const kept = []; for (;;) kept.push([kept.length]); })()"));
      assert.ok(error instanceof ScriptError);
      assert.match(error.message, /out of memory/);
      assert.equal(await engine.eval("1 + 1"), 2);
    },
    { maxMemoryBytes: 8 << 20 },
  );

  for (const source of ENDLESS_NESTING) {
    const title = source.length > 60 ? `${source.slice(0, 10)}…` : source;
    checkHere(language, `nest without end: ${title}`, async (engine) => {
      const result = await engine.eval(source, { timeoutMs: 2000 }).catch((error: unknown) => error);
      if (result instanceof ScriptError) assert.match(result.message, /overflow|memory/);
      // Neither was the engine cut off in the middle of anything.
      assert.equal(await engine.eval("1 + 1"), 2);
    });
  }

  checkHere(language, "are too deep for the host", async (engine) => {
    assert.ok((await rejection(engine.eval("let a = []; for (let i = 0; i < 1e5; i++) a = [a]; a"))) instanceof Error);
    assert.equal(await engine.eval("1 + 1"), 2);
  });

  checkHere(language, "match for ever", async (engine) => {
    const error = await rejection(engine.eval("/(a+)+$/.test('a'.repeat(40) + 'b')", { timeoutMs: 50 }));
    assert.equal((error as Error).name, "TimeoutError");
    assert.equal(await engine.eval("1 + 1"), 2);
  });
});

describe("QuickJS: printing", () => {
  const lines: string[] = [];
  check(
    language,
    "goes to the host",
    async (engine) => {
      lines.length = 0;
      await engine.eval("print('a', 1, { b: [2] }); console.error(undefined, null)");
      // What a thread prints is a message.
      await sleep(5);
      assert.deepEqual(lines, ['a 1 {"b":[2]}', "undefined null"]);
    },
    { print: (line) => lines.push(line) },
  );
});

describe("ScriptEngine.create()", () => {
  checkHere(language, "refuses options that are none", async () => {
    const create = (options: object): Promise<unknown> => rejection(ScriptEngine.create(quickjs(), options));
    assert.match(String(await create({ timeout: 5 })), /unknown option timeout/);
    assert.match(String(await create({ timeoutMs: -1 })), /RangeError.*timeoutMs/);
    assert.match(String(await create({ maxMemoryBytes: 0.5 })), /RangeError.*maxMemoryBytes/);
    assert.match(String(await create({ onProgress: 1 })), /TypeError.*onProgress/);
    assert.match(String(await rejection(ScriptEngine.create({} as never))), /quickjs\(\)/);
  });

  checkHere(language, "makes engines that refuse what makes no sense", async (engine) => {
    assert.throws(() => engine.register("1a", () => {}), /identifier/);
    assert.throws(() => engine.register("a", 1 as never), /function/);
    assert.match(String(await rejection(engine.eval(1 as never))), /TypeError/);
    assert.match(String(await rejection(engine.eval("1", { signals: 1 } as never))), /unknown option/);
    assert.match(String(await rejection(engine.call("not a name"))), /identifier/);
  });
});
