/** Ways to end a coroutine before its body does: unwind with cleanups, reset without, dispose, leave a loop. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { ForcedUnwind, Trap, suspend } from "stackful";
import type { Coroutine, CoroutineOptions } from "stackful";
import { defer, rejection, turn } from "./harness.ts";
import type { Suite } from "./harness.ts";
import { generatorHost } from "./values.ts";

interface Body {
  readonly coroutine: Coroutine;
  /** Numbers that the guest has cleaned up. */
  readonly cleanups: number[];
  /** What the guest waited for. */
  readonly waits: number[];
}

/** A coroutine in a guest whose every wait suspends it; with `body` made of all the exports of catch-* and cleanup-*. */
async function make(suite: Suite, guest: string, name: string, options: CoroutineOptions = {}): Promise<Body> {
  const [cleanups, waits]: number[][] = [[], []];
  const host = {
    wait: (id: number) => {
      waits!.push(id);
      return suspend(id);
    },
    cleanup: (id: number) => {
      cleanups!.push(id);
    },
  };
  const instance = await suite.instantiate(guest, { host });
  return { coroutine: instance.coroutine(name, options), cleanups: cleanups!, waits: waits! };
}

function assertEnded(coroutine: Coroutine, state: string): void {
  assert.deepEqual([coroutine.started, coroutine.done, coroutine.state], [true, true, state]);
}

const CLEANUP_GUESTS = ["cleanup-legacy", "cleanup-exnref"];
const CATCH_GUESTS = ["catch-legacy", "catch-exnref"];

export function unwinding(suite: Suite): void {
  describe("Force unwind", () => {
    for (const guest of CLEANUP_GUESTS) describe(guest, () => forceUnwind(suite, guest));
    for (const guest of CATCH_GUESTS) describe(guest, () => forceUnwindCaught(suite, guest));
    describe("of any guest", () => endings(suite));
  });
  describe("Force reset", () => {
    for (const guest of [...CLEANUP_GUESTS, ...CATCH_GUESTS]) describe(guest, () => forceReset(suite, guest));
  });
  describe("Laziness", () => laziness(suite));
  describe("Wormhole", () => wormhole(suite));
}

function forceUnwind(suite: Suite, guest: string): void {
  suite.it("a: never started, nothing runs", async () => {
    const { coroutine, cleanups, waits } = await make(suite, guest, "guard");
    await coroutine.unwind();
    assertEnded(coroutine, "unwound");
    assert.deepEqual([cleanups, waits], [[], []]);
  });

  suite.it("b: suspended, its destructors run", async () => {
    const { coroutine, cleanups } = await make(suite, guest, "guard");
    await coroutine.resumeAsync(7);
    assert.deepEqual(cleanups, []);
    await coroutine.unwind();
    assertEnded(coroutine, "unwound");
    assert.deepEqual(cleanups, [7]);
  });

  suite.it("b: suspended deep in the stack, destructors run innermost first", async () => {
    const { coroutine, cleanups } = await make(suite, guest, "guard_deep", { args: [2, 5] });
    await coroutine.resumeAsync(0);
    await coroutine.unwind();
    assert.deepEqual(cleanups, [200, 201, 202, 203, 204, 205]);
  });

  suite.it("e: already done, does nothing", async () => {
    const { coroutine, cleanups } = await make(suite, guest, "guard");
    await coroutine.resumeAsync(7);
    assert.deepEqual(await coroutine.resumeAsync(8), { done: true, value: 8 });
    assert.deepEqual(cleanups, [7]);
    await coroutine.unwind();
    await coroutine.reset();
    assertEnded(coroutine, "returned");
    assert.deepEqual(cleanups, [7]);
  });

  suite.it("drop stack with unwind", async () => {
    const { coroutine, cleanups } = await make(suite, guest, "guard");
    {
      await using scoped = coroutine;
      await scoped.resumeAsync(3);
      assert.equal(scoped.done, false);
    }
    assert.deepEqual(cleanups, [3]);
    assertEnded(coroutine, "unwound");
  });

  suite.it("a destructor that waits is refused, which is a trap of C++", async () => {
    const { coroutine, cleanups } = await make(suite, guest, "guard_waits");
    await coroutine.resumeAsync(1);
    const error = await rejection(coroutine.unwind());
    assert.ok(error instanceof Trap && error.kind === "unreachable");
    assert.deepEqual(cleanups, []);
    assert.equal(coroutine.done, true);
  });
}

function forceUnwindCaught(suite: Suite, guest: string): void {
  suite.it("c: the body catches it and returns", async () => {
    const { coroutine } = await make(suite, guest, "await_in_try");
    await coroutine.resumeAsync(1);
    await coroutine.unwind();
    assertEnded(coroutine, "unwound");
  });

  suite.it("d: the body catches it and suspends again", async () => {
    const { coroutine, waits } = await make(suite, guest, "swallow");
    await coroutine.resumeAsync(3);
    await coroutine.unwind();
    assertEnded(coroutine, "unwound");
    assert.deepEqual(waits, [0, 1, 2], "it is sent again at each suspension");
  });

  suite.it("unwinds a body 1000 times that catches it 1000 times", async () => {
    const { coroutine, waits } = await make(suite, guest, "swallow");
    await coroutine.resumeAsync(1000);
    await coroutine.unwind();
    assertEnded(coroutine, "unwound");
    assert.equal(waits.length, 1000);
  });

  suite.it("ends a body that catches it for ever with a trap", async () => {
    const { coroutine, waits } = await make(suite, guest, "swallow_forever");
    await coroutine.resumeAsync(0);
    await coroutine.unwind();
    assertEnded(coroutine, "unwound");
    assert.ok(waits.length > 1000 && waits.length < 1100, String(waits.length));
  });

  suite.it("runs the cleanups of every frame, innermost first", async () => {
    const { coroutine, cleanups } = await make(suite, guest, "guard_deep");
    await coroutine.resumeAsync(4);
    await coroutine.unwind();
    assert.deepEqual(cleanups, [1, 2, 3, 4]);
  });

  suite.it("ends a body that waits in its handler", async () => {
    const { coroutine, waits } = await make(suite, guest, "guard_waits");
    await coroutine.resumeAsync(2);
    await coroutine.unwind();
    assertEnded(coroutine, "unwound");
    assert.deepEqual(waits, [2, 200]);
  });

  suite.it("rejects with an error that a cleanup throws instead", async () => {
    const { coroutine, cleanups } = await make(suite, guest, "guard_throws");
    await coroutine.resumeAsync(2);
    const error = await rejection(coroutine.unwind());
    assert.ok(error instanceof (WebAssembly as unknown as { Exception: new () => object }).Exception);
    assert.deepEqual(cleanups, [2]);
    assert.equal(coroutine.done, true);
  });

  suite.it("throws into a body that catches it", async () => {
    const { coroutine } = await make(suite, guest, "await_in_try");
    await coroutine.resumeAsync(1);
    assert.deepEqual(await coroutine.throwAsync(new Error("thrown")), { done: true, value: -1 });
    assertEnded(coroutine, "returned");
  });

  suite.it("throws into a body that cleans up, and the error keeps its identity", async () => {
    const { coroutine, cleanups } = await make(suite, guest, "guard_deep");
    await coroutine.resumeAsync(2);
    const thrown = new Error("thrown");
    assert.equal(await rejection(coroutine.throwAsync(thrown)), thrown);
    assertEnded(coroutine, "threw");
    assert.deepEqual(cleanups, [1, 2]);
  });

  suite.it("throws into a body that suspends again", async () => {
    const { coroutine } = await make(suite, guest, "swallow");
    await coroutine.resumeAsync(3);
    assert.deepEqual(await coroutine.throwAsync(null), { done: false, value: 1 });
    assert.deepEqual(await coroutine.throwAsync(undefined), { done: false, value: 2 });
    assert.deepEqual(await coroutine.throwAsync("text"), { done: true, value: 3 });
  });
}

function endings(suite: Suite): void {
  suite.it("names its reason as the cause", async () => {
    const seen: unknown[] = [];
    const pending = defer();
    const instance = await suite.instantiate("no-memory", { host: { wait: () => pending.promise } });
    const coroutine = instance.coroutine("run");
    const step = rejection(coroutine.resumeAsync(1)).then((error) => seen.push(error));
    const reason = new Error("why");
    await coroutine.unwind(reason);
    await step;
    assert.ok(seen[0] instanceof ForcedUnwind);
    assert.equal(seen[0].cause, reason);
  });

  suite.it("reaches a body that awaits a host promise, and its pending resume", async () => {
    const pending = defer();
    const instance = await suite.instantiate("frames-exported-sp", {
      host: { wait: () => pending.promise, fill: () => {} },
    });
    const coroutine = instance.coroutine("frame");
    const step = rejection(coroutine.resumeAsync(1));
    assert.equal(coroutine.state, "running");
    await coroutine.unwind();
    assert.ok((await step) instanceof ForcedUnwind);
    assertEnded(coroutine, "unwound");
  });

  suite.it("twice settles both", async () => {
    const { coroutine, cleanups } = await make(suite, "cleanup-legacy", "guard");
    await coroutine.resumeAsync(7);
    await Promise.all([coroutine.unwind(), coroutine.unwind(), coroutine.reset()]);
    assert.deepEqual(cleanups, [7]);
    assert.equal(coroutine.done, true);
    await coroutine.unwind();
  });

  suite.it("of one that never started is done at once", async () => {
    const { coroutine } = await make(suite, "cleanup-legacy", "guard");
    const ended = coroutine.unwind();
    assertEnded(coroutine, "unwound");
    await ended;
  });

  suite.it("and reset of one that never started both settle", async () => {
    const { coroutine } = await make(suite, "cleanup-legacy", "guard");
    await Promise.race([Promise.all([coroutine.unwind(), coroutine.reset()]), tooLate("unwind() and reset()")]);
    assert.equal(coroutine.done, true);
  });

  suite.it("by a dispose of the scope, suspended and never started", async () => {
    const started = await make(suite, "cleanup-legacy", "guard");
    const created = await make(suite, "cleanup-legacy", "guard");
    await started.coroutine.resumeAsync(9);
    {
      using first = started.coroutine;
      using second = created.coroutine;
      assert.deepEqual([first.done, second.done], [false, false]);
    }
    await turn();
    assertEnded(started.coroutine, "unwound");
    assertEnded(created.coroutine, "unwound");
    assert.deepEqual([started.cleanups, created.cleanups], [[9], []]);
  });

  suite.it("when a loop over it is left", async () => {
    const instance = await suite.instantiate("generator", generatorHost());
    const coroutine = instance.coroutine<number, number, void>("count");
    const found: number[] = [];
    for await (const value of coroutine) {
      found.push(value);
      if (value === 3) break;
    }
    assert.deepEqual(found, [0, 1, 2, 3]);
    assert.equal(coroutine.state, "unwound");
  });

  suite.it("from inside itself ends it at its next suspension", async () => {
    const waits: number[] = [];
    const ended: Promise<void>[] = [];
    const instance = await suite.instantiate("no-memory", {
      host: {
        wait: (id: number) => {
          waits.push(id);
          if (waits.length === 1) ended.push(coroutine.unwind());
          return suspend(id);
        },
      },
    });
    const coroutine: Coroutine = instance.coroutine("run");
    assert.ok((await rejection(coroutine.resumeAsync(1))) instanceof ForcedUnwind);
    await ended[0];
    assertEnded(coroutine, "unwound");
    assert.deepEqual(waits, [1]);
  });

  suite.it("gives its stack back", async () => {
    const instance = await suite.instantiate("generator", generatorHost());
    for (let round = 0; round < 50; round++) {
      const all = [1, 2, 3].map((first) => instance.coroutine("count", { args: [first] }));
      await Promise.all(all.map((coroutine) => coroutine.resumeAsync(0)));
      await Promise.all(all.map((coroutine) => coroutine.unwind()));
    }
    assert.equal(instance.stacks.size, 2);
  });
}

async function tooLate(what: string): Promise<never> {
  for (let count = 0; count < 50; count++) await turn();
  assert.fail(`${what} did not settle`);
}

function forceReset(suite: Suite, guest: string): void {
  const name = "guard_deep";
  const options = guest.startsWith("cleanup") ? { args: [1, 3] } : { args: [3] };

  suite.it("never started, nothing runs", async () => {
    const { coroutine, waits } = await make(suite, guest, name, options);
    await coroutine.reset();
    assertEnded(coroutine, "reset");
    assert.deepEqual(waits, []);
  });

  suite.it("suspended, no cleanup runs", async () => {
    const { coroutine, cleanups } = await make(suite, guest, name, options);
    await coroutine.resumeAsync(0);
    await coroutine.reset();
    assertEnded(coroutine, "reset");
    assert.deepEqual(cleanups, []);
  });

  suite.it("while it awaits a host promise, no cleanup runs", async () => {
    const cleanups: number[] = [];
    const instance = await suite.instantiate(guest, {
      host: { wait: () => defer().promise, cleanup: (id: number) => void cleanups.push(id) },
    });
    const coroutine = instance.coroutine(name, options);
    const step = rejection(coroutine.resumeAsync(0));
    await coroutine.reset();
    assert.ok((await step) instanceof Error);
    assertEnded(coroutine, "reset");
    assert.deepEqual(cleanups, []);
  });
}

function laziness(suite: Suite): void {
  suite.it("async yield, drop without poll: nothing runs", async () => {
    const { coroutine, waits } = await make(suite, "catch-legacy", "guard");
    await turn();
    assert.deepEqual([coroutine.started, waits], [false, []]);
  });

  suite.it("async yield, drop with one poll: the code after the suspension never runs", async () => {
    const lines: string[] = [];
    const instance = await suite.instantiate("generator", generatorHost(lines));
    const coroutine = instance.coroutine("generate");
    await coroutine.resumeAsync(1);
    await coroutine.unwind();
    assert.deepEqual(lines, ["[coroutine] coroutine started with input 1", "[coroutine] yielding 0"]);
  });

  suite.it("a coroutine that waits for its turn and is unwound never runs", async () => {
    const waits: number[] = [];
    const pending = defer();
    const host = {
      wait: (id: number) => {
        waits.push(id);
        return pending.promise;
      },
    };
    const instance = await suite.instantiate("foreign-stack", { host });
    const first = instance.getAsync("run")(1);
    const coroutine = instance.coroutine("run");
    const step = rejection(coroutine.resumeAsync(2));
    assert.equal(instance.waiting, 1);
    await Promise.race([coroutine.unwind(), tooLate("unwind()")]).finally(() => pending.resolve(0));
    assert.ok((await step) instanceof ForcedUnwind);
    assertEnded(coroutine, "unwound");
    assert.equal(await first, 1000);
    assert.deepEqual(waits, [1]);
    assert.equal(instance.waiting, 0);
  });
}

function wormhole(suite: Suite): void {
  suite.it("runs nothing before the first then, and once for all who ask", async () => {
    const calls: number[] = [];
    const instance = await suite.instantiate("no-memory", {
      host: {
        wait: async (id: number) => {
          calls.push(id);
          return 1;
        },
      },
    });
    const hole = instance.wormhole<number>("run", [4]);
    await turn();
    assert.deepEqual([hole.started, calls], [false, []]);
    assert.deepEqual([await hole, await hole, hole.started], [4002, 4002, true]);
    assert.deepEqual(calls, [4, 4]);
  });

  suite.it("cancelled before it starts never starts", async () => {
    const { instance, calls } = await counting(suite);
    const hole = instance.wormhole("run", [4]);
    const reason = new Error("no longer wanted");
    await hole.cancel(reason);
    assert.equal(await rejection(hole), reason);
    assert.deepEqual(calls, []);
  });

  suite.it("cancelled while it waits unwinds its guest", async () => {
    const cleanups: number[] = [];
    const instance = await suite.instantiate("cleanup-legacy", {
      host: { wait: () => defer().promise, cleanup: (id: number) => void cleanups.push(id) },
    });
    const reason = new Error("no longer wanted");
    const hole = instance.wormhole("guard", [4]);
    const result = rejection(hole);
    await turn();
    await hole.cancel(reason);
    assert.equal(await result, reason);
    assert.deepEqual(cleanups, [4]);
  });

  suite.it("left by a scope is cancelled", async () => {
    const { instance, calls } = await counting(suite);
    let result: Promise<unknown>;
    {
      await using hole = instance.wormhole("run", [4]);
      result = rejection(hole);
      await turn();
    }
    assert.ok((await result) instanceof ForcedUnwind);
    assert.deepEqual(calls, [4]);
  });

  suite.it("is cancelled by the signal it was given, before and after its start", async () => {
    const { instance } = await counting(suite);
    for (const startsFirst of [true, false]) {
      const controller = new AbortController();
      const hole = instance.wormhole("run", [4], { signal: controller.signal });
      const started = startsFirst ? rejection(hole) : undefined;
      controller.abort("reason");
      assert.equal(await (started ?? rejection(hole)), "reason");
    }
  });

  suite.it("has balanced hooks around every stay on its stack", async () => {
    const events: string[] = [];
    const instance = await suite.instantiate("no-memory", {
      host: {
        wait: async () => {
          events.push("host");
          return 1;
        },
      },
    });
    const hooks = { onEnter: () => void events.push("enter"), onLeave: () => void events.push("leave") };
    await instance.wormhole("run", [4], hooks);
    assert.deepEqual(events, ["enter", "host", "leave", "enter", "host", "leave", "enter", "leave"]);
  });
}

async function counting(
  suite: Suite,
): Promise<{ instance: Awaited<ReturnType<Suite["instantiate"]>>; calls: number[] }> {
  const calls: number[] = [];
  const wait = (id: number): Promise<unknown> => {
    calls.push(id);
    return defer().promise;
  };
  return { instance: await suite.instantiate("no-memory", { host: { wait } }), calls };
}
