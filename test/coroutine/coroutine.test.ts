/** The states of a coroutine, with a fiber that the test plays. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BackendUnavailableError, Coroutine, ForcedUnwind, ResumeError } from "stackful";
import type { Fiber } from "#src/coroutine/fiber";
import { defer, errorOf, rejection, turn } from "../conformance/harness.ts";
import type { Deferred } from "../conformance/harness.ts";

type Step = IteratorResult<string, string>;

class FakeFiber implements Fiber<number, string, string> {
  readonly events: unknown[][] = [];
  readonly signal = undefined;
  readonly syncRefusal: Fiber<number, string, string>["syncRefusal"];
  step: Deferred<Step> = defer();
  ended: Deferred<void> = defer();
  syncStep: () => Step = () => ({ done: false, value: "synchronous" });

  constructor(syncRefusal?: Fiber<number, string, string>["syncRefusal"]) {
    this.syncRefusal = syncRefusal;
  }

  resume(input: number): Promise<Step> {
    this.events.push(["resume", input]);
    this.step = defer();
    return this.step.promise;
  }

  hasEnded = false;
  requireRoom: () => void = () => {};

  resumeSync(input: number): Step {
    this.events.push(["resumeSync", input]);
    return this.syncStep();
  }

  throwSync(error: unknown): Step {
    this.events.push(["throwSync", error]);
    return this.syncStep();
  }

  throw(error: unknown): Promise<Step> {
    this.events.push(["throw", error]);
    this.step = defer();
    return this.step.promise;
  }

  unwind(reason?: unknown): Promise<void> {
    this.events.push(["unwind", reason]);
    return this.ended.promise;
  }

  reset(): Promise<void> {
    this.events.push(["reset"]);
    return this.ended.promise;
  }
}

function make(syncRefusal?: ConstructorParameters<typeof FakeFiber>[0]): {
  fiber: FakeFiber;
  coroutine: Coroutine<number, string, string>;
} {
  const fiber = new FakeFiber(syncRefusal);
  return { fiber, coroutine: new Coroutine(fiber) };
}

describe("Coroutine", () => {
  it("goes from created over running and suspended to returned", async () => {
    const { fiber, coroutine } = make();
    assert.deepEqual([coroutine.state, coroutine.started, coroutine.done], ["created", false, false]);
    const first = coroutine.resumeAsync(1);
    assert.deepEqual([coroutine.state, coroutine.started, coroutine.done], ["running", true, false]);
    fiber.step.resolve({ done: false, value: "yielded" });
    assert.deepEqual(await first, { done: false, value: "yielded" });
    assert.deepEqual([coroutine.state, coroutine.started, coroutine.done], ["suspended", true, false]);
    const second = coroutine.resumeAsync(2);
    fiber.step.resolve({ done: true, value: "returned" });
    assert.deepEqual(await second, { done: true, value: "returned" });
    assert.deepEqual([coroutine.state, coroutine.started, coroutine.done], ["returned", true, true]);
    assert.deepEqual(fiber.events, [
      ["resume", 1],
      ["resume", 2],
    ]);
  });

  it("passes an error of the body on and is done", async () => {
    const { fiber, coroutine } = make();
    const step = rejection(coroutine.resumeAsync(1));
    const error = new Error("body");
    fiber.step.reject(error);
    assert.equal(await step, error);
    assert.deepEqual([coroutine.state, coroutine.done], ["threw", true]);
  });

  it("never throws from resumeAsync() and throwAsync(): they reject", async () => {
    const { coroutine } = make();
    void coroutine.resumeAsync(1);
    for (const again of [coroutine.resumeAsync(2), coroutine.throwAsync(3)]) {
      const error = await rejection(again);
      assert.ok(error instanceof ResumeError);
      assert.equal(error.state, "running");
    }
  });

  it("ends at once when an error is thrown into it before it has started", async () => {
    const { fiber, coroutine } = make();
    assert.equal(await rejection(coroutine.throwAsync("error")), "error");
    assert.equal(coroutine.state, "threw");
    assert.ok(!fiber.events.some(([event]) => event === "throw" || event === "resume"));
  });

  it("throws into a suspended body, which may go on", async () => {
    const { fiber, coroutine } = make();
    const first = coroutine.resumeAsync(1);
    fiber.step.resolve({ done: false, value: "yielded" });
    await first;
    const second = coroutine.throwAsync("error");
    fiber.step.resolve({ done: false, value: "caught" });
    assert.deepEqual(await second, { done: false, value: "caught" });
    assert.equal(coroutine.state, "suspended");
    assert.deepEqual(fiber.events.at(-1), ["throw", "error"]);
  });

  it("is unwound once, however often it is asked", async () => {
    const { fiber, coroutine } = make();
    const first = coroutine.resumeAsync(1);
    fiber.step.resolve({ done: false, value: "yielded" });
    await first;
    const ended = [coroutine.unwind("reason"), coroutine.unwind("other"), coroutine[Symbol.asyncDispose]()];
    assert.match(String(await rejection(coroutine.resumeAsync(2))), /it is being unwound/);
    fiber.ended.resolve();
    await Promise.all(ended);
    assert.equal(coroutine.state, "unwound");
    assert.deepEqual(
      fiber.events.filter(([event]) => event === "unwind"),
      [["unwind", "reason"]],
    );
    await coroutine.unwind();
  });

  it("is unwound also when a cleanup fails, and says so", async () => {
    const { fiber, coroutine } = make();
    const step = rejection(coroutine.resumeAsync(1));
    const ended = rejection(coroutine.unwind());
    fiber.ended.reject("cleanup");
    fiber.step.reject("cleanup");
    assert.deepEqual([await ended, await step], ["cleanup", "cleanup"]);
    assert.equal(coroutine.state, "unwound");
  });

  it("keeps its state while its pending resume is told that it was unwound", async () => {
    const { fiber, coroutine } = make();
    const step = rejection(coroutine.resumeAsync(1));
    const ended = coroutine.unwind();
    const error = new ForcedUnwind();
    fiber.step.reject(error);
    assert.equal(await step, error);
    assert.equal(coroutine.done, false);
    fiber.ended.resolve();
    await ended;
    assert.equal(coroutine.state, "unwound");
  });

  it("is done at once when it is unwound or reset before it has started, and runs nothing", async () => {
    for (const end of ["unwind", "reset"] as const) {
      const { fiber, coroutine } = make();
      const ended = coroutine[end]();
      assert.deepEqual([coroutine.done, coroutine.started], [true, true]);
      await ended;
      await coroutine[end === "unwind" ? "reset" : "unwind"]();
      assert.equal(coroutine.state, end === "unwind" ? "unwound" : "reset");
      assert.ok(!fiber.events.some(([event]) => event === "resume"));
    }
  });

  it("resumes synchronously where the backend can", () => {
    const { fiber, coroutine } = make();
    assert.deepEqual(coroutine.resume(1), { done: false, value: "synchronous" });
    assert.equal(coroutine.state, "suspended");
    fiber.syncStep = () => ({ done: true, value: "end" });
    assert.deepEqual(coroutine.resume(2), { done: true, value: "end" });
    assert.equal(coroutine.state, "returned");
    assert.ok(errorOf(() => coroutine.resume(3)) instanceof ResumeError);
  });

  it("passes an error of a synchronous resume on and is done", () => {
    const { fiber, coroutine } = make();
    fiber.syncStep = () => {
      throw new RangeError("body");
    };
    assert.match(String(errorOf(() => coroutine.resume(1))), /RangeError: body/);
    assert.equal(coroutine.state, "threw");
  });

  it("refuses a synchronous resume where the backend cannot, and nothing has happened", () => {
    const { fiber, coroutine } = make({ backend: "fake", reason: "it is not real" });
    const error = errorOf(() => coroutine.resume(1));
    assert.ok(error instanceof BackendUnavailableError);
    assert.deepEqual(error.tried, [{ backend: "fake", reason: "it is not real" }]);
    assert.equal(coroutine.state, "created");
    assert.deepEqual(fiber.events, []);
  });

  it("is not ended by an iterator that could not even start", () => {
    const { coroutine } = make({ backend: "fake", reason: "it is not real" });
    assert.ok(errorOf(() => [...coroutine]) instanceof BackendUnavailableError);
    assert.equal(coroutine.state, "created");
  });

  it("is a generator where the backend can resume synchronously", () => {
    const { fiber, coroutine } = make();
    let rest = ["a", "b", "c"];
    fiber.syncStep = () => {
      const [first] = rest;
      rest = rest.slice(1);
      return first === undefined ? { done: true, value: "end" } : { done: false, value: first };
    };
    assert.deepEqual([...coroutine], ["a", "b", "c"]);
    assert.equal(coroutine.state, "returned");
  });

  it("is thrown into by throw() of its generator, and goes on if the body catches it", () => {
    const { fiber, coroutine } = make();
    const generator = coroutine[Symbol.iterator]();
    generator.next();
    assert.deepEqual(generator.throw("thrown"), { done: false, value: "synchronous" });
    assert.deepEqual(generator.next(4), { done: false, value: "synchronous" });
    fiber.syncStep = () => {
      throw new Error("left");
    };
    assert.throws(() => generator.throw("again"), /left/);
    assert.deepEqual(
      fiber.events.map(([name, value]) => [name, value]),
      [
        ["resumeSync", undefined],
        ["throwSync", "thrown"],
        ["resumeSync", 4],
        ["throwSync", "again"],
      ],
    );
    assert.equal(coroutine.state, "threw");
  });

  it("lets go of what a body holds that is thrown into before it begins", async () => {
    const sync = make();
    assert.equal(
      errorOf(() => sync.coroutine.throw("early")),
      "early",
    );
    const { fiber, coroutine } = make();
    assert.equal(await rejection(coroutine.throwAsync("early")), "early");
    assert.deepEqual([sync.fiber.events, fiber.events], [[["reset"]], [["reset"]]]);
    assert.deepEqual([sync.coroutine.state, coroutine.state], ["threw", "threw"]);
  });

  it("stays what it is when there is no room to enter it", async () => {
    const { fiber, coroutine } = make();
    fiber.requireRoom = () => {
      throw new RangeError("no room");
    };
    assert.match(String(errorOf(() => coroutine.resume(1))), /no room/);
    assert.match(String(await rejection(coroutine.resumeAsync(1))), /no room/);
    assert.equal(coroutine.state, "created");
    assert.deepEqual(fiber.events, []);
  });

  it("is unwound when a loop over it is left", async () => {
    const { fiber, coroutine } = make();
    for (const value of coroutine) {
      assert.equal(value, "synchronous");
      break;
    }
    fiber.ended.resolve();
    await turn();
    assert.equal(coroutine.state, "unwound");
  });

  it("answers as an async generator does after its end", async () => {
    const { fiber, coroutine } = make();
    const iterator = coroutine[Symbol.asyncIterator]();
    const first = iterator.next();
    fiber.step.resolve({ done: true, value: "end" });
    assert.deepEqual(await first, { done: true, value: "end" });
    assert.deepEqual(await iterator.next(), { done: true, value: undefined });
    assert.deepEqual(await iterator.return("given"), { done: true, value: "given" });
    assert.equal(await rejection(iterator.throw("error")), "error");
    assert.equal(iterator[Symbol.asyncIterator](), iterator);
  });

  it("takes the steps that are asked for at once in turn, as an async generator does", async () => {
    const { fiber, coroutine } = make();
    const iterator = coroutine[Symbol.asyncIterator]();
    const steps = [iterator.next(1), iterator.next(2), iterator.next(3), iterator.next(4)];
    for (const value of ["a", "b"]) {
      fiber.step.resolve({ done: false, value });
      await turn();
    }
    fiber.step.resolve({ done: true, value: "end" });
    assert.deepEqual(await Promise.all(steps), [
      { done: false, value: "a" },
      { done: false, value: "b" },
      { done: true, value: "end" },
      { done: true, value: undefined },
    ]);
    assert.deepEqual(
      fiber.events.map(([, input]) => input),
      [1, 2, 3],
    );
  });

  it("goes on with the next step that was asked for after one that has failed", async () => {
    const { fiber, coroutine } = make();
    const iterator = coroutine[Symbol.asyncIterator]();
    const [first, second] = [iterator.next(), iterator.next()];
    fiber.step.reject("failed");
    assert.equal(await rejection(first), "failed");
    assert.deepEqual(await second, { done: true, value: undefined });
  });

  it("reports an error of a cleanup after a dispose as an unhandled rejection, and throws nothing", async () => {
    const { fiber, coroutine } = make();
    void coroutine.resumeAsync(1).catch(() => {});
    const seen: unknown[] = [];
    const listeners = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection");
    process.on("unhandledRejection", (error) => seen.push(error));
    coroutine[Symbol.dispose]();
    fiber.ended.reject("cleanup");
    await turn();
    await turn();
    process.removeAllListeners("unhandledRejection");
    for (const listener of listeners) process.on("unhandledRejection", listener);
    assert.deepEqual(seen, ["cleanup"]);
  });
});
