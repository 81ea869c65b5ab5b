import assert from "node:assert/strict";
import { describe } from "node:test";
import { Barrier, Condvar, Mutex, Once, RwLock, Semaphore, scope, sleep, spawn, yieldNow } from "stackful/tasks";
import { check, rejection, stateOf, turn } from "./harness.ts";

describe("Mutex", () => {
  check("lets one in at a time, in the order in which they came", async () => {
    const mutex = new Mutex();
    const order: number[] = [];
    let inside = 0;
    const tasks = Array.from({ length: 1000 }, (_, index) =>
      spawn(async () => {
        using guard = await mutex.lock();
        assert.equal(++inside, 1);
        if (index % 10 === 0) await yieldNow();
        order.push(index);
        inside--;
        return guard.held;
      }),
    );
    assert.ok((await Promise.all(tasks)).every(Boolean));
    assert.deepEqual(order, [...order.keys()]);
    assert.equal(mutex.locked, false);
  });

  check("can be tried, and released twice", async () => {
    const mutex = new Mutex();
    const guard = mutex.tryLock();
    assert.ok(guard?.held);
    assert.equal(mutex.tryLock(), undefined);
    guard.release();
    const other = await mutex.lock();
    guard.release();
    assert.ok(other.held && !guard.held);
    other.release();
    assert.equal(mutex.locked, false);
  });

  check("is held while others sleep with it", async () => {
    const [mutex, lock] = [new Mutex(), new RwLock()];
    await scope(async (scope) => {
      for (let i = 0; i < 10; i++) {
        scope.spawn(() => mutex.with(() => sleep(1)));
        scope.spawn(async () => {
          using guard = await (i % 2 === 0 ? lock.read() : lock.write());
          await sleep(1);
          return guard;
        });
      }
      await scope.join();
    });
    assert.deepEqual([mutex.locked, lock.readers, lock.writing], [false, 0, false]);
  });

  check("is free again when whoever has it throws, or waits for it and is cancelled", async () => {
    const mutex = new Mutex();
    assert.equal(
      await rejection(
        mutex.with(() => {
          throw new Error("inside");
        }),
      ).then(String),
      "Error: inside",
    );
    const guard = await mutex.lock();
    const [first, second] = [spawn(() => mutex.with(() => 1)), spawn(() => mutex.with(() => 2))];
    await turn();
    first.cancel();
    guard.release();
    assert.equal(await stateOf(first), "cancelled");
    assert.equal(await second, 2);
    assert.equal(await rejection(mutex.lock({ signal: AbortSignal.abort("no") })), "no");
  });
});

describe("RwLock", () => {
  check("has many readers, or one writer", async () => {
    const lock = new RwLock();
    const [one, two] = [await lock.read(), await lock.read()];
    assert.equal(lock.readers, 2);
    assert.equal(lock.tryWrite(), undefined);
    one.release();
    two.release();
    const writer = lock.tryWrite();
    assert.ok(writer !== undefined && lock.writing);
    assert.deepEqual([lock.tryRead(), lock.tryWrite()], [undefined, undefined]);
    writer.release();
    assert.equal(lock.writing, false);
  });

  check("does not let later readers pass a writer", async () => {
    const lock = new RwLock();
    const order: string[] = [];
    const reader = await lock.read();
    const tasks = (["write", "read", "read", "write", "read"] as const).map((access, index) =>
      spawn(async () => {
        using guard = await lock[access]();
        order.push(`${guard.access} ${index}`);
        await yieldNow();
      }),
    );
    await turn();
    assert.equal(lock.tryRead(), undefined);
    reader.release();
    await Promise.all(tasks);
    assert.deepEqual(order, ["write 0", "read 1", "read 2", "write 3", "read 4"]);
  });

  check("lets readers in when the writer that they wait behind gives up", async () => {
    const lock = new RwLock();
    const reader = await lock.read();
    const writer = spawn(() => lock.write());
    await turn();
    const late = lock.read();
    writer.cancel();
    (await late).release();
    reader.release();
    assert.equal(await stateOf(writer), "cancelled");
  });
});

describe("Semaphore", () => {
  check("has as many permits as it was given", async () => {
    const semaphore = new Semaphore(3);
    let most = 0;
    let inside = 0;
    await scope(async (scope) => {
      for (let i = 0; i < 20; i++) {
        scope.spawn(async () => {
          using permit = await semaphore.acquire();
          most = Math.max(most, ++inside);
          await sleep(0);
          inside--;
          return permit;
        });
      }
      await scope.join();
    });
    assert.deepEqual([most, semaphore.available], [3, 3]);
  });

  check("does not let those who want few pass one that wants many, until it gives up", async () => {
    const semaphore = new Semaphore(2);
    const first = semaphore.tryAcquire();
    const many = spawn(() => semaphore.acquire({ count: 2 }));
    await turn();
    const few = semaphore.acquire();
    assert.equal(semaphore.tryAcquire(), undefined);
    many.cancel();
    (await few).release();
    first?.release();
    first?.release();
    assert.equal(semaphore.available, 2);
    assert.equal(await stateOf(many), "cancelled");
  });

  check("can be given permits that nobody had", async () => {
    const semaphore = new Semaphore(0);
    const waiting = semaphore.acquire({ count: 2 });
    semaphore.release();
    semaphore.release();
    assert.equal((await waiting).count, 2);
    for (const count of [0, -1, 0.5]) assert.throws(() => semaphore.release(count), RangeError);
  });
});

describe("Condvar", () => {
  check("lets go of the mutex meanwhile, and has it afterwards", async () => {
    const [mutex, changed] = [new Mutex(), new Condvar()];
    const queue: number[] = [];
    const taken: number[] = [];
    const consumers = Array.from({ length: 3 }, () =>
      spawn(async () => {
        using guard = await mutex.lock();
        await changed.waitWhile(guard, () => queue.length === 0);
        assert.ok(guard.held);
        taken.push(queue.shift()!);
      }),
    );
    for (let value = 1; value <= 3; value++) {
      await turn();
      using guard = await mutex.lock();
      queue.push(value);
      changed.notifyOne();
      assert.ok(guard.held);
    }
    await Promise.all(consumers);
    assert.deepEqual(taken, [1, 2, 3]);
    assert.equal(mutex.locked, false);
  });

  check("wakes all", async () => {
    const [mutex, changed] = [new Mutex(), new Condvar()];
    const tasks = Array.from({ length: 10 }, () => spawn(() => mutex.lock().then((guard) => waitOnce(guard))));
    const waitOnce = async (guard: Awaited<ReturnType<Mutex["lock"]>>): Promise<void> => {
      using held = guard;
      await changed.wait(held);
    };
    await turn();
    changed.notifyAll();
    await Promise.all(tasks);
  });

  check("has the mutex again when it is cancelled", async () => {
    const [mutex, changed] = [new Mutex(), new Condvar()];
    const events: unknown[] = [];
    const task = spawn(async () => {
      using guard = await mutex.lock();
      try {
        await changed.wait(guard);
      } finally {
        events.push(guard.held);
      }
    });
    await turn();
    const other = await mutex.lock();
    task.cancel();
    await turn();
    assert.deepEqual(events, []);
    other.release();
    assert.equal(await stateOf(task), "cancelled");
    assert.deepEqual(events, [true]);
    assert.equal(mutex.locked, false);
  });

  check("refuses a guard that is released", async () => {
    const guard = await new Mutex().lock();
    guard.release();
    assert.match(String(await rejection(new Condvar().wait(guard))), /the guard is released/);
  });
});

describe("Barrier", () => {
  check("lets all go on when the last has arrived, again and again", async () => {
    const barrier = new Barrier(3);
    const rounds = [0, 0, 0];
    const leaders = await Promise.all(
      rounds.map((_, index) =>
        spawn(async () => {
          let led = 0;
          for (let round = 1; round <= 5; round++) {
            rounds[index] = round;
            if (await barrier.arrive()) led++;
            assert.ok(rounds.every((each) => each >= round));
          }
          return led;
        }),
      ),
    );
    assert.equal(
      leaders.reduce((a, b) => a + b),
      5,
    );
  });

  check("does not count one that has left", async () => {
    const barrier = new Barrier(2);
    const gone = spawn(() => barrier.arrive());
    await turn();
    gone.cancel();
    assert.equal(await stateOf(gone), "cancelled");
    const first = barrier.arrive();
    assert.deepEqual([await barrier.arrive(), await first], [true, false]);
    assert.throws(() => new Barrier(0), RangeError);
  });
});

describe("Once", () => {
  check("is refused like anything else when its signal has aborted, also if the value is there", async () => {
    const once = new Once<number>();
    assert.equal(await once.get(() => 1), 1);
    const signal = AbortSignal.abort("enough");
    assert.equal(await rejection(once.get(() => 2, { signal })), "enough");
  });

  check("makes its value once", async () => {
    const once = new Once<number>();
    let calls = 0;
    const make = async (): Promise<number> => {
      await sleep(1);
      return ++calls;
    };
    assert.deepEqual([once.done, once.value], [false, undefined]);
    assert.deepEqual(await Promise.all(Array.from({ length: 5 }, () => once.get(make))), [1, 1, 1, 1, 1]);
    assert.deepEqual([once.done, once.value, await once.get(make)], [true, 1, 1]);
  });

  check("lets the next one try if the first fails", async () => {
    const once = new Once<string>();
    const failing = once.get(() => Promise.reject(new Error("no")));
    const next = once.get(() => "made");
    assert.equal(String(await rejection(failing)), "Error: no");
    assert.equal(await next, "made");
  });
});
