/** Plain functions that block until asynchronous ones in another thread have answered. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toSync } from "stackful/blocking";
import type { ToSyncOptions } from "stackful/blocking";
import { moduleUrl } from "./harness.ts";

type Reader = typeof import("./modules/reader.ts");

/** Runs `body` with a function of the module, and ends its thread. */
function using(
  name: keyof Reader,
  body: (call: (...args: unknown[]) => unknown) => void,
  options?: ToSyncOptions,
): void {
  const call = toSync<Reader, "echo">(moduleUrl("reader"), name as "echo", options);
  try {
    body((...args) => Reflect.apply(call, undefined, args) as unknown);
  } finally {
    call[Symbol.dispose]();
  }
}

const caught = (body: () => unknown): unknown => {
  try {
    return ["returned", body()];
  } catch (error) {
    return error;
  }
};

describe("toSync", () => {
  it("returns what an asynchronous function has answered", () => {
    using("later", (later) => {
      for (let index = 0; index < 20; index++) assert.equal(later(index), index);
      assert.deepEqual(later({ a: [1n, /x/] }), { a: [1n, /x/] });
    });
    using("echo", (echo) =>
      assert.deepEqual(echo(new Uint8Array(3_000_000).fill(1)), new Uint8Array(3_000_000).fill(1)),
    );
  });

  it("leaves its thread time for other things, whoever calls all the time", () => {
    using("countTurns", (countTurns) => {
      // Calls are fast enough to follow one upon the other when both sides have been compiled.
      const [warm, end] = [performance.now() + 2000, performance.now() + 2500];
      while (performance.now() < warm) countTurns();
      const before = countTurns() as number;
      while (performance.now() < end) countTurns();
      const turns = (countTurns() as number) - before;
      assert.ok(turns > 5, `${turns} turns`);
    });
  });

  it("blocks in the middle of functions of the language", () => {
    using("later", (later) =>
      assert.deepEqual(
        [1, 2, 3].map((value) => later(value, 0)),
        [1, 2, 3],
      ),
    );
  });

  it("throws what the function has thrown", () => {
    using("fail", (fail) => assert.throws(fail, { name: "RangeError", message: "later", code: 9 }));
    using("throwValue", (throwValue) => {
      for (const value of [undefined, null, 0, "", false, { a: 1 }])
        assert.deepEqual(
          caught(() => throwValue(value)),
          value,
        );
    });
  });

  it("gives up after its time, and never sees the answer", async () => {
    using later = toSync<Reader, "later">(moduleUrl("reader"), "later", { timeoutMs: 400 });
    // The start of the thread would count.
    await later.prepare();
    assert.equal(later(1, 0), 1);
    assert.throws(() => later(2, 500), { name: "TimeoutError", message: "later has not answered within 400 ms" });
    assert.equal(later(3, 0), 3);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150);
    assert.equal(later(4, 0), 4);
  });

  it("says which value cannot be cloned", () => {
    using("cannotBeCloned", (call) =>
      assert.throws(call, { name: "DataCloneError", message: /what cannotBeCloned has answered/ }),
    );
    using("echo", (echo) => {
      assert.throws(() => echo(() => {}), { name: "DataCloneError", message: /the arguments of echo/ });
      assert.equal(echo(1), 1);
    });
  });

  it("says when there is no such module or function", () => {
    const missing = toSync<Reader, "echo">(moduleUrl("missing"), "echo");
    assert.throws(() => missing(1), { code: "ERR_MODULE_NOT_FOUND" });
    missing[Symbol.dispose]();
    const wrong = toSync<Reader, "echo">(moduleUrl("reader"), "nothing" as "echo");
    assert.throws(() => wrong(1), /exports no such function; it exports .*echo/);
    wrong[Symbol.dispose]();
    const failing = toSync<Reader, "echo">(moduleUrl("throws-at-load"), "echo");
    assert.throws(() => failing(1), { message: "at load" });
    failing[Symbol.dispose]();
  });

  it("never hangs when the thread ends: process.exit, an uncaught error, no more memory, an exit while it loads", () => {
    using("exit", (exit) => {
      assert.throws(() => exit(4), {
        name: "ThreadError",
        reason: "exited",
        exitCode: 4,
        message: /^Cannot call exit: The thread has ended with exit code 4/,
      });
      assert.throws(() => exit(5), { exitCode: 5 }, "a new thread has been started");
    });
    using("throwUncaught", (call) =>
      assert.throws(call, { name: "ThreadError", reason: "failed", message: /TypeError: uncaught/ }),
    );
    const workerOptions = { resourceLimits: { maxOldGenerationSizeMb: 32 }, stderr: true };
    using("exhaustMemory", (call) => assert.throws(call, { name: "ThreadError", reason: "lost" }), { workerOptions });
    const exiting = toSync<Reader, "echo">(moduleUrl("exits-at-load"), "echo");
    assert.throws(() => exiting(1), { name: "ThreadError", reason: "exited", exitCode: 5 });
  });

  it("can be prepared: the thread is there then, or whoever prepares it is told why not", async () => {
    using later = toSync<Reader, "later">(moduleUrl("reader"), "later");
    await later.prepare();
    assert.equal(later(1, 0), 1);
    await later.prepare();
    using failing = toSync<Reader, "echo">(moduleUrl("throws-at-load"), "echo");
    await assert.rejects(failing.prepare(), { message: "at load" });
  });

  it("looks at a signal before it blocks", () => {
    using("never", (never) => assert.throws(never, { name: "AbortError" }), { signal: AbortSignal.abort() });
  });
});
