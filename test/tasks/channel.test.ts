import assert from "node:assert/strict";
import { describe } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Channel, ChannelClosedError, spawn } from "stackful/tasks";
import { check, rejection, stateOf, turn } from "./harness.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

describe("Channel", () => {
  check("keeps no room for what it once held", async () => {
    const heapMiB = (): number => {
      collect();
      return process.memoryUsage().heapUsed / 2 ** 20;
    };
    const channel = new Channel<number>({ capacity: Infinity });
    const before = heapMiB();
    for (let round = 1; round <= 2; round++) {
      for (let value = 0; value < 1_000_000; value++) channel.trySend(value);
      for (let value = 0; value < 1_000_000; value++) assert.equal(channel.tryReceive()?.value, value);
    }
    assert.ok(heapMiB() - before < 4);
    for (let value = 0; value < 100; value++) channel.trySend(value);
    for (let value = 0; value < 100; value++) assert.equal(await channel.receive(), value);
  });

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
    assert.throws(
      // @ts-expect-error -- no options
      () => new Channel(16),
      /Cannot make channel: the options are number, expected an object: { capacity }/,
    );
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
