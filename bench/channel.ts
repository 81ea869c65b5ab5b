/** What a message and a lock cost, beside plain promises and a library for each primitive; also between two guests that block. */

import { readFileSync } from "node:fs";
import * as asyncMutex from "async-mutex";
import { RWLock } from "async-rwlock";
import * as effection from "effection";
import { compile, instantiate } from "stackful";
import type { BackendName } from "stackful";
import { Channel, Mutex, RwLock, Semaphore, select, spawn } from "stackful/tasks";
import type { ChannelOptions } from "stackful/tasks";
import { measure } from "./harness/measure.ts";
import type { GroupResult, Row } from "./harness/measure.ts";
import { runParts } from "./harness/parts.ts";

const MESSAGES = 50_000;
const expected = (MESSAGES * (MESSAGES - 1)) / 2;

const produceAndConsume = (options: ChannelOptions) => async (): Promise<number> => {
  const channel = new Channel<number>(options);
  spawn(async () => {
    for (let i = 0; i < MESSAGES; i++) await channel.send(i);
    channel.close();
  });
  return spawn(async () => {
    let sum = 0;
    for (let i = 0; i < MESSAGES; i++) sum += await channel.receive();
    return sum;
  });
};

/** The same work without waiting for each other: as many awaits as messages on both sides. */
async function plain(): Promise<number> {
  let sum = 0;
  const produce = async (): Promise<void> => {
    for (let i = 0; i < MESSAGES; i++) await Promise.resolve(i);
  };
  const consume = async (): Promise<void> => {
    for (let i = 0; i < MESSAGES; i++) sum += await Promise.resolve(i);
  };
  await Promise.all([produce(), consume()]);
  return sum;
}

/** What one would write by hand for capacity 0: a promise for each value, and one for its being taken. */
async function handWritten(): Promise<number> {
  let give: ((value: number) => void) | undefined;
  let taken: (() => void) | undefined;
  let sum = 0;
  const consume = async (): Promise<void> => {
    for (let i = 0; i < MESSAGES; i++) {
      const value = new Promise<number>((resolve) => (give = resolve));
      taken?.();
      sum += await value;
    }
  };
  const produce = async (): Promise<void> => {
    for (let i = 0; i < MESSAGES; i++) {
      if (give === undefined) await new Promise<void>((resolve) => (taken = resolve));
      const hand = give;
      give = undefined;
      hand?.(i);
    }
  };
  await Promise.all([consume(), produce()]);
  return sum;
}

/** A queue of effection: unbounded, adding never waits. */
function inEffection(): PromiseLike<number> {
  return effection.run(function* () {
    const queue = effection.createQueue<number, void>();
    const producer = yield* effection.spawn(function* () {
      for (let i = 0; i < MESSAGES; i++) {
        queue.add(i);
        // Else all of them would be there before the first one is taken.
        if (i % 64 === 63) yield* effection.sleep(0);
      }
    });
    let sum = 0;
    for (let i = 0; i < MESSAGES; i++) {
      const next = yield* queue.next();
      if (next.done !== true) sum += next.value;
    }
    yield* producer;
    return sum;
  });
}

/** Nobody waits: `trySend()` and `tryReceive()`. */
function synchronous(): number {
  const channel = new Channel<number>({ capacity: 64 });
  let sum = 0;
  for (let i = 0; i < MESSAGES; i++) {
    channel.trySend(i);
    sum += channel.tryReceive()?.value ?? 0;
  }
  return sum;
}

async function channels(): Promise<GroupResult[]> {
  const rows = [
    { name: "two awaits per message, no channel", run: plain, expected },
    { name: "hand-over by hand-written promises", run: handWritten, expected },
    { name: "Channel, rendezvous", run: produceAndConsume({ capacity: 0 }), expected },
    { name: "Channel, capacity 1", run: produceAndConsume({ capacity: 1 }), expected },
    { name: "Channel, capacity 64", run: produceAndConsume({ capacity: 64 }), expected },
    { name: "Channel, unbounded", run: produceAndConsume({ capacity: Infinity }), expected },
    { name: "Channel, trySend and tryReceive", run: synchronous, expected },
    { name: "effection: a queue", run: async () => inEffection(), expected },
  ];
  return [await measure({ title: "one producer, one consumer, per message", operations: MESSAGES, rows, samples: 15 })];
}

/** Two guests, of which one sends the numbers from `MESSAGES` down to 1 and the other one adds up as many: both are C-like loops. */
async function guestPair(backend: BackendName): Promise<(host: GuestHost) => () => Promise<unknown>> {
  const bytes = Uint8Array.from(readFileSync(new URL("../test/guests/loop.wasm", import.meta.url)));
  const module = await compile(bytes, { backend });
  return ({ send, receive }) => {
    const none = { next: () => 0, tick: () => {} };
    const guests = Promise.all(
      [send, receive].map((step) => instantiate<LoopExports>(module, { host: { ...none, step } }, { backend })),
    );
    return async () => {
      const [producer, consumer] = await guests;
      const sent = spawn(() => producer!.exports.loop(MESSAGES));
      const sum = await spawn(() => consumer!.exports.loop(MESSAGES));
      await sent;
      return sum;
    };
  };
}

interface LoopExports {
  loop(count: number): number;
}

interface GuestHost {
  readonly send: (value: number) => unknown;
  readonly receive: () => unknown;
}

async function guests(): Promise<GroupResult[]> {
  const wanted = (MESSAGES * (MESSAGES + 1)) / 2;
  const groups: GroupResult[] = [];
  for (const backend of ["transform", "jspi"] as const) {
    const pair = await guestPair(backend);
    const soon = (capacity: number): (() => Promise<unknown>) => {
      const channel = new Channel<number>({ capacity });
      return pair({ send: (value) => channel.sendSoon(value), receive: () => channel.receiveSoon() });
    };
    const promises = (capacity: number): (() => Promise<unknown>) => {
      const channel = new Channel<number>({ capacity });
      return pair({ send: (value) => channel.send(value).then(() => 0), receive: () => channel.receive() });
    };
    const rows = [
      { name: "promises, capacity 64", run: promises(64), expected: wanted },
      { name: "rendezvous", run: soon(0), expected: wanted },
      { name: "capacity 1", run: soon(1), expected: wanted },
      { name: "capacity 64", run: soon(64), expected: wanted },
      { name: "unbounded", run: soon(Infinity), expected: wanted },
    ];
    const title = `two guests on backend ${backend}, per message; goal: 1,000 ns`;
    groups.push(await measure({ title, operations: MESSAGES, rows, samples: 15 }));
  }
  return groups;
}

const LOCKS = 20_000;

/** Takes and gives back a lock so often, one after the other. */
const alone = (once: () => Promise<unknown>) => async (): Promise<number> => {
  for (let i = 0; i < LOCKS; i++) await once();
  return LOCKS;
};

/** A hundred that want it at the same time, and keep it for a microtask. */
const contended = (once: () => Promise<unknown>) => async (): Promise<number> => {
  const each = async (): Promise<void> => {
    for (let i = 0; i < LOCKS / 100; i++) await once();
  };
  await Promise.all(Array.from({ length: 100 }, each));
  return LOCKS;
};

async function locks(): Promise<GroupResult[]> {
  const [mutex, lock, semaphore] = [new Mutex(), new RwLock(), new Semaphore(10)];
  const theirs = { mutex: new asyncMutex.Mutex(), semaphore: new asyncMutex.Semaphore(10), lock: new RWLock() };
  let last = Promise.resolve();
  const chained = async (): Promise<void> => {
    const before = last;
    last = before.then(() => Promise.resolve());
    await before;
  };
  const inMutex = async (): Promise<void> => {
    using guard = await mutex.lock();
    if (guard.held) await Promise.resolve();
  };
  const inAsyncMutex = async (): Promise<void> => {
    const release = await theirs.mutex.acquire();
    await Promise.resolve();
    release();
  };
  const inSemaphore = async (): Promise<void> => {
    using permit = await semaphore.acquire();
    if (permit.count === 1) await Promise.resolve();
  };
  const inAsyncSemaphore = async (): Promise<void> => {
    const [, release] = await theirs.semaphore.acquire();
    await Promise.resolve();
    release();
  };
  const reading = async (): Promise<void> => {
    using guard = await lock.read();
    if (guard.access === "read") await Promise.resolve();
  };
  const readingAsync = async (): Promise<void> => {
    await theirs.lock.readLock();
    await Promise.resolve();
    theirs.lock.unlock();
  };
  const bodies = { chained, inMutex, inAsyncMutex, inSemaphore, inAsyncSemaphore, reading, readingAsync };
  const names: Readonly<Record<keyof typeof bodies, string>> = {
    chained: "a chain of promises",
    inMutex: "Mutex",
    inAsyncMutex: "async-mutex: Mutex",
    inSemaphore: "Semaphore of 10",
    inAsyncSemaphore: "async-mutex: Semaphore of 10",
    reading: "RwLock, read",
    readingAsync: "async-rwlock: readLock",
  };
  const rowsOf = (repeat: typeof alone): Row[] =>
    Object.entries(bodies).map(([key, body]) => ({
      name: names[key as keyof typeof bodies],
      run: repeat(body),
      expected: LOCKS,
    }));
  return [
    await measure({ title: "lock, a microtask, unlock: by one", operations: LOCKS, rows: rowsOf(alone), samples: 15 }),
    await measure({ title: "the same: by a hundred", operations: LOCKS, rows: rowsOf(contended), samples: 15 }),
  ];
}

async function selects(): Promise<GroupResult[]> {
  const count = 20_000;
  /** Of two that wait, the second comes: as below, but the first keeps what was attached to it. */
  const raced = async (): Promise<number> => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      let resolve!: (value: number) => void;
      const waiting = Promise.race([new Promise<number>(() => {}), new Promise<number>((onEnd) => (resolve = onEnd))]);
      resolve(1);
      sum += await waiting;
    }
    return sum;
  };
  const selected = async (): Promise<number> => {
    const [first, second] = [new Channel<number>(), new Channel<number>()];
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const waiting = select({ first: first.receiving(), second: second.receiving() });
      second.trySend(1);
      sum += (await waiting).value;
    }
    return sum;
  };
  const rows = [
    { name: "Promise.race of two promises that waits", run: raced, expected: count },
    { name: "select of two channels that waits", run: selected, expected: count },
  ];
  return [await measure({ title: "select", operations: count, rows, samples: 15 })];
}

await runParts(import.meta.url, { channels, guests, locks, selects });
