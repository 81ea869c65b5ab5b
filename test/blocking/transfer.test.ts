/** What is moved into another thread is gone from this one. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { MessageChannel } from "node:worker_threads";
import { startThread, toSync, transfer, workerCoroutine } from "stackful/blocking";
import type { Thread } from "stackful/blocking";
import { moduleUrl } from "./harness.ts";

type Mover = typeof import("./modules/mover.ts");

/** What the host has moved. */
const moved: Uint8Array[] = [];

const hostFunctions = {
  echo: (value: unknown): unknown => value,
  take: async (bytes: Uint8Array): Promise<Uint8Array> => {
    const answer = new Uint8Array(bytes.length + 1);
    moved.push(answer);
    return transfer(answer, [answer.buffer]);
  },
};
export type Host = typeof hostFunctions;

const SIZES = [3, 100_000, 2_000_000];

describe("transfer()", () => {
  let thread: Thread<Mover>;
  before(async () => {
    thread = await startThread<Mover>(moduleUrl("mover"), { host: hostFunctions });
  });
  after(() => thread.close());

  it("moves arguments and answers of calls", async () => {
    for (const size of SIZES) {
      const bytes = new Uint8Array(size).fill(7);
      for (const name of ["giveBack", "giveBackLater"] as const) {
        const call = thread.exports[name](transfer(bytes.slice(), []));
        assert.deepEqual(await call, bytes);
      }
      const given = bytes.slice();
      const call = thread.exports.giveBack(transfer(given, [given.buffer]));
      assert.equal(given.length, 0);
      assert.deepEqual(await call, bytes);
    }
  });

  it("moves arguments of host functions, and their answers", async () => {
    assert.deepEqual(await thread.exports.moveToHost(), [0, 100_001]);
    assert.deepEqual(
      moved.map(({ length }) => length),
      [0],
    );
  });

  it("moves what cannot be cloned", async () => {
    const { port1, port2 } = new MessageChannel();
    const heard = new Promise((resolve) => port1.once("message", resolve));
    // A port of Node is what the platform takes, though TypeScript's library has another type for it.
    await thread.exports.speak(transfer(port2, [port2 as unknown as Transferable]), "moved");
    assert.equal(await heard, "moved");
    port1.close();
    const another = new MessageChannel().port1;
    await assert.rejects(thread.exports.speak(another, "not marked"), { name: "DataCloneError" });
    another.close();
  });

  it("moves a buffer once that two arguments have", async () => {
    const { buffer } = new Uint8Array([1, 2, 3]);
    const [first, second] = [new Uint8Array(buffer, 0, 1), new Uint8Array(buffer, 1)];
    assert.equal(
      await thread.exports.join(transfer(first, [buffer]), transfer(second, [buffer])),
      "1,2,3 of one buffer",
    );
    assert.equal(buffer.byteLength, 0);
  });

  it("does not count for the next call if the thread is not called", async () => {
    const bytes = new Uint8Array(10);
    const signal = AbortSignal.abort(new Error("before"));
    await assert.rejects(thread.call("giveBack", [transfer(bytes, [bytes.buffer])], { signal }), { message: "before" });
    await thread.exports.ask(bytes);
    assert.equal(bytes.length, 10);
  });

  it("is looked for in long lists", async () => {
    const long = Array.from({ length: 300_000 }, (_, index) => index);
    assert.deepEqual(await thread.exports.ask(transfer(long, [])), long);
    assert.deepEqual(await thread.exports.ask(long), long);
  });

  it("counts once, and says what cannot be moved", async () => {
    const bytes = new Uint8Array(10);
    await thread.exports.giveBack(transfer(bytes, []));
    const again = thread.exports.giveBack(bytes);
    assert.equal(bytes.length, 10);
    assert.equal((await again).length, 10);
    await assert.rejects(thread.exports.giveBack(transfer(bytes, ["text" as never])), {
      name: /TypeError|DataCloneError/,
    });
    assert.equal((await thread.exports.giveBack(bytes)).length, 10);
  });

  it("moves arguments and answers of functions that block", () => {
    using giveBack = toSync<Mover, "giveBackLater">(moduleUrl("mover"), "giveBackLater");
    for (const size of SIZES) {
      const bytes = new Uint8Array(size).fill(9);
      const given = bytes.slice();
      assert.deepEqual(giveBack(transfer(given, [given.buffer])), bytes);
      assert.equal(given.length, 0);
    }
    const detached = new Uint8Array(100_000);
    structuredClone(detached, { transfer: [detached.buffer] });
    assert.throws(() => giveBack(transfer(detached, [detached.buffer])), { name: "DataCloneError" });
    assert.deepEqual(giveBack(new Uint8Array(1)), new Uint8Array(1));
  });

  it("moves what a coroutine suspends with, and what it is resumed with", () => {
    const coroutine = workerCoroutine<Mover, "suspendWith">(moduleUrl("mover"), "suspendWith");
    const bytes = new Uint8Array(100_000);
    const first = coroutine.resume(bytes);
    assert.equal((first.value as Uint8Array).length, 100_000);
    const second = new Uint8Array(5);
    assert.deepEqual(coroutine.resume(transfer(second, [second.buffer])), { done: true, value: [0, 5] });
    assert.equal(second.length, 0);
  });
});

describe("A value that calls while it is written", () => {
  it("is large, and has properties of its own", async () => {
    await using thread = await startThread<Mover>(moduleUrl("mover"), { host: hostFunctions });
    assert.equal(await thread.exports.askWithViewThatAsks(), 100_000);
  });

  it("has a getter that asks the other thread", async () => {
    await using thread = await startThread<Mover>(moduleUrl("mover"), { host: hostFunctions });
    for (const size of [3, 5000, 100_000]) {
      assert.deepEqual(await thread.exports.askInGetter(size), {
        first: "x".repeat(size),
        second: ["from the getter", new Uint8Array(size)],
        third: 3,
      });
    }
  });
});
