/** Python as a script engine: what other languages do not have, or do otherwise. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { ScriptEngine, ScriptError } from "stackful/script";
import type { ScriptFunction } from "stackful/script";
import { python } from "stackful/script/python";
import { check, never, rejection, sleep } from "./harness.ts";
import { pythonSources } from "./python-sources.ts";
import { languageSuite } from "./suite.ts";

const language = {
  name: "Python",
  make: () => python(),
  sources: pythonSources,
  overflow: /maximum recursion depth exceeded/,
  memoryBytes: 40_000_000,
  isLarge: true,
  skips: process.versions.node.startsWith("20.")
    ? new Map([["a thousand of them", "V8 of Node 20 collects garbage whenever a memory grows: it takes 13 s"]])
    : new Map<string, string>(),
};
languageSuite(language);

describe("Python: values", () => {
  check(language, "that JSON does not have", async (engine) => {
    await engine.eval(pythonSources.functions);
    const map = new Map<unknown, unknown>([[1, "one"]]);
    assert.deepEqual(await engine.call("same", map), map);
    assert.deepEqual(await engine.call("same", new Set([1, 2])), new Set([1, 2]));
    assert.deepEqual(await engine.call("same", new Date(5)), new Date(5));
    assert.equal(await engine.call("same", undefined), null);
    assert.equal(await engine.call("same", "half \u{D800}"), "half \u{D800}");
    assert.deepEqual(await engine.eval("(1, range(3), b'\\x00\\xff', 2 ** 64)"), [
      1,
      [0, 1, 2],
      new Uint8Array([0, 255]),
      2n ** 64n,
    ]);
  });

  check(language, "that cannot cross", async (engine) => {
    assert.match(((await rejection(engine.eval("object()"))) as Error).message, /Cannot pass a object/);
    assert.match(((await rejection(engine.eval("o = []\no.append(o)\no"))) as Error).message, /itself/);
    assert.equal(await engine.eval("1"), 1);
  });

  check(language, "that nest too deeply to be written", async (engine) => {
    const error = await rejection(engine.eval("s = 1\nfor i in range(300): s = {1: s}\ns"));
    assert.equal((error as ScriptError).scriptName, "RecursionError");
    assert.equal(await engine.eval("1"), 1);
  });

  check(language, "that are disposed of while a script gets them", async (engine) => {
    await engine.eval("def f(x): return len(x)");
    const rival = rejection(engine.eval("while True: pass", { timeoutMs: 2000 }));
    // So much that others are asked for meanwhile.
    const large = Array.from({ length: 200_000 }, (_, index) => [index]);
    const f = (await engine.eval("f")) as ScriptFunction;
    const length = f(large);
    f[Symbol.dispose]();
    assert.equal(await length, large.length);
    assert.equal(((await rival) as Error).name, "TimeoutError");
  });

  check(language, "of the host are the same when nothing else has them", async (engine) => {
    await engine.eval("def same(x): return x");
    const callee = (): number => 1;
    assert.equal(await engine.call("same", callee), callee);
  });

  check(language, "with names are the last argument", async (engine, notes) => {
    await engine.eval("note({'a': 1}); apply(lambda a, b: note([a, b]), 1, b=2)");
    assert.deepEqual(notes, [{ a: 1 }, [1, { b: 2 }]]);
  });
});

describe("Python: errors", () => {
  check(language, "have their name, message, stack and fields", async (engine) => {
    const source =
      "class Mine(Exception): pass\ndef thrower():\n  e = Mine('mine')\n  e.code = 7\n  raise e\nthrower()";
    const error = await rejection(engine.eval(source, { fileName: "plugin.py" }));
    assert.ok(error instanceof ScriptError);
    assert.deepEqual([error.scriptName, error.message], ["Mine", "mine"]);
    assert.equal((error as { readonly code?: unknown }).code, 7);
    assert.match(error.scriptStack, /File "plugin.py", line 6, in <module>\n {2}File "plugin.py", line 5, in thrower$/);
    assert.doesNotMatch(error.scriptStack, /stackful/);
  });

  check(language, "in the text of a script", async (engine) => {
    assert.equal(((await rejection(engine.eval("def = 1"))) as ScriptError).scriptName, "SyntaxError");
    assert.match(((await rejection(engine.eval("1", { module: true }))) as Error).message, /Python has none/);
  });

  check(language, "of the host have its fields, and are found behind others", async (engine) => {
    const source = "try:\n  fail('no')\nexcept HostError as e:\n  r = [e.name, e.code, str(e)]\nr";
    assert.deepEqual(await engine.eval(source), ["RangeError", "E_NO", "no"]);
    const wrapped = "try:\n  fail('no')\nexcept HostError as e:\n  raise ValueError('mine') from e";
    const error = (await rejection(engine.eval(wrapped))) as ScriptError;
    assert.ok(error.cause instanceof RangeError);
    assert.equal(error.scriptName, "ValueError");
  });

  check(language, "have those behind them as their cause", async (engine) => {
    const error = (await rejection(
      engine.eval("try:\n  1 / 0\nexcept Exception as e:\n  raise ValueError('mine') from e"),
    )) as ScriptError;
    assert.equal((error.cause as ScriptError).scriptName, "ZeroDivisionError");
    const cycle = "a = ValueError('a')\nb = ValueError('b')\na.__cause__ = b\nb.__cause__ = a\nraise a";
    assert.equal(((await rejection(engine.eval(cycle))) as ScriptError).message, "a");
  });

  check(language, "that answer with errors are errors all the same", async (engine) => {
    const attributes = "class E(Exception):\n  def __getattr__(self, name): raise RuntimeError(name)\nraise E('mine')";
    assert.equal(((await rejection(engine.eval(attributes))) as ScriptError).message, "mine");
    const named =
      "class M(type):\n  @property\n  def __name__(self): raise RuntimeError\nclass E(Exception, metaclass=M): pass";
    const error = (await rejection(engine.eval(`${named}\nraise E`))) as ScriptError;
    assert.deepEqual(
      [error.scriptName, error.message],
      ["TypeError", "Cannot pass an error to the host: RuntimeError"],
    );
  });
});

/** What nests in functions of Python that are not written in Python. */
const NESTING: readonly string[] = [
  "def f(): return sorted([1], key=lambda x: f())",
  "class A:\n  def __init__(self): A()\nf = A",
  "class A:\n  def __repr__(self): return repr(self)\ndef f(): repr(A())",
  "class A:\n  def __getattr__(self, name): return getattr(self, name)\ndef f(): A().x",
  "import functools\ndef f(): return functools.partial(f)()",
  "def f(): return eval('f()')",
  "import re\ndef f(m=None): return re.sub('a', f, 'a')",
  "import sys\nsys.setrecursionlimit(10 ** 6)\ndef f(n=0):\n  if n == 5000: raise RecursionError\n  f(n + 1)",
];

describe("Python: depth", () => {
  check(language, "of what is not written in Python is limited, too", async (engine) => {
    for (const source of NESTING) {
      const error = (await rejection(engine.eval(`${source}\nf()`))) as ScriptError;
      assert.equal(error.scriptName, "RecursionError", `${source}: ${String(error)}`);
    }
    assert.equal(await engine.eval("1 + 1"), 2);
  });

  const options = { maxMemoryBytes: 30_000_000 };
  check(
    language,
    "more scripts than there is memory for are refused",
    async (engine) => {
      const controller = new AbortController();
      engine.register("forever", never);
      const scripts = Array.from({ length: 20 }, () =>
        rejection(engine.eval("forever()", { signal: controller.signal })),
      );
      const refused = await Promise.race(scripts);
      assert.match(String(refused), /there is no memory for a further thread/);
      controller.abort("enough");
      const reasons = await Promise.all(scripts);
      assert.ok(reasons.includes("enough"));
      assert.equal(await engine.eval("1 + 1"), 2);
    },
    options,
  );
});

const nothingFound = new Error("nothing found");
const MODULES: Readonly<Record<string, string>> = {
  mine: "",
  "mine.counter":
    "import builtins\nbuiltins.counted = count = getattr(builtins, 'counted', 0) + 1\nfrom __main__ import later\nlater(2)",
  failing: "raise ValueError('mine')",
  endless: "while True: pass",
};
const loadModule = async (name: string): Promise<string> => {
  await sleep(1);
  const source = MODULES[name];
  if (source === undefined) throw nothingFound;
  return source;
};

describe("Python: scripts", () => {
  check(language, "print line by line", async () => {
    const printed: string[] = [];
    const engine = await ScriptEngine.create(python(), { print: (text) => printed.push(text) });
    await engine.eval("print('one', 2)\nprint('three\\nfour')\nimport sys\nprint('error', file=sys.stderr)");
    await engine.close();
    assert.deepEqual(printed, ["one 2", "three", "four", "error"]);
  });

  check(language, "go on while another one computes", async (engine) => {
    const controller = new AbortController();
    const endless = rejection(engine.eval("while True: pass", { signal: controller.signal }));
    assert.equal(await engine.eval("later(1, 1) + later(1, 2)"), 3);
    await engine.eval("for i in range(20): later(0)");
    controller.abort("enough");
    assert.equal(await endless, "enough");
  });

  check(language, "wait for what another one imports or has locked", async (engine) => {
    const source =
      "import asyncio\nimport email.mime.text\nimport decimal\n[asyncio.run.__name__, decimal.Decimal(1) + 1 == 2]";
    const values = await Promise.all(Array.from({ length: 5 }, () => engine.eval(source)));
    for (const value of values) assert.deepEqual(value, ["run", true]);
  });

  check(language, "wait for each other as threads do", async (engine) => {
    await engine.eval("import threading, queue\nlock = threading.RLock()\norder = []\njobs = queue.Queue()");
    const locked = (n: number): string =>
      `with lock:\n  order.append(${n})\n  later(5)\n  with lock: order.append(${n})`;
    await Promise.all([1, 2, 3].map((n) => engine.eval(locked(n))));
    const order = (await engine.eval("order")) as readonly number[];
    for (let index = 0; index < 6; index += 2) assert.equal(order[index], order[index + 1]);
    const taken = engine.eval("[jobs.get() for i in range(10)]");
    await engine.eval("for i in range(10):\n  jobs.put(later(1, i))");
    assert.deepEqual(await taken, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.equal(await engine.eval("threading.Event().wait(0.01)"), false);
    const error = await rejection(engine.eval("jobs.get()", { timeoutMs: 20 }));
    assert.equal((error as Error).name, "TimeoutError");
  });

  check(
    language,
    "import what the host has, once",
    async (engine) => {
      const source =
        "import json, mine.counter\nfrom mine.counter import count as n\n[n, mine.counter.count, json.dumps([1])]";
      assert.deepEqual(await Promise.all([engine.eval(source), engine.eval(source)]), [
        [1, 1, "[1]"],
        [1, 1, "[1]"],
      ]);
      const missing = (await rejection(engine.eval("import missing"))) as ScriptError;
      assert.deepEqual([missing.scriptName, missing.message], ["ModuleNotFoundError", "No module named 'missing'"]);
      assert.equal(missing.cause, nothingFound);
      const failing = (): Promise<unknown> => rejection(engine.eval("import failing"));
      assert.deepEqual([await failing(), await failing()].map(String), ["ScriptError: mine", "ScriptError: mine"]);
    },
    { loadModule },
  );

  check(
    language,
    "are stopped while they import, and nobody has half of it",
    async (engine) => {
      const stopped = rejection(engine.eval("import endless", { timeoutMs: 60 }));
      const others = [0, 1].map(() => rejection(engine.eval("import endless\nendless.after", { timeoutMs: 400 })));
      assert.equal(((await stopped) as Error).name, "TimeoutError");
      for (const error of await Promise.all(others)) {
        assert.match(String(error), /TimeoutError|has not come to its end/);
      }
      assert.equal(await engine.eval("import decimal\nstr(decimal.Decimal(1))"), "1");
    },
    { loadModule },
  );

  check(language, "sleep beside each other", async (engine) => {
    const started = performance.now();
    await Promise.all([1, 2, 3].map(() => engine.eval("import time\ntime.sleep(0.3)")));
    assert.ok(performance.now() - started < 850);
    const error = await rejection(engine.eval("time.sleep(100)", { timeoutMs: 20 }));
    assert.equal((error as Error).name, "TimeoutError");
  });

  check(language, "run on a thread", async () => {
    const engine = await ScriptEngine.create(python(), { thread: true });
    engine.register("later", (value: unknown) => sleep(1).then(() => value));
    try {
      assert.deepEqual(await Promise.all([1, 2].map((n) => engine.eval(`later(${n})`))), [1, 2]);
      const error = await rejection(engine.eval("while True: pass", { timeoutMs: 30 }));
      assert.equal((error as Error).name, "TimeoutError");
      assert.equal(await engine.eval("later(3)"), 3);
    } finally {
      await engine.close();
    }
  });
});

/** What a script writes to the channel between Python and its host: neither may take it for what they say. */
const GARBAGE: readonly string[] = [
  "b'garbage' * 1000",
  "b'\\xff' * 4",
  "(20).to_bytes(4, 'little') + bytes(4) + (10 ** 9).to_bytes(4, 'little') + bytes(12)",
  "(8).to_bytes(4, 'little') + bytes(8)",
];

/** What keeps what stops a script from leaving it. */
const STUBBORN: readonly string[] = [
  "while True:\n  try:\n    while True: pass\n  except BaseException: pass",
  "def f():\n  try:\n    while True: pass\n  finally:\n    return 1\nwhile True: f()",
  "class C:\n  def __enter__(self): pass\n  def __exit__(self, *a): return True\nwhile True:\n  with C():\n    while True: pass",
  "class D:\n  def __del__(self):\n    while True: pass\nD()\nwhile True: pass",
  "def g():\n  while True:\n    try: yield 1\n    except BaseException: pass\nfor x in g(): pass",
  "def f(n):\n  try: f(n + 1)\n  except BaseException: f(n)\nf(0)",
  "import contextlib\nwhile True:\n  with contextlib.suppress(BaseException):\n    while True: pass",
  "exec('while True:\\n  try:\\n    while True: pass\\n  except: pass')",
  "sorted(range(10 ** 4), key=lambda x: [y for y in range(1000)])",
];

describe("Python: memory", () => {
  const maxMemoryBytes = 40_000_000;
  const hoard = "kept = []\ntry:\n  while True: kept.append('x' * 1000 + str(len(kept)))\nexcept MemoryError: pass";

  check(
    language,
    "that a script keeps lets others say so, and give it back",
    async (engine, notes) => {
      const error = (await rejection(engine.eval(`${hoard}\nnote([1] * 100_000)`))) as ScriptError;
      assert.deepEqual([error.scriptName, error.message], ["MemoryError", "out of memory"]);
      await engine.eval("kept = None\nnote(1)");
      assert.deepEqual(notes, [1]);
    },
    { maxMemoryBytes },
  );

  check(
    language,
    "that is too little for a value of the host is an error of the script",
    async (engine) => {
      await engine.eval("def size(x): return len(x)");
      const error = (await rejection(engine.call("size", new Uint8Array(maxMemoryBytes)))) as ScriptError;
      assert.equal(error.scriptName, "MemoryError");
      assert.equal(await engine.call("size", new Uint8Array(1_000_000)), 1_000_000);
    },
    { maxMemoryBytes },
  );

  check(
    language,
    "that is too little for a further thread is an error, and others go on",
    async (engine) => {
      const scripts = Array.from({ length: 80 }, () => engine.eval("later(20, 1)"));
      const ends = await Promise.allSettled(scripts);
      const reasons = ends.flatMap((end) => (end.status === "rejected" ? [String(end.reason)] : []));
      assert.ok(reasons.length > 0 && reasons.length < 80);
      for (const reason of reasons) assert.match(reason, /no memory for a further thread of Python/);
      assert.equal(await engine.eval("later(1, 2)"), 2);
    },
    { maxMemoryBytes: 20_000_000 },
  );
});

describe("Python: stopping", () => {
  check(language, "has finalizers call the host", async (engine, notes) => {
    const source = "class D:\n  def __del__(self): note('gone')\nd = D()\ndel d\nnote('after')";
    await engine.eval(source);
    assert.deepEqual(notes, ["gone", "after"]);
  });

  check(language, "scripts that catch everything", async (engine) => {
    for (const source of STUBBORN) {
      const error = await rejection(engine.eval(source, { timeoutMs: 50 }));
      assert.equal((error as Error).name, "TimeoutError", source);
      assert.equal(await engine.eval("1 + 1"), 2, source);
    }
  });

  check(language, "one that waits, while another one does not give way", async (engine) => {
    engine.register("computing", () => void setTimeout(() => controller.abort("enough"), 50));
    const controller = new AbortController();
    // A built-in function that takes more than the second for which it is waited.
    const computed = engine.eval("computing()\nsum(range(10 ** 7))");
    const waiting = rejection(engine.eval("forever()", { signal: controller.signal }));
    engine.register("forever", never);
    assert.equal(await waiting, "enough");
    assert.equal(await computed, (1e7 * (1e7 - 1)) / 2);
    assert.equal(await engine.eval("1 + 1"), 2);
  });

  check(language, "one that has not begun, while another one does not give way", async (engine) => {
    let isComputed = false;
    const begun = new Promise<void>((resolve) => engine.register("begin", () => resolve()));
    const computed = engine.eval("begin(); sum(range(10 ** 7))").then(() => (isComputed = true));
    await begun;
    const error = await rejection(engine.eval("1", { timeoutMs: 20 }));
    assert.deepEqual([(error as Error).name, isComputed], ["TimeoutError", false]);
    await computed;
    assert.equal(await engine.eval("1 + 1"), 2);
  });

  check(
    language,
    "one that waits where it cannot be reached, and computes afterwards, ends the engine",
    async (engine) => {
      const source = "import select\nselect.select([], [], [], 1.3)\nsum(range(10 ** 12))";
      const error = await rejection(engine.eval(source, { timeoutMs: 50 }));
      assert.equal((error as Error).name, "TimeoutError");
      await sleep(500);
      assert.match(((await rejection(engine.eval("1"))) as Error).message, /has ended/);
    },
  );

  check(language, "hears nothing from a script that writes to its channel", async (engine) => {
    for (const bytes of GARBAGE) {
      const source = `import posix\nfor file in range(3, 12):\n  try: posix.write(file, ${bytes})\n  except OSError: pass\nlater(1, 2)`;
      assert.equal(await engine.eval(source), 2, bytes);
    }
  });

  check(language, "what cannot be stopped ends the engine", async (engine) => {
    const controller = new AbortController();
    engine.register("begin", () => void setTimeout(() => controller.abort("enough")));
    engine.register("forever", never);
    const waiting = rejection(engine.eval("forever()"));
    assert.equal(
      await rejection(engine.eval("begin(); sum(range(10 ** 12))", { signal: controller.signal })),
      "enough",
    );
    assert.match(((await waiting) as Error).message, /its Python has ended/);
    assert.match(((await rejection(engine.eval("1"))) as Error).message, /its Python has ended/);
  });
});
