/** What every language does, by the same scripts in each. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { ScriptError, ScriptStoppedError, scriptSignal } from "stackful/script";
import type { ScriptEngine, ScriptFunction } from "stackful/script";
import { check, never, rejection, sleep } from "./harness.ts";
import type { LanguageUnderTest } from "./harness.ts";

export function languageSuite(language: LanguageUnderTest): void {
  describe(`${language.name}: values`, () => values(language));
  describe(`${language.name}: functions of the host`, () => hostFunctions(language));
  describe(`${language.name}: functions of scripts`, () => scriptFunctions(language));
  describe(`${language.name}: several scripts at once`, () => overlapping(language));
  describe(`${language.name}: stopping`, () => stopping(language));
  describe(`${language.name}: limits`, () => limits(language));
}

const VALUES: readonly unknown[] = [
  0,
  -1,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 53 - 1,
  0.1,
  -0,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  5e-324,
  1.797e308,
  "",
  "text",
  "grüße 😀",
  "a\0b",
  true,
  false,
  12n ** 15n,
  [],
  [1, "two", [3]],
  { a: 1, b: { c: ["d"] } },
  { $: ["u"], __proto__x: 1 },
  new Uint8Array([0, 1, 254, 255]),
];

function values(language: LanguageUnderTest): void {
  check(language, "are the same when they come back", async (engine) => {
    await engine.eval(language.sources.functions);
    for (const value of VALUES) {
      const expected = language.different?.has(describeValue(value))
        ? language.different.get(describeValue(value))
        : value;
      assert.deepEqual(await engine.call("same", value), expected, describeValue(value));
    }
  });

  check(language, "pass through functions of the host", async (engine, notes) => {
    await engine.eval(language.sources.functions);
    engine.register("echo", async (value: unknown) => value);
    for (const value of [7, "x", true, { a: [1] }]) {
      notes.length = 0;
      engine.register("given", () => value);
      await engine.eval(language.sources.expression("note(echo(given()))"));
      assert.deepEqual(notes, [value]);
    }
  });

  check(language, "large ones", async (engine) => {
    await engine.eval(language.sources.functions);
    const text = "0123456789".repeat(100_000);
    assert.equal(await engine.call("same", text), text);
    const list = Array.from({ length: 50_000 }, (_, index) => index);
    assert.deepEqual(await engine.call("same", list), list);
    const bytes = new Uint8Array(1 << 20).map((_, index) => index * 31);
    const back = await engine.call("same", bytes);
    if (!language.different?.has("Uint8Array(4) 0,1,254,255")) assert.deepEqual(back, bytes);
  });

  check(language, "what cannot cross is refused", async (engine) => {
    await engine.eval(language.sources.functions);
    const cyclic: Record<string, unknown> = {};
    cyclic["self"] = cyclic;
    await assert.rejects(engine.call("same", cyclic), TypeError);
    await assert.rejects(engine.call("same", Symbol("s")), TypeError);
    assert.equal(await engine.call("same", 1), 1);
  });
}

function hostFunctions(language: LanguageUnderTest): void {
  const { sources } = language;

  check(language, "are waited for", async (engine) => {
    assert.equal(await engine.eval(sources.sum(20, 1)), 21);
  });

  check(language, "throw errors that a script can catch", async (engine) => {
    assert.match(String(await engine.eval(sources.caught)), /no/);
  });

  check(language, "throw errors that come out as they were", async (engine) => {
    const thrown = new RangeError("original");
    engine.register("fail", () => Promise.reject(thrown));
    const error = await rejection(engine.eval(sources.uncaught));
    assert.ok(error instanceof ScriptError);
    assert.match(error.message, /original/);
    assert.equal(error.cause, thrown);
    assert.match(error.scriptStack, /outer/);
    engine.register("fail", () => {
      throw thrown;
    });
    const second = await rejection(engine.eval(sources.uncaught));
    assert.equal((second as ScriptError).cause, thrown);
  });

  check(language, "give something like a promise that throws", async (engine) => {
    const thrown = new RangeError("no");
    const fails = (): never => {
      throw thrown;
    };
    // oxlint-disable-next-line unicorn/no-thenable
    engine.register("throws", () => ({ then: fails }));
    const error = await rejection(engine.call("throws"));
    assert.ok(error instanceof ScriptError);
    assert.equal(error.cause, thrown);
    assert.equal(await engine.eval(sources.sum(1, 1)), 2);
  });

  check(language, "are found by names with dots", async (engine) => {
    engine.register("api.files.read", async (name: string) => `contents of ${name}`);
    assert.equal(await engine.eval(sources.expression('api.files.read("a")')), "contents of a");
  });

  check(language, "replace those of that name", async (engine) => {
    engine.register("version", () => 1);
    engine.register("version", () => 2);
    assert.equal(await engine.eval(sources.expression("version()")), 2);
  });

  check(language, "in a comparison of a sort", async (engine) => {
    assert.deepEqual(await engine.eval(sources.sorted), [1, 2, 3]);
  });

  check(language, "get and put by turns", async (engine) => {
    const put: number[] = [];
    engine.register("get", async () => {
      await sleep(0);
      if (put.length === 10) throw new Error("the master is gone");
      return put.length;
    });
    engine.register("put", async (value: number) => void put.push(value));
    const error = await rejection(engine.eval(sources.pingPong));
    assert.ok(error instanceof ScriptError);
    assert.match(error.message, /the master is gone/);
    assert.deepEqual(put, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });
}

function scriptFunctions(language: LanguageUnderTest): void {
  const { sources } = language;

  check(language, "are called by name", async (engine) => {
    await engine.eval(sources.functions);
    assert.equal(await engine.call("add", 1, 2), 3);
    assert.equal(await engine.call("waitAndAdd", 1), 2);
    const error = await rejection(engine.call("missing"));
    assert.ok(error instanceof ScriptError, String(error));
  });

  check(language, "are handles in the host", async (engine) => {
    const add = (await engine.eval(sources.adder(10))) as ScriptFunction;
    assert.equal(await add(5), 15);
    assert.deepEqual(await Promise.all([add(1), add(2), add(3)]), [11, 12, 13]);
    await engine.eval(sources.functions);
    const same = (await engine.call("same", add)) as ScriptFunction;
    assert.equal(await same(7), 17);
    same[Symbol.dispose]();
    await assert.rejects(same(1), /disposed/);
    assert.equal(await add(1), 11);
  });

  check(language, "functions of the host are handles in scripts", async (engine) => {
    await engine.eval(sources.functions);
    const twice = async (value: number): Promise<number> => {
      await sleep(1);
      return value * 2;
    };
    engine.register("use", (callee: unknown) => assert.equal(callee, twice));
    engine.register("getTwice", () => twice);
    assert.equal(await engine.eval(sources.expression("apply(getTwice(), 4)")), 8);
    await engine.eval(sources.expression("use(getTwice())"));
  });

  check(language, "are called by the host while the script waits", async (engine) => {
    assert.equal(await engine.eval(sources.callback), 43);
  });

  check(language, "are called from the host while another script waits", async (engine, notes) => {
    await engine.eval(sources.functions);
    const controller = new AbortController();
    engine.register("forever", never);
    const waiting = rejection(engine.eval(sources.expression("forever()"), { signal: controller.signal }));
    notes.push(await engine.call("add", 1, 2));
    notes.push(await engine.call("waitAndAdd", 10));
    assert.deepEqual(notes, [3, 11]);
    controller.abort("done");
    assert.equal(await waiting, "done");
  });
}

function overlapping(language: LanguageUnderTest): void {
  const { sources } = language;

  check(language, "end in any order", async (engine) => {
    const answers = new Map<number, (value: number) => void>();
    engine.register("later", (value: number) => new Promise((resolve) => answers.set(value, resolve)));
    const answer = async (value: number): Promise<void> => {
      while (!answers.has(value)) await sleep(0);
      answers.get(value)!(value);
    };
    // Each waits twice: for 10 times its number, and for one more.
    const results = [0, 1, 2, 3, 4].map((script) => engine.eval(sources.sum(script * 10, script * 10 + 1)));
    for (const script of [3, 0, 4]) await answer(script * 10);
    for (const script of [4, 3]) {
      await answer(script * 10 + 1);
      assert.equal(await results[script], script * 20 + 1);
    }
    for (const script of [1, 2, 0]) {
      if (script !== 0) await answer(script * 10);
      await answer(script * 10 + 1);
      assert.equal(await results[script], script * 20 + 1);
    }
  });

  check(language, "fail in any order", async (engine) => {
    const outcomes = Array.from({ length: 40 }, async (_, index) => {
      const source = [sources.caught, sources.uncaught, sources.sorted][index % 3]!;
      return index % 3 === 1 ? rejection(engine.eval(source)) : engine.eval(source);
    });
    for (const [index, outcome] of (await Promise.all(outcomes)).entries()) {
      if (index % 3 === 0) assert.match(String(outcome), /no/);
      else if (index % 3 === 1) assert.ok(outcome instanceof ScriptError);
      else assert.deepEqual(outcome, [1, 2, 3]);
    }
  });

  check(language, "a thousand of them", async (engine) => {
    const results = Array.from({ length: 1000 }, (_, index) => engine.eval(sources.sum(20 + (index % 7), index % 5)));
    const sums = (await Promise.all(results)).map(Number);
    assert.deepEqual(
      sums,
      Array.from({ length: 1000 }, (_, index) => 20 + (index % 7) + (index % 5)),
    );
  });
}

function stopping(language: LanguageUnderTest): void {
  const { sources } = language;

  check(language, "not before its time, however long that is", async (engine) => {
    assert.equal(await engine.eval(sources.sum(5, 5), { timeoutMs: 2 ** 40 }), 10);
  });

  check(language, "a script that waits", async (engine, notes) => {
    engine.register("forever", never);
    const controller = new AbortController();
    const result = engine.eval(sources.guarded("forever()"), { signal: controller.signal });
    await sleep(5);
    const reason = new Error("enough");
    controller.abort(reason);
    assert.equal(await rejection(result), reason);
    assert.deepEqual(notes, []);
    assert.equal(await engine.eval(sources.sum(1, 1)), 2);
  });

  check(language, "a script that loops", async (engine, notes) => {
    const error = await rejection(engine.eval(sources.guarded(sources.endless), { timeoutMs: 30 }));
    assert.ok(error instanceof DOMException);
    assert.equal(error.name, "TimeoutError");
    assert.deepEqual(notes, []);
    assert.equal(await engine.eval(sources.sum(1, 1)), 2);
  });

  check(language, "a script that loops keeps no timer from firing", async (engine) => {
    const controller = new AbortController();
    let ticks = 0;
    const timer = setInterval(() => {
      if (++ticks === 5) controller.abort("enough");
    }, 1);
    const reason = await rejection(engine.eval(sources.endless, { signal: controller.signal }));
    clearInterval(timer);
    assert.equal(reason, "enough");
  });

  check(language, "aborts what it waits for", async (engine) => {
    let aborted: unknown;
    const controller = new AbortController();
    engine.register("forever", () => {
      const signal = scriptSignal();
      setTimeout(() => controller.abort(new Error("enough")), 1);
      return new Promise<never>(() => signal.addEventListener("abort", () => (aborted = signal.reason)));
    });
    const error = await rejection(engine.eval(sources.expression("forever()"), { signal: controller.signal }));
    assert.equal(aborted, controller.signal.reason);
    assert.equal(error, aborted);
  });

  check(language, "by onProgress, with a token", async (engine, notes) => {
    const counts: number[] = [];
    const onProgress = (operations: number): unknown => (counts.push(operations) < 5 ? undefined : 42);
    const error = await rejection(engine.eval(sources.guarded(sources.endless), { onProgress }));
    assert.ok(error instanceof ScriptStoppedError);
    assert.deepEqual([error.reason, error.token], ["progress", 42]);
    assert.equal(counts.length, 5);
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => a - b),
    );
    assert.deepEqual(notes, []);
  });

  check(language, "pauses while onProgress waits, and goes on", async (engine) => {
    const answers: unknown[] = [];
    let release = (): void => {};
    const paused = new Promise<void>((resolve) => (release = resolve));
    let isAsked = (): void => {};
    const third = new Promise<void>((resolve) => (isAsked = resolve));
    const onProgress = (): unknown => {
      const answer = [undefined, undefined, paused, "stop"][answers.length];
      answers.push(answer);
      if (answer === paused) isAsked();
      return answer;
    };
    const result = rejection(engine.eval(sources.endless, { onProgress }));
    await third;
    await sleep(10);
    assert.equal(answers.length, 3);
    assert.equal(await engine.eval(sources.sum(1, 1)), 2);
    release();
    assert.equal(((await result) as ScriptStoppedError).token, "stop");
  });

  check(language, "by an error of onProgress", async (engine) => {
    const thrown = new Error("thrown by onProgress");
    const onProgress = (): never => {
      throw thrown;
    };
    assert.equal(await rejection(engine.eval(sources.endless, { onProgress })), thrown);
  });

  check(language, "stops what a script has the host call", async (engine) => {
    engine.register("forever", never);
    await engine.eval(sources.functions);
    engine.register("nested", async () => engine.eval(sources.endless));
    const error = await rejection(engine.eval(sources.expression("nested()"), { timeoutMs: 30 }));
    assert.equal((error as Error).name, "TimeoutError");
  });

  check(language, "closing the engine ends its scripts", async (engine) => {
    engine.register("forever", never);
    const waiting = rejection(engine.eval(sources.expression("forever()")));
    const looping = rejection(engine.eval(sources.endless));
    await sleep(5);
    await engine.close();
    assert.equal(((await waiting) as ScriptStoppedError).reason, "closed");
    assert.equal(((await looping) as ScriptStoppedError).reason, "closed");
    await assert.rejects(engine.eval("1"), /closed/);
  });
}

function limits(language: LanguageUnderTest): void {
  const { sources, overflow = /overflow/, memoryBytes: maxMemoryBytes = 4_000_000 } = language;

  check(language, "of operations", async (engine, notes) => {
    const error = await rejection(engine.eval(sources.guarded(sources.endless), { maxOperations: 200_000 }));
    assert.ok(error instanceof ScriptStoppedError);
    assert.equal(error.reason, "operations");
    assert.deepEqual(notes, []);
  });

  check(language, "of operations, below calls of the host", async (engine) => {
    engine.register("nested", async () => engine.eval(sources.endless, { maxOperations: Number.POSITIVE_INFINITY }));
    const error = await rejection(engine.eval(sources.expression("nested()"), { maxOperations: 200_000 }));
    assert.ok(error instanceof ScriptStoppedError, String(error));
  });

  check(
    language,
    "of the memory",
    async (engine) => {
      const error = await rejection(engine.eval(sources.hoard));
      assert.ok(error instanceof ScriptError, String(error));
      assert.match(error.message, /memory/);
      assert.ok((await engine.memoryBytes()) < maxMemoryBytes * 1.125);
      assert.equal(await engine.eval(sources.sum(1, 1)), 2);
    },
    { maxMemoryBytes },
  );

  check(language, "of the depth of calls", async (engine) => {
    assert.match(String(await engine.eval(sources.recursion)), overflow);
    assert.deepEqual(await Promise.all([engine.eval(sources.recursion), engine.eval(sources.sum(1, 1))]), [
      await engine.eval(sources.recursion),
      2,
    ]);
  });
}

/** For messages and maps. */
function describeValue(value: unknown): string {
  if (value instanceof Uint8Array) return `Uint8Array(${value.length}) ${value.join()}`;
  if (typeof value === "bigint") return `${value}n`;
  return Object.is(value, -0) ? "-0" : (JSON.stringify(value) ?? String(value));
}

export type { ScriptEngine };
