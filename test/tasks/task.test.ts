import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { describe } from "node:test";
import { Mutex, Channel, TaskLocal, dump, select, shield, sleep, spawn, until, yieldNow } from "stackful/tasks";
import type { Priority, Task } from "stackful/tasks";
import { defer } from "../conformance/harness.ts";
import { check, never, rejection, stateOf, turn } from "./harness.ts";

describe("spawn()", () => {
  check("runs the body later, not inside the call", async () => {
    const events: string[] = [];
    const task = spawn(() => void events.push("body"));
    events.push("spawned");
    assert.equal(task.state, "ready");
    await task;
    assert.deepEqual(events, ["spawned", "body"]);
  });

  check("executes tasks first in first out within a priority", async () => {
    const order: string[] = [];
    const add = (name: string, priority: "high" | "normal" | "low"): Task =>
      spawn(() => void order.push(name), { priority });
    const tasks = [add("low 1", "low"), add("one", "normal"), add("high 1", "high"), add("two", "normal")];
    tasks.push(add("low 2", "low"), add("high 2", "high"));
    await Promise.all(tasks);
    assert.deepEqual(order, ["high 1", "high 2", "one", "two", "low 1", "low 2"]);
  });

  check("lets each priority run now and then, however many others are busy", async () => {
    for (const [priority, ...others] of [
      ["low", "high", "normal"],
      ["normal", "high", "low"],
    ] as const) {
      const seen = { isDone: false };
      const loop = (other: Priority) => async (): Promise<void> => {
        while (!seen.isDone) await yieldNow({ priority: other });
      };
      // More than run in one microtask.
      const busy = others.flatMap((other) => Array.from({ length: 50 }, () => spawn(loop(other), { priority: other })));
      const steps = spawn(
        async () => {
          for (let i = 0; i < 10; i++) await yieldNow({ priority });
          seen.isDone = true;
        },
        { priority },
      );
      const late = setTimeout(() => {
        seen.isDone = true;
        steps.cancel();
      }, 5000);
      assert.equal(await stateOf(steps), "returned", priority);
      clearTimeout(late);
      await Promise.all(busy);
    }
  });

  check("refuses a priority that there is not", async () => {
    const priority = "urgent" as "high";
    assert.throws(() => spawn(() => {}, { priority }), /Cannot run with priority urgent/);
    assert.match(String(await rejection(yieldNow({ priority }))), /Cannot run with priority urgent/);
  });

  check("refuses a body that cannot run", () => {
    assert.throws(() => spawn(undefined as unknown as () => void), TypeError);
    assert.throws(
      () => spawn(Promise.resolve() as unknown as () => void),
      /the body is a promise, of something that has begun/,
    );
  });

  check("refuses a signal that is none, and leaves no task behind", () => {
    // @ts-expect-error -- no AbortSignal
    assert.throws(() => spawn(() => 1, { signal: {} }), /Cannot spawn: signal is object, expected an AbortSignal/);
  });

  check("keeps the caller's AsyncLocalStorage", async () => {
    const storage = new AsyncLocalStorage<string>();
    const tasks = ["a", "b"].map((name) =>
      storage.run(name, () =>
        spawn(async () => {
          await sleep(0);
          return storage.getStore();
        }),
      ),
    );
    assert.deepEqual(await Promise.all(tasks), ["a", "b"]);
  });

  check("has 100,000 tasks alive at once", async () => {
    const tasks = Array.from({ length: 100_000 }, (_, index) => spawn(() => index));
    assert.equal(dump().length, 100_000);
    let sum = 0;
    for (const task of tasks) sum += await task;
    assert.equal(sum, (99_999 * 100_000) / 2);
  });
});

describe("Task", () => {
  check("is the value of its body", async () => {
    assert.equal(await spawn(async () => 42), 42);
    assert.deepEqual(await spawn(() => 42).join(), { state: "returned", value: 42 });
  });

  check("joins one that has ended, and one that has not", async () => {
    const task = spawn(async () => {
      await sleep(1);
      return 42;
    });
    assert.deepEqual(await task.join(), { state: "returned", value: 42 });
    assert.deepEqual(await task.join(), { state: "returned", value: 42 });
    assert.equal(task.state, "returned");
  });

  check("rejects with the error of its body, and joins with it as a result", async () => {
    const error = new Error("moo");
    const asynchronous = spawn(async () => {
      throw error;
    });
    const synchronous = spawn(() => {
      throw error;
    });
    assert.equal(await rejection(asynchronous), error);
    assert.deepEqual(await synchronous.join(), { state: "threw", error });
  });

  check("has states", async () => {
    const mutex = new Mutex();
    const guard = await mutex.lock();
    const waiting = spawn(async () => (await mutex.lock()).release());
    const running = spawn(() => turn());
    assert.deepEqual([waiting.state, running.state], ["ready", "ready"]);
    await Promise.resolve();
    await Promise.resolve();
    assert.deepEqual([waiting.state, running.state], ["waiting", "running"]);
    guard.release();
    await Promise.all([waiting, running]);
  });

  check("never starts when it is cancelled before", async () => {
    let hasRun = false;
    const task = spawn(() => void (hasRun = true));
    task.cancel("stop");
    assert.deepEqual(await task.join(), { state: "cancelled", reason: "stop" });
    assert.equal(hasRun, false);
  });

  check("is cancelled at what it waits for", async () => {
    const events: unknown[] = [];
    const task = spawn(async () => {
      try {
        await sleep(100_000);
      } catch (reason) {
        events.push(reason);
        throw reason;
      }
    });
    await turn();
    task.cancel("stop");
    assert.deepEqual(await task.join(), { state: "cancelled", reason: "stop" });
    assert.deepEqual(events, ["stop"]);
    assert.equal(await rejection(task), "stop");
  });

  check("is cancelled with an AbortError if no reason is given", async () => {
    const task = spawn(() => sleep(100_000), { name: "sleeper" });
    await turn();
    task.cancel();
    const error = await rejection(task);
    assert.ok(error instanceof DOMException && error.name === "AbortError" && error.message.includes("sleeper"));
  });

  check("is refused every further wait once it is cancelled", async () => {
    let refusals = 0;
    const task = spawn(async () => {
      for (let i = 0; i < 3; i++) await sleep(100_000).catch(() => refusals++);
      return "stubborn";
    });
    await turn();
    task.cancel();
    assert.deepEqual(await task.join(), { state: "returned", value: "stubborn" });
    assert.equal(refusals, 3);
  });

  check("is cancelled by its signal, and forgets it when it ends", async () => {
    const controller = new AbortController();
    const task = spawn(() => sleep(100_000), { signal: controller.signal });
    await turn();
    controller.abort("enough");
    assert.deepEqual(await task.join(), { state: "cancelled", reason: "enough" });
    assert.equal(await stateOf(spawn(() => {}, { signal: controller.signal })), "cancelled");
  });

  check("has a signal for what is not of this library", async () => {
    const task = spawn((self) => {
      const { promise, reject } = deferred();
      self.signal.addEventListener("abort", () => reject(self.signal.reason), { once: true });
      return promise;
    });
    await turn();
    task.cancel("stop");
    assert.equal(await stateOf(task), "cancelled");
  });

  check("says who it is", async () => {
    const [first, second] = [spawn(() => {}, { name: "first" }), spawn(() => {})];
    assert.ok(second.id > first.id);
    assert.deepEqual([first.name, second.name], ["first", `task ${second.id}`]);
    await Promise.all([first, second]);
  });

  check("can be awaited by a task that is cancelled meanwhile", async () => {
    const { promise, resolve } = defer();
    const inner = spawn(() => promise);
    const outer = spawn(async () => inner);
    await turn();
    outer.cancel("stop");
    assert.equal(await stateOf(outer), "cancelled");
    resolve(undefined);
    assert.equal(await stateOf(inner), "returned");
  });
});

describe("shield()", () => {
  check("lets a cleanup wait in spite of a cancellation", async () => {
    let isClean = false;
    const task = spawn(async () => {
      try {
        await sleep(100_000);
      } finally {
        await shield(async () => {
          await sleep(1);
          await sleep(1);
          isClean = true;
        });
      }
    });
    await turn();
    task.cancel();
    assert.equal(await stateOf(task), "cancelled");
    assert.equal(isClean, true);
  });

  check("keeps a wait that has begun", async () => {
    const { promise, resolve } = defer();
    const task = spawn(async () => {
      await shield(() => until(promise));
      await sleep(100_000);
    });
    await turn();
    task.cancel();
    await turn();
    assert.equal(task.state, "waiting");
    resolve(undefined);
    assert.equal(await stateOf(task), "cancelled");
  });
});

describe("until()", () => {
  check("waits for a task on nobody's behalf: others go on waiting when the first is cancelled", async () => {
    const values = new Channel<string>();
    const target = spawn(() => values.receive());
    const [first, second] = [spawn(() => until(target)), spawn(() => until(target))];
    await turn();
    first.cancel("the first one");
    assert.deepEqual(await first.join(), { state: "cancelled", reason: "the first one" });
    await values.send("value");
    assert.deepEqual(await second.join(), { state: "returned", value: "value" });
  });

  check("refuses what is no promise", () => {
    // @ts-expect-error -- no promise
    assert.throws(() => until(5), /Cannot wait for promise: expected a promise, received number/);
  });

  check("waits for a promise, and stops when the task is cancelled", async () => {
    assert.equal(await until(Promise.resolve(3)), 3);
    assert.equal(await rejection(until(Promise.reject(new Error("no")))).then(String), "Error: no");
    const task = spawn(() => until(never()));
    await turn();
    assert.deepEqual(
      dump().flatMap(({ waitingFor }) => waitingFor),
      ["a promise"],
    );
    task.cancel();
    assert.equal(await stateOf(task), "cancelled");
  });
});

describe("sleep()", () => {
  check("overlaps with other sleeps", async () => {
    const start = performance.now();
    await Promise.all(Array.from({ length: 1000 }, () => spawn(() => sleep(50))));
    // One after the other they take 50 s.
    assert.ok(performance.now() - start < 25_000);
  });

  check("refuses what is no time, and ends by its signal", async () => {
    assert.throws(() => sleep(-1), RangeError);
    assert.throws(() => sleep(Number.NaN), RangeError);
    assert.equal(await rejection(sleep(Infinity, { signal: AbortSignal.abort("now") })), "now");
  });
});

describe("TaskLocal", () => {
  check("has a value for each task, also after it has waited", async () => {
    const local = new TaskLocal(() => "none");
    const tasks = ["a", "b"].map((value) =>
      spawn(async () => {
        local.set(value);
        await yieldNow();
        return local.get();
      }),
    );
    assert.deepEqual(await Promise.all(tasks), ["a", "b"]);
    assert.equal(local.get(), "none");
  });
});

describe("The scheduler", () => {
  check("lets timers fire although two tasks only pass messages", async () => {
    const [there, back] = [new Channel<number>({ capacity: 1 }), new Channel<number>({ capacity: 1 })];
    const seen = { isOver: false };
    let messages = 0;
    const ping = spawn(async () => {
      while (!seen.isOver) {
        await there.send(messages++);
        await back.receive();
      }
      there.close();
    });
    const pong = spawn(async () => {
      for await (const message of there) await back.send(message);
    });
    await sleep(5);
    seen.isOver = true;
    await Promise.all([ping, pong]);
    assert.ok(messages > 1);
  });

  check("lets timers fire although a task only does what is ready, or yields", async () => {
    const busy = [() => new Mutex().with(() => {}), () => yieldNow(), () => select({ one: full().receiving() })];
    for (const operation of busy) {
      const seen = { isOver: false };
      const task = spawn(async () => {
        while (!seen.isOver) await operation();
      });
      await new Promise((resolve) => setTimeout(resolve, 2));
      seen.isOver = true;
      await task;
    }
  });
});

describe("dump()", () => {
  check("lists tasks with their state, age and what they wait for", async () => {
    const channel = new Channel({ name: "jobs" });
    const task = spawn(() => channel.receive(), { name: "worker" });
    await turn();
    const [report] = dump();
    assert.equal(report?.name, "worker");
    assert.equal(report.state, "waiting");
    assert.ok(report.ageMs >= 0);
    assert.deepEqual(report.waitingFor, ["a value from channel jobs"]);
    task.cancel();
    await task.join();
  });
});

function full(): Channel<number> {
  const channel = new Channel<number>({ capacity: 1 });
  channel.trySend(1);
  return channel;
}

function deferred(): { promise: Promise<unknown>; reject: (error: unknown) => void } {
  let reject!: (error: unknown) => void;
  const promise = new Promise<unknown>((_, onReject) => (reject = onReject));
  return { promise, reject };
}
