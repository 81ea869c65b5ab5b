/** Engines on threads of their own: what the suite over all languages does not know of. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { backends } from "stackful";
import { ThreadError } from "stackful/blocking";
import { ScriptEngine, ScriptError, ScriptStoppedError } from "stackful/script";
import type { ScriptEngineOptions } from "stackful/script";
import { quickjs } from "stackful/script/quickjs";
import { never, rejection, sleep } from "./harness.ts";

const skip = backends().some(({ available }) => available) ? false : "this runtime has no backend";

async function withEngine(
  body: (engine: ScriptEngine) => Promise<void>,
  options: ScriptEngineOptions = {},
): Promise<void> {
  const engine = await ScriptEngine.create(quickjs(), { thread: true, ...options });
  try {
    await body(engine);
  } finally {
    await engine.close();
  }
}

describe("An engine on a thread", { skip }, () => {
  it("calls functions of the host, which call it again", () =>
    withEngine(async (engine) => {
      engine.register("later", async (value: unknown) => {
        await sleep(1);
        return value;
      });
      engine.register("apply", async (callee: (value: unknown) => Promise<unknown>, value: unknown) => callee(value));
      assert.equal(await engine.eval("later(1) + apply((x) => later(x) * 2, 20) + 1"), 42);
      const results = [3, 1, 2].map((each) => engine.eval(`later(${each}) + later(${each})`));
      assert.deepEqual(await Promise.all(results), [6, 2, 4]);
    }));

  it("never mixes up replies", () =>
    withEngine(async (engine) => {
      engine.register("one", async (value: number) => {
        await sleep(value % 3);
        return `one ${value}`;
      });
      engine.register("two", async (value: number) => `two ${value}`);
      const script = (n: number): string => `[one(${n}), two(${n}), one(${n} + 1)]`;
      const results = await Promise.all(Array.from({ length: 100 }, (_, n) => engine.eval(script(n))));
      for (const [n, result] of results.entries()) assert.deepEqual(result, [`one ${n}`, `two ${n}`, `one ${n + 1}`]);
    }));

  it("has errors that are the same objects", () =>
    withEngine(async (engine) => {
      const thrown = Object.assign(new RangeError("original"), { code: "E" });
      engine.register("fail", () => Promise.reject(thrown));
      assert.deepEqual(await engine.eval("try { fail() } catch (e) { [e.name, e.code, e instanceof RangeError] }"), [
        "RangeError",
        "E",
        true,
      ]);
      const error = await rejection(engine.eval("fail()"));
      assert.ok(error instanceof ScriptError);
      assert.equal(error.cause, thrown);
      assert.equal(((await rejection(engine.eval("throw 7"))) as ScriptError).value, 7);
    }));

  it("computes beside this thread, and is stopped where it loops", () =>
    withEngine(async (engine) => {
      let turns = 0;
      const result = rejection(engine.eval("for (;;) try { for (;;); } catch {}", { timeoutMs: 100 }));
      const timer = setInterval(() => turns++, 1);
      assert.equal(((await result) as Error).name, "TimeoutError");
      clearInterval(timer);
      assert.ok(turns > 2, `${turns} turns`);
      assert.equal(await engine.eval("1 + 1"), 2);
    }));

  it("is stopped where it waits, and counts what it costs", () =>
    withEngine(async (engine) => {
      engine.register("forever", never);
      engine.register("nested", async () => engine.eval("for (;;);"));
      assert.equal(((await rejection(engine.eval("forever()", { timeoutMs: 5 }))) as Error).name, "TimeoutError");
      const tooMuch = await rejection(engine.eval("nested()", { maxOperations: 100_000 }));
      assert.equal((tooMuch as ScriptStoppedError).reason, "operations");
      const counts: number[] = [];
      const onProgress = (operations: number): unknown => (counts.push(operations) < 3 ? undefined : "token");
      const stopped = await rejection(engine.eval("for (;;);", { onProgress }));
      assert.equal((stopped as ScriptStoppedError).token, "token");
      assert.deepEqual(counts, [counts[0], counts[0]! * 2, counts[0]! * 3]);
    }));

  it("pauses in onProgress, and never after its end", () =>
    withEngine(async (engine) => {
      const onProgress = (): Promise<void> => sleep(1);
      const source = "(() => { let n = 0; for (let i = 0; i < 25_000; i++) n++; return n })()";
      for (let round = 0; round < 5; round++) assert.equal(await engine.eval(source, { onProgress }), 25_000);
      // What the host passes is read where the script cannot wait.
      engine.register("list", () => Array.from({ length: 30_000 }, (_, index) => [index]));
      assert.equal(await engine.eval("list().length", { onProgress }), 30_000);
    }));

  it("is ended when a script does not stop in time", () =>
    withEngine(async (engine) => {
      // A builtin function that looks at nothing while it is busy.
      const busy = "const a = new Uint8Array(1 << 28); for (;;) a.fill(1)";
      const started = performance.now();
      const error = await rejection(engine.eval(busy, { timeoutMs: 10 }));
      assert.equal((error as Error).name, "TimeoutError");
      assert.ok(performance.now() - started < 60_000);
    }));

  it("says why it cannot be started", async () => {
    const missing = new URL("file:///missing/quickjs.wasm");
    const error = await rejection(ScriptEngine.create(quickjs({ wasm: missing }), { thread: true }));
    assert.match(String(error), /missing/);
    const variant = { type: "sync", importModuleLoader: () => Promise.reject(new Error("not here")) };
    const uncloneable = await rejection(ScriptEngine.create(quickjs({ variant }), { thread: true }));
    assert.match(String(uncloneable), /cannot be cloned/);
  });

  it("rejects what is under way when its thread is gone", () =>
    withEngine(async (engine) => {
      engine.register("forever", never);
      const waiting = rejection(engine.eval("forever()"));
      await sleep(5);
      await engine.close();
      const error = await waiting;
      assert.ok(error instanceof ScriptStoppedError || error instanceof ThreadError, String(error));
    }));

  it("goes on when a script keeps a function from being defined", () =>
    withEngine(async (engine) => {
      await engine.eval("Object.freeze(globalThis); 0");
      engine.register("late", () => 1);
      assert.match(String(await rejection(engine.eval("1 + 1"))), /Cannot define late/);
      assert.equal(await engine.eval("1 + 1"), 2);
    }));

  it("lets the process end when nothing is under way", async () => {
    const program = `
      import { ScriptEngine } from "stackful/script";
      import { quickjs } from "stackful/script/quickjs";
      const engine = await ScriptEngine.create(quickjs(), { thread: true });
      console.log(await engine.eval("6 * 7"));`;
    const flags = import.meta.url.endsWith(".ts") ? ["--conditions=source"] : [];
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [...flags, "--input-type=module", "--eval", program],
      {
        timeout: 60_000,
      },
    );
    assert.equal(stdout, "42\n");
  });
});
