/**
 * A long program that waits for everything there is, on the host's side and in guests, is cancelled at its 1st, 2nd, … nth suspension
 * point: nothing of it may be left.
 */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe } from "node:test";
import { backends, instantiate, suspend } from "stackful";
import type { BackendName, Instance } from "stackful";
import {
  Barrier,
  Channel,
  Condvar,
  Mailbox,
  Mutex,
  Once,
  Pending,
  RwLock,
  Semaphore,
  after,
  dump,
  scope,
  select,
  sleep,
  spawn,
  timeout,
  until,
  yieldNow,
  yieldSoon,
} from "stackful/tasks";
import type { Scope } from "stackful/tasks";
import { guestBytes, liveActivations } from "../conformance/harness.ts";
import { check, turn } from "./harness.ts";

interface FramesExports {
  nested(id: number, depth: number): number;
}

/** How long after the operation of a suspension point has begun the task is cancelled. */
const MOMENTS = {
  "before it begins": (cancel: () => void): void => cancel(),
  "at once": (cancel: () => void): void => queueMicrotask(cancel),
  "in the next turn": (cancel: () => void): void => void setImmediate(cancel),
  "a millisecond later": (cancel: () => void): void => void setTimeout(cancel, 1),
};

/** What the program uses; all of it has to be free and empty afterwards. */
class World {
  readonly mutex = new Mutex({ name: "mutex" });
  readonly lock = new RwLock();
  readonly semaphore = new Semaphore(2);
  readonly changed = new Condvar();
  readonly barrier = new Barrier(2);
  readonly once = new Once<number>();
  readonly channel = new Channel<number>();
  readonly buffered = new Channel<number>({ capacity: 2 });
  readonly mailbox = new Mailbox<number>();
  /** Those that guests have used. */
  readonly channels: Channel<number>[] = [this.channel];
  /** Given to every operation, as somebody might who can stop the whole program. */
  readonly signal: AbortSignal = new AbortController().signal;
  /** Suspension points so far. */
  points = 0;
  readonly #onPoint: (point: number) => void;

  constructor(onPoint: (point: number) => void) {
    this.#onPoint = onPoint;
  }

  /** To be called before each operation. */
  point(): void {
    this.#onPoint(++this.points);
  }

  assertFree(): void {
    const { mutex, lock, semaphore, channels, buffered } = this;
    assert.deepEqual(
      { locked: mutex.locked, readers: lock.readers, writing: lock.writing, permits: semaphore.available },
      { locked: false, readers: 0, writing: false, permits: 2 },
    );
    for (const each of channels) {
      // Nobody waits to send or to receive.
      assert.deepEqual([each.tryReceive(), each.trySend(1)], [undefined, false]);
    }
    while (buffered.tryReceive() !== undefined);
    assert.deepEqual([buffered.trySend(1), buffered.trySend(2), buffered.trySend(3)], [true, true, false]);
    assert.equal(getEventListeners(this.signal, "abort").length, 0);
  }
}

/** What the guests' `wait` does, one after the other. */
function guestWaits(world: World): readonly (() => unknown)[] {
  return [
    () => sleep(1).then(() => 0),
    () => meet(world, (channel) => channel.tryReceive()).sendSoon(1),
    () => meet(world, (channel) => channel.trySend(0)).receiveSoon(),
    () => yieldSoon(),
    () => holdSoon(world),
    () => suspend(sleep(0).then(() => 0)),
    () => suspend(0),
  ];
}

/** A channel whose other side comes in the next turn, and does not wait. */
function meet({ channels }: World, other: (channel: Channel<number>) => unknown): Channel<number> {
  const channel = new Channel<number>();
  channels.push(channel);
  setImmediate(() => other(channel));
  return channel;
}

/** Takes the mutex for a moment. */
function holdSoon({ mutex }: World): unknown {
  const guard = mutex.lockSoon();
  if (guard instanceof Pending) return guard.then((held) => held.release()).then(() => 0);
  guard.release();
  return 0;
}

/** The operations, each of which waits. */
function operations(world: World, scope: Scope): readonly (() => PromiseLike<unknown>)[] {
  const { mutex, lock, semaphore, changed, barrier, channel, buffered, mailbox, once, signal } = world;
  const child = <Value>(body: () => Value | PromiseLike<Value>): void => void scope.spawn(body);
  return [
    () => sleep(1, { signal }),
    () => yieldNow({ signal }),
    () => until(turn(), { signal }),
    async () => {
      using guard = await mutex.lock({ signal });
      child(() => mutex.with(() => sleep(0), { signal }));
      await sleep(1, { signal });
      return guard.held;
    },
    async () => {
      using reader = await lock.read({ signal });
      child(async () => {
        using writer = await lock.write({ signal });
        await sleep(0, { signal });
        return writer.access;
      });
      await sleep(1, { signal });
      return reader.access;
    },
    async () => {
      using permits = await semaphore.acquire({ count: 2, signal });
      child(async () => {
        using permit = await semaphore.acquire({ signal });
        return permit.count;
      });
      await sleep(1, { signal });
      return permits.count;
    },
    async () => {
      child(() => sleep(1).then(() => changed.notifyAll()));
      using guard = await mutex.lock({ signal });
      await changed.wait(guard, { signal });
    },
    () => (child(() => barrier.arrive({ signal })), barrier.arrive({ signal })),
    () => (child(() => channel.receive({ signal })), channel.send(1, { signal })),
    () => (
      child(() => channel.send(1, { signal })),
      select({ value: channel.receiving(), late: after(1000) }, { signal })
    ),
    () => select({ value: channel.receiving(), sent: channel.sending(1), late: after(1), turn: turn() }, { signal }),
    () => (child(() => sleep(1).then(() => mailbox.send(1))), mailbox.receive({ timeoutMs: 1000, signal })),
    () => (child(() => once.get(() => sleep(1).then(() => 1), { signal })), once.get(() => 2, { signal })),
    () => scope.spawn(() => sleep(1, { signal })).join({ signal }),
    () => timeout(1000, () => sleep(1, { signal }), { signal }),
    () => (child(() => buffered.send(1, { signal })), buffered.receive({ signal })),
  ];
}

async function longProgram(world: World, guest: Instance<FramesExports>): Promise<void> {
  await scope(
    async (scope) => {
      // Two guests on one instance, with frames on stacks of their own: one is a coroutine, the other one is called.
      const coroutine = scope.spawn(guest.coroutine("nested", { args: [1, 3] }));
      const call = scope.spawn(() => guest.exports.nested(0, 3));
      for (const operation of operations(world, scope)) {
        world.point();
        await operation();
      }
      assert.equal(await coroutine, 1004);
      assert.equal(await call, 4);
      await scope.join();
    },
    { signal: world.signal },
  );
}

/** Timers that are set. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}

async function cancelAtEveryPoint(backend: BackendName, moment: (cancel: () => void) => void): Promise<number> {
  const world: { current: World | undefined } = { current: undefined };
  let waits = 0;
  const guest = await instantiate<FramesExports>(
    guestBytes("frames"),
    {
      host: {
        wait: (isCoroutine: number) => {
          world.current?.point();
          const possible = guestWaits(world.current!).slice(0, isCoroutine === 1 ? undefined : 5);
          return possible[waits++ % possible.length]!();
        },
        fill: () => {},
      },
    },
    { backend },
  );
  // The first run has the guest compiled for suspensions, and what was made of it kept a moment later.
  world.current = new World(() => {});
  await spawn(() => longProgram(world.current!, guest));
  await sleep(20);
  const activations = liveActivations();
  let point = 0;
  for (let state = "cancelled"; state === "cancelled";) {
    point++;
    const started = timers();
    waits = point; // another order each time
    const task = spawn(() => longProgram(world.current!, guest), { name: "program" });
    let cancelled = Promise.resolve();
    const cancelAt = (reached: number): void => {
      if (reached !== point) return;
      cancelled = new Promise((resolve) => {
        moment(() => {
          task.cancel("stop");
          resolve();
        });
      });
    };
    const used = new World(cancelAt);
    world.current = used;
    const result = await task.join();
    await cancelled;
    await turn();
    const context = `cancelled at point ${point}`;
    state = result.state;
    if (state !== "cancelled") assert.deepEqual(result, { state: "returned", value: undefined }, context);
    assert.deepEqual(dump(), [], context);
    assert.equal(liveActivations(), activations, context);
    assert.ok(timers() <= started, `${context}: ${timers()} timers, ${started} before`);
    used.assertFree();
  }
  assert.ok(guest.stacks.size <= 3, `${guest.stacks.size} regions for two activations`);
  return point;
}

for (const { name: backend, available } of backends()) {
  if (!available) continue;
  describe(`A long program with guests on backend ${backend}`, () => {
    for (const [name, moment] of Object.entries(MOMENTS)) {
      check(`leaves nothing behind when it is cancelled at any point, ${name}`, async () => {
        const points = await cancelAtEveryPoint(backend, moment);
        assert.ok(points >= 16 + 2 * 8, `${points} suspension points`);
      });
    }
  });
}
