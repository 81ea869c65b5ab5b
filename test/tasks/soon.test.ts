/** The operations for host functions of guests: a value where nobody has to wait, otherwise something to wait for without a promise. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { describe } from "node:test";
import { backends, instantiate } from "stackful";
import type { BackendName, Instance } from "stackful";
import {
  Barrier,
  Channel,
  ChannelClosedError,
  Mutex,
  Pending,
  RwLock,
  Semaphore,
  dump,
  sleep,
  spawn,
  yieldSoon,
} from "stackful/tasks";
import { guestBytes } from "../conformance/harness.ts";
import { check, rejection, stateOf, turn } from "./harness.ts";

interface LoopExports {
  loop(count: number): number;
}

/** A guest that calls `step` for each number from that given down to 1, and adds up what it answers. */
function loopWith(backend: BackendName, step: (value: number) => unknown): Promise<Instance<LoopExports>> {
  return instantiate<LoopExports>(guestBytes("loop"), { host: { step, next: () => 0, tick: () => {} } }, { backend });
}

const usable = backends().filter(({ available }) => available);

for (const { name: backend } of usable) {
  describe(`Guests on backend ${backend}`, () => {
    for (const capacity of [0, 1, 16, Infinity]) {
      check(`pass messages in their order through a channel of capacity ${capacity}`, async () => {
        const channel = new Channel<number>({ capacity });
        const received: number[] = [];
        const producer = await loopWith(backend, (value) => channel.sendSoon(value));
        const consumer = await loopWith(backend, () => {
          const value = channel.receiveSoon();
          if (!(value instanceof Pending)) received.push(value);
          return value;
        });
        const tasks = [spawn(() => producer.exports.loop(1000)), spawn(() => consumer.exports.loop(1000))];
        assert.deepEqual(await Promise.all(tasks), [0, 500_500]);
        assert.deepEqual(
          received,
          received.toSorted((a, b) => b - a),
        );
      });
    }

    check("have the asynchronous context and the task that they were started in, whoever wakes them", async () => {
      const storage = new AsyncLocalStorage<string>();
      const channel = new Channel<number>({ name: "numbers" });
      const seen = new Set<string>();
      const consumer = await loopWith(backend, () => {
        seen.add(`${storage.getStore()}`);
        return channel.receiveSoon();
      });
      const producer = await loopWith(backend, (value) => {
        seen.add(`${storage.getStore()}`);
        return channel.sendSoon(value);
      });
      const tasks = [
        storage.run("consumer", () => spawn(() => consumer.exports.loop(50), { name: "consumer" })),
        storage.run("producer", () => spawn(() => producer.exports.loop(20), { name: "producer" })),
      ];
      await tasks[1];
      await turn();
      assert.deepEqual([...seen].toSorted(), ["consumer", "producer"]);
      const [report] = dump();
      assert.deepEqual([report?.name, report?.waitingFor], ["consumer", ["a value from channel numbers"]]);
      tasks[0]!.cancel("enough");
      assert.deepEqual(await tasks[0]!.join(), { state: "cancelled", reason: "enough" });
    });

    check("get an error where a channel is closed, at once and while they wait", async () => {
      const channel = new Channel<number>();
      const guest = await loopWith(backend, () => channel.receiveSoon());
      const waiting = guest.exports.loop(1);
      await turn();
      channel.close();
      assert.ok((await rejection(waiting)) instanceof ChannelClosedError);
      assert.ok((await rejection(guest.exports.loop(1))) instanceof ChannelClosedError);
    });

    check("give way to timers although they only pass messages", async () => {
      const channel = new Channel<number>({ capacity: 4 });
      let isOver = false;
      const producer = await loopWith(backend, () => channel.sendSoon(isOver ? 1 : 0));
      const consumer = await loopWith(backend, () => {
        if (isOver) throw new Error("over");
        return channel.receiveSoon();
      });
      const tasks = [spawn(() => producer.exports.loop(2 ** 30)), spawn(() => consumer.exports.loop(2 ** 30))];
      await new Promise((resolve) => setTimeout(resolve, 5));
      isOver = true;
      assert.match(String(await rejection(tasks[1]!)), /over/);
      channel.close();
      assert.ok((await rejection(tasks[0]!)) instanceof ChannelClosedError);
    });

    check("take turns with yieldSoon()", async () => {
      const order: string[] = [];
      const guests = await Promise.all(
        ["a", "b"].map((name) =>
          loopWith(backend, () => {
            order.push(name);
            return yieldSoon();
          }),
        ),
      );
      await Promise.all(guests.map((guest) => spawn(() => guest.exports.loop(3))));
      assert.equal(order.join(""), "ababab");
    });
  });

  describe(`A coroutine on backend ${backend} that is unwound`, () => {
    /** Starts a guest that does `operation`, does `wake` when it waits, and unwinds it before it is told. */
    async function unwindBeforeTold(operation: () => unknown, wake: () => void): Promise<void> {
      const guest = await loopWith(backend, operation);
      const coroutine = guest.coroutine("loop", { args: [1] });
      const resumed = rejection(coroutine.resumeAsync(undefined));
      await turn();
      wake();
      await coroutine.unwind();
      await resumed;
      await turn();
    }

    check("loses no message, lock or permit that was on its way to it", async () => {
      const channel = new Channel<number>();
      await unwindBeforeTold(
        () => channel.receiveSoon(),
        () => assert.ok(channel.trySend(7)),
      );
      assert.deepEqual(channel.tryReceive(), { value: 7 });

      const mutex = new Mutex();
      const held = await mutex.lock();
      await unwindBeforeTold(
        () => mutex.lockSoon(),
        () => held.release(),
      );
      assert.equal(mutex.locked, false);

      const lock = new RwLock();
      const writer = await lock.write();
      await unwindBeforeTold(
        () => lock.readSoon(),
        () => writer.release(),
      );
      assert.deepEqual([lock.readers, lock.writing], [0, false]);

      const semaphore = new Semaphore(0);
      await unwindBeforeTold(
        () => semaphore.acquireSoon({ count: 2 }),
        () => semaphore.release(2),
      );
      assert.equal(semaphore.available, 2);
    });

    check("leaves the queues that it waits in", async () => {
      const channel = new Channel<number>();
      await unwindBeforeTold(
        () => channel.receiveSoon(),
        () => {},
      );
      assert.equal(channel.trySend(1), false);
      const barrier = new Barrier(2);
      await unwindBeforeTold(
        () => barrier.arriveSoon(),
        () => {},
      );
      const first = barrier.arrive();
      assert.deepEqual([await barrier.arrive(), await first], [true, false]);
    });
  });
}

describe("Operations for guests", () => {
  check("give a value where nobody has to wait", () => {
    const channel = new Channel<number>({ capacity: 1 });
    assert.equal(channel.sendSoon(1), undefined);
    assert.ok(channel.sendSoon(2) instanceof Pending);
    assert.equal(channel.receiveSoon(), 1);
    assert.equal(channel.receiveSoon(), 2);
    const lock = new RwLock();
    const semaphore = new Semaphore(1);
    const guards = [new Mutex().lockSoon(), lock.writeSoon(), semaphore.acquireSoon()];
    assert.ok(guards.every((guard) => !(guard instanceof Pending)));
    assert.ok(lock.readSoon() instanceof Pending && semaphore.acquireSoon() instanceof Pending);
    assert.equal(new Barrier(1).arriveSoon(), true);
  });

  check("can be awaited like promises", async () => {
    const channel = new Channel<number>();
    const pending = channel.receiveSoon();
    assert.ok(channel.trySend(3));
    assert.equal(await pending, 3);
    const task = spawn(() => sleep(1));
    assert.deepEqual(await task.joinSoon(), { state: "returned", value: undefined });
    assert.deepEqual(task.joinSoon(), { state: "returned", value: undefined });
    assert.equal(await stateOf(spawn(async () => channel.receiveSoon({ signal: AbortSignal.abort("no") }))), "threw");
  });
});
