/** Modules in threads that call functions of their parent, and block until they have answered. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { callSignal, startThread } from "stackful/blocking";
import type { Thread, ThreadError } from "stackful/blocking";
import { later, moduleUrl } from "./harness.ts";

type Calculator = typeof import("./modules/calculator.ts");

const signals: AbortSignal[] = [];

const hostFunctions = {
  echo: (value: unknown): unknown => value,
  later: (value: unknown): Promise<unknown> => later(value),
  laterBy: (ms: number, value: number): Promise<number> => later(value, ms),
  double: async (value: number): Promise<number> => value * 2,
  compare: (a: number, b: number): Promise<number> => later(a - b),
  deep: { er: { three: async (): Promise<number> => 3 } },
  fail: (): Promise<never> =>
    Promise.reject(
      Object.assign(new TypeError("from the host", { cause: new Error("why") }), { path: "/x", f: () => {} }),
    ),
  never: (): Promise<never> => {
    signals.push(callSignal()!);
    return new Promise(() => {});
  },
  exitOther: async (): Promise<void> => {
    await thread?.terminate();
  },
  callBack: (value: number): Promise<number> => thread!.exports.add(value, 1),
  callBackLater: async (value: number): Promise<unknown> => {
    await later(0);
    return thread!.exports.addLater(value, 1);
  },
  giveFunction: (): unknown => () => {},
};
export type Host = typeof hostFunctions;

/** For threads that are expected to answer, on a machine that may be busy with something else. */
const PATIENT_MS = 10_000;

let thread: Thread<Calculator> | undefined;

/** One for all tests that leave it as it was. */
async function calculator(): Promise<Thread<Calculator>> {
  if (thread !== undefined && (await Promise.race([thread.ended, later(undefined, 0)])) !== undefined)
    thread = undefined;
  thread ??= await startThread<Calculator>(moduleUrl("calculator"), { host: hostFunctions, graceMs: PATIENT_MS });
  return thread;
}

after(() => thread?.close());

/** What `call` gives, as soon as the thread has called never(), where it is blocked. */
async function blocked<Result>(call: () => Promise<Result>): Promise<{ call: Promise<Result> }> {
  const before = signals.length;
  const pending = call();
  while (signals.length === before) await later(0, 1);
  return { call: pending };
}

describe("A thread", () => {
  it("answers calls of the functions that its module exports", async () => {
    const { exports } = await calculator();
    assert.equal(await exports.add(1, 2), 3);
    assert.equal(await exports.addLater(1, 2), 3);
    const many = await Promise.all(Array.from({ length: 100 }, (_, index) => exports.addLater(index, 1)));
    assert.deepEqual(
      many,
      Array.from({ length: 100 }, (_, index) => index + 1),
    );
  });

  it("calls functions of its host, which are asynchronous, as plain ones", async () => {
    const { exports } = await calculator();
    assert.equal(await exports.sum(100), 9900);
    assert.deepEqual(await exports.sortAndMap([3, 1, 2]), [2, 4, 6]);
    assert.equal(await exports.nested(), 3);
  });

  it("passes values both ways as they are", async () => {
    const { exports } = await calculator();
    const values = [
      undefined,
      null,
      -0,
      1n,
      "ж",
      [1, [2]],
      { a: new Map([[1, new Set([2])]]) },
      /x/g,
      new Uint8Array(100_000),
    ];
    for (const value of values) {
      assert.deepEqual(await exports.ask(value), value);
      assert.deepEqual(await exports.askLater(value), value);
    }
  });

  it("gets errors of the host with all that they have, as far as it can be passed on", async () => {
    const { exports } = await calculator();
    const error = (await exports.failAndCatch()) as TypeError & { path: string };
    assert.ok(error instanceof TypeError);
    assert.deepEqual([error.message, error.path, Object.hasOwn(error, "f")], ["from the host", "/x", false]);
    assert.equal((error.cause as Error).message, "why");
  });

  it("gives its errors to who has called it, also what is no error", async () => {
    const { exports } = await calculator();
    await assert.rejects(exports.fail(), { name: "RangeError", message: "from the thread", code: 7 });
    for (const value of [undefined, null, 0, "text", { a: 1 }]) {
      const caught: unknown[] = [];
      await exports.failWith(value).catch((error: unknown) => caught.push(error));
      assert.deepEqual(caught, [value]);
    }
  });

  it("says which function it does not have", async () => {
    const { call } = { call: (name: never) => thread!.call(name, [] as never) };
    await calculator();
    for (const name of ["missing", "notAFunction", "toString"]) {
      await assert.rejects(
        call(name as never),
        /Cannot call \w+: .*calculator\.[tj]s exports no such function; it exports add, /,
      );
    }
  });

  it("says which answer cannot be cloned, on both sides", async () => {
    const { exports } = await calculator();
    await assert.rejects(exports.cannotBeCloned(), {
      name: "DataCloneError",
      message: /what cannotBeCloned has answered/,
    });
    await assert.rejects(exports.give(1), { name: "DataCloneError", message: /what host\.giveFunction has answered/ });
    await assert.rejects(
      exports.ask(() => {}),
      { name: "DataCloneError" },
    );
    assert.equal(await exports.add(1, 1), 2);
  });

  it("is called by the host function that it is blocked in", async () => {
    const { exports } = await calculator();
    assert.equal(await exports.callBack(4), 5);
    await assert.rejects(exports.callBackLater(4), {
      name: "ThreadError",
      reason: "would-deadlock",
      message: /addLater: it is asynchronous/,
    });
    assert.equal(await exports.add(1, 1), 2);
  });

  it("gives up calls after their time, and never sees their answers", async () => {
    const { exports } = await calculator();
    await assert.rejects(exports.waitAtMost(20), {
      name: "TimeoutError",
      message: "host.never has not answered within 20 ms",
    });
    assert.equal(await exports.giveUpSometimes(200), 200);
    assert.equal(signals.at(-1)?.aborted, true);
  });

  it("is interrupted where it is blocked, when nobody waits for its call any more", async () => {
    const busy = await calculator();
    const controller = new AbortController();
    const { call } = await blocked(() => busy.call("waitForEver", [], { signal: controller.signal }));
    controller.abort(new Error("enough"));
    await assert.rejects(call, { message: "enough" });
    assert.equal(await busy.exports.add(1, 1), 2);
    await assert.rejects(busy.call("waitForEver", [], { timeoutMs: 20 }), {
      name: "TimeoutError",
      message: "waitForEver has not answered within 20 ms",
    });
    assert.equal(await busy.exports.add(1, 1), 2);
    assert.equal(signals.at(-1)?.aborted, false, "the host function was answered for, not abandoned");
  });

  it("is waited for as long as is said, and called with a list of arguments", async () => {
    const patient = await calculator();
    assert.equal(await patient.call("add", [1, 2], { timeoutMs: 2 ** 40 }), 3);
    assert.equal(await patient.call("add", [1, 2], { timeoutMs: Infinity }), 3);
    await assert.rejects(patient.call("add", undefined as never), {
      name: "TypeError",
      message: "Cannot call add: expected an array of arguments, received undefined",
    });
  });

  it("can catch an interrupt", async () => {
    const busy = await calculator();
    const { call } = await blocked(() => busy.exports.waitAndCatch());
    await busy.interrupt();
    assert.deepEqual(await call, ["caught", "AbortError"]);
  });

  it("is not started for nothing: a signal that has aborted, a thread that has ended", async () => {
    const own = await startThread<Calculator>(moduleUrl("calculator"), { host: hostFunctions });
    await assert.rejects(own.call("add", [1, 2], { signal: AbortSignal.abort("no") }), (error) => error === "no");
    await own.close();
    await assert.rejects(own.exports.add(1, 2), { name: "ThreadError", message: /^Cannot call add: The thread/ });
  });
});

describe("A thread that ends", () => {
  const ends = async (
    run: (own: Thread<Calculator>) => Promise<unknown>,
    expected: Partial<ThreadError>,
    workerOptions?: object,
  ): Promise<void> => {
    thread = undefined;
    const own = await startThread<Calculator>(moduleUrl("calculator"), {
      host: hostFunctions,
      graceMs: expected.reason === "unresponsive" ? 200 : PATIENT_MS,
      workerOptions,
    });
    thread = own;
    await assert.rejects(run(own), { name: "ThreadError", ...expected });
    const { reason } = await own.ended;
    assert.equal(reason, expected.reason);
  };

  it("by process.exit", () => ends(({ exports }) => exports.exit(3), { reason: "exited", exitCode: 3 }));
  it("by an error that nobody has caught", () =>
    ends(({ exports }) => exports.throwLater(), {
      reason: "failed",
      message: "Cannot call throwLater: The thread has ended with an error: TypeError: uncaught",
    }));
  it("by using too much memory", () =>
    ends(
      ({ exports }) => exports.exhaustMemory(),
      { reason: "out-of-memory" },
      { resourceLimits: { maxOldGenerationSizeMb: 32 }, stderr: true },
    ));
  it("because it is terminated while it is blocked", () =>
    ends(({ exports }) => exports.exitInHost(), { reason: "terminated" }));
  it("because it spins when its call has taken too long", () =>
    ends(
      async (own) => {
        await assert.rejects(own.call("spin", [], { timeoutMs: 20 }), { name: "TimeoutError" });
        return own.exports.add(1, 1);
      },
      { reason: "unresponsive" },
    ));
  it("because it waits again when its call has taken too long", () =>
    ends(
      async (own) => {
        await assert.rejects(own.call("waitAgainAndAgain", [], { timeoutMs: 20 }), { name: "TimeoutError" });
        return own.exports.add(1, 1);
      },
      { reason: "unresponsive" },
    ));
  it("because it goes on after it was interrupted", () =>
    ends(
      async (own) => {
        const { call } = await blocked(() => own.exports.spinAfterInterrupt());
        await own.interrupt();
        return call;
      },
      { reason: "unresponsive" },
    ));

  it("is closed while it is blocked, and runs what it has to clean up", async () => {
    const own = await startThread<Calculator>(moduleUrl("calculator"), { host: hostFunctions });
    const { call } = await blocked(() => own.exports.waitAndCatch());
    const closing = own.close();
    assert.deepEqual(await call, ["caught", "ThreadError"]);
    await closing;
    assert.equal((await own.ended).reason, "exited");
  });

  it("is closed while it spins", async () => {
    const own = await startThread<Calculator>(moduleUrl("calculator"), { host: hostFunctions, graceMs: 100 });
    const spinning = assert.rejects(own.exports.spin(), { reason: "closed" });
    await own.close();
    await spinning;
  });

  it("before its module has been loaded", async () => {
    await assert.rejects(startThread(moduleUrl("missing")), { code: "ERR_MODULE_NOT_FOUND" });
    await assert.rejects(startThread(moduleUrl("throws-at-load")), { message: "at load" });
    await assert.rejects(startThread(moduleUrl("exits-at-load")), {
      name: "ThreadError",
      reason: "exited",
      exitCode: 5,
    });
  });
});
