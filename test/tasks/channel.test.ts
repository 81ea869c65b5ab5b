import assert from "node:assert/strict";
import { describe } from "node:test";
import { Channel, ChannelClosedError, select, spawn, yieldNow } from "stackful/tasks";
import { check, rejection, seeded, stateOf, turn } from "./harness.ts";

describe("Channel", () => {
  check("keeps as many values as it has capacity, in their order", async () => {
    const channel = new Channel<number>({ capacity: 2 });
    assert.deepEqual(
      [1, 2, 3].map((value) => channel.trySend(value)),
      [true, true, false],
    );
    assert.equal(channel.length, 2);
    assert.deepEqual(
      [await channel.receive(), channel.tryReceive(), channel.tryReceive()],
      [1, { value: 2 }, undefined],
    );
  });

  check("never lets a sender wait if it is unbounded", () => {
    const channel = new Channel<number>({ capacity: Infinity });
    for (let i = 0; i < 1000; i++) assert.ok(channel.trySend(i));
    for (let i = 0; i < 1000; i++) assert.deepEqual(channel.tryReceive(), { value: i });
  });

  check("hands a value from sender to receiver if it has no capacity", async () => {
    const channel = new Channel<string>();
    assert.equal(channel.trySend("nobody"), false);
    let isSent = false;
    const sender = spawn(async () => {
      await channel.send("hello");
      isSent = true;
    });
    await turn();
    assert.equal(isSent, false);
    assert.equal(await channel.receive(), "hello");
    await sender;
    const receiver = channel.receive();
    assert.ok(channel.trySend("there"));
    assert.equal(await receiver, "there");
  });

  check("serves those who wait in the order in which they came", async () => {
    const channel = new Channel<string>();
    const order: string[] = [];
    const receivers = ["a", "b", "c"].map((name) =>
      spawn(async () => void order.push(`${name} ${await channel.receive()}`)),
    );
    await turn();
    for (const value of ["1", "2", "3"]) await channel.send(value);
    await Promise.all(receivers);
    assert.deepEqual(order, ["a 1", "b 2", "c 3"]);
    const senders = ["1", "2", "3"].map((value) => channel.send(value));
    assert.deepEqual([await channel.receive(), await channel.receive(), await channel.receive()], ["1", "2", "3"]);
    await Promise.all(senders);
  });

  check("lets what it keeps be received after it was closed, and ends loops", async () => {
    const channel = new Channel<number>({ capacity: 3 });
    channel.trySend(1);
    channel.trySend(2);
    channel.close();
    assert.equal(channel.trySend(3), false);
    const received: number[] = [];
    for await (const value of channel) received.push(value);
    assert.deepEqual(received, [1, 2]);
    assert.ok((await rejection(channel.receive())) instanceof ChannelClosedError);
    assert.ok(channel.closed);
  });

  check("gives a value back that cannot be sent", async () => {
    const channel = new Channel<string>();
    const sent = rejection(channel.send("waiting"));
    channel.close();
    const errors = [await sent, await rejection(channel.send("late"))];
    assert.deepEqual(
      errors.map((error) => (error as ChannelClosedError).value),
      ["waiting", "late"],
    );
  });

  check("tells those who wait to receive that it is closed", async () => {
    const channel = new Channel<string>({ name: "jobs" });
    const received = rejection(channel.receive());
    channel.close();
    assert.equal(String(await received), "ChannelClosedError: Cannot receive: the channel jobs is closed and empty");
  });

  check("refuses a capacity that is none", () => {
    for (const capacity of [-1, 1.5, Number.NaN]) assert.throws(() => new Channel({ capacity }), RangeError);
  });

  check("forgets who stops waiting", async () => {
    const channel = new Channel<string>({ capacity: 1 });
    const [first, second] = [new AbortController(), new AbortController()];
    const receiving = rejection(channel.receive({ signal: first.signal }));
    const receiver = spawn(() => channel.receive());
    await turn();
    first.abort("first");
    receiver.cancel("second");
    assert.equal(await receiving, "first");
    assert.equal(await stateOf(receiver), "cancelled");
    assert.ok(channel.trySend("kept"));
    const sending = rejection(channel.send("never", { signal: second.signal }));
    second.abort("third");
    assert.equal(await sending, "third");
    assert.deepEqual([channel.tryReceive(), channel.tryReceive()], [{ value: "kept" }, undefined]);
    assert.equal(await rejection(channel.send("refused", { signal: second.signal })), "third");
  });
});

/** One sender's values are numbered. Every one must arrive once, in order, or be known not to have been sent. */
async function runRandomly(seed: number): Promise<void> {
  const random = seeded(seed);
  const capacity = [0, 1, 2, 5, Infinity][random(5)]!;
  const channel = new Channel<readonly [sender: number, index: number]>({ capacity });
  const other = new Channel<never>();
  const sent: number[][] = [];
  const received: (readonly [number, number])[] = [];
  const receivedBy: (readonly [number, number])[][] = [];

  const pause = async (): Promise<void> => {
    for (let i = random(3); i > 0; i--) await yieldNow();
  };
  const senders = Array.from({ length: 1 + random(4) }, (_, sender) => {
    const ok: number[] = [];
    sent.push(ok);
    return spawn(async () => {
      for (let index = 0; index < 20; index++) {
        await pause();
        if (await sendSomehow(channel, [sender, index], random)) ok.push(index);
      }
    });
  });
  const receivers = Array.from({ length: 1 + random(4) }, () => {
    const mine: (readonly [number, number])[] = [];
    receivedBy.push(mine);
    return spawn(async () => {
      for (;;) {
        await pause();
        const message = await receiveSomehow(channel, other, random);
        if (message === "closed") return;
        if (message === undefined) continue;
        mine.push(message);
        received.push(message);
      }
    });
  });
  await Promise.all(senders);
  channel.close();
  await Promise.all(receivers);
  const context = `seed ${seed}, capacity ${capacity}`;
  for (const [sender, indices] of sent.entries()) {
    const arrived = received.filter(([from]) => from === sender).map(([, index]) => index);
    assert.deepEqual(
      arrived.toSorted((a, b) => a - b),
      indices,
      `${context}: lost or duplicated`,
    );
    for (const mine of receivedBy) {
      const own = mine.filter(([from]) => from === sender).map(([, index]) => index);
      assert.deepEqual(
        own,
        own.toSorted((a, b) => a - b),
        `${context}: reordered`,
      );
    }
  }
  assert.deepEqual([channel.length, other.length], [0, 0]);
}

/** Says whether it was sent. */
async function sendSomehow<Value>(
  channel: Channel<Value>,
  value: Value,
  random: (limit: number) => number,
): Promise<boolean> {
  const controller = new AbortController();
  const { signal } = controller;
  const way = random(4);
  if (way === 0) return channel.trySend(value);
  if (way === 1) void yieldNow().then(() => controller.abort());
  try {
    if (way === 2) await select({ sent: channel.sending(value) }, { signal });
    else await channel.send(value, { signal });
    return true;
  } catch {
    return false;
  }
}

async function receiveSomehow<Value>(
  channel: Channel<Value>,
  other: Channel<never>,
  random: (limit: number) => number,
): Promise<Value | "closed" | undefined> {
  const controller = new AbortController();
  const { signal } = controller;
  const way = random(4);
  if (way === 0) {
    const taken = channel.tryReceive();
    return taken === undefined && channel.closed ? "closed" : taken?.value;
  }
  if (way === 1) void yieldNow().then(() => controller.abort());
  try {
    if (way !== 2) return await channel.receive({ signal });
    const first = await select({ value: channel.receiving(), other: other.receiving() }, { signal });
    return first.value;
  } catch (error) {
    return error instanceof ChannelClosedError ? "closed" : undefined;
  }
}

describe("Any sequence of channel operations", () => {
  check("loses, duplicates and reorders no message of one sender", async () => {
    for (let seed = 1; seed <= 200; seed++) await runRandomly(seed);
  });
});
