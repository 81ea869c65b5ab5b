import assert from "node:assert/strict";
import { describe } from "node:test";
import { Channel, ChannelClosedError, after, select, spawn } from "stackful/tasks";
import { check, never, rejection, stateOf, turn } from "./harness.ts";

describe("select()", () => {
  check("takes what is ready, and that alone", async () => {
    const [first, second] = [new Channel<number>({ capacity: 1 }), new Channel<number>({ capacity: 1 })];
    second.trySend(5);
    const selected = await select({ first: first.receiving(), second: second.receiving(), late: after(1000) });
    assert.deepEqual(selected, { key: "second", value: 5 });
    assert.deepEqual([first.length, second.length], [0, 0]);
  });

  check("waits for the first, and leaves nothing behind of the others", async () => {
    const [first, second, third] = [new Channel<number>(), new Channel<string>(), new Channel<boolean>()];
    const waiting = select({ first: first.receiving(), second: second.receiving(), third: third.sending(true) });
    await turn();
    assert.ok(second.trySend("hello"));
    assert.equal(first.trySend(1), false);
    assert.equal(third.tryReceive(), undefined);
    assert.deepEqual(await waiting, { key: "second", value: "hello" });
  });

  check("sends", async () => {
    const channel = new Channel<number>();
    const waiting = select({ sent: channel.sending(7), late: after(10_000) });
    assert.equal(await channel.receive(), 7);
    assert.deepEqual(await waiting, { key: "sent", value: undefined });
  });

  check("does not meet itself on one channel", async () => {
    const channel = new Channel<number>();
    const waiting = select({ out: channel.sending(1), in: channel.receiving(), late: after(2) });
    assert.deepEqual(await waiting, { key: "late", value: undefined });
    assert.equal(channel.tryReceive(), undefined);
  });

  check("stands in no line if one of its cases is none", async () => {
    const channel = new Channel<number>();
    const cases = { value: channel.receiving(), stop: undefined as never };
    assert.match(
      String(await rejection(select(cases))),
      /TypeError: Cannot wait for case stop: expected a promise, received undef/,
    );
    assert.equal(channel.trySend(1), false);
  });

  check("waits for promises, tasks and timers", async () => {
    assert.deepEqual(await select({ never: never(), soon: Promise.resolve(1) }), { key: "soon", value: 1 });
    assert.deepEqual(await select({ never: never(), task: spawn(() => 2) }), { key: "task", value: 2 });
    assert.deepEqual(await select({ never: never(), late: after(1) }), { key: "late", value: undefined });
    const error = new Error("first");
    assert.equal(await rejection(select({ never: never(), failed: Promise.reject(error) })), error);
  });

  check("takes a promise that has settled although another case is always ready", async () => {
    const channel = new Channel<number>({ capacity: Infinity });
    for (let i = 0; i < 100; i++) channel.trySend(i);
    for (const inOrder of [true, false]) {
      const stopped = Promise.resolve("stopped");
      for (;;) {
        const { key, value } = await select({ stopped, value: channel.receiving() }, { inOrder });
        if (key === "stopped") break;
        assert.notEqual(value, 99, "the promise was passed over");
      }
    }
    const failed = Promise.reject(new Error("failed"));
    const all = async (): Promise<void> => {
      for (;;) await select({ failed, value: channel.receiving() }, { inOrder: true });
    };
    assert.equal(await rejection(all()).then(String), "Error: failed");
    assert.ok(channel.length > 0);
  });

  check("begins nothing lazy as long as another case is ready", async () => {
    let begun = 0;
    const lazy: PromiseLike<string> = {
      // oxlint-disable-next-line unicorn/no-thenable -- begins when somebody waits
      then: (resolve) => {
        begun++;
        return Promise.resolve("lazy").then(resolve);
      },
    };
    const channel = new Channel<number>({ capacity: 1 });
    channel.trySend(1);
    assert.deepEqual(await select({ lazy, value: channel.receiving() }), { key: "value", value: 1 });
    assert.equal(begun, 0);
    assert.deepEqual(await select({ lazy, value: channel.receiving() }), { key: "lazy", value: "lazy" });
    assert.equal(begun, 1);
  });

  check("takes a task that has ended although another case is always ready", async () => {
    const channel = new Channel<number>({ capacity: Infinity });
    for (let i = 0; i < 100; i++) channel.trySend(i);
    const ended = spawn(() => "ended");
    for (;;) {
      const { key, value } = await select({ ended, value: channel.receiving() }, { inOrder: true });
      if (key === "ended") break;
      assert.notEqual(value, 99, "the task was passed over");
    }
  });

  check("goes on waiting for a task when another select of it is cancelled", async () => {
    const target = spawn(() => turn().then(turn));
    const waiter = () => spawn(() => select({ target, late: after(10_000) }));
    const [first, second] = [waiter(), waiter()];
    await turn();
    first.cancel("the first one");
    assert.deepEqual(await first.join(), { state: "cancelled", reason: "the first one" });
    assert.deepEqual(await second, { key: "target", value: undefined });
  });

  check("refuses no cases, and those that are none", async () => {
    assert.equal(
      await rejection(select({})).then(String),
      "TypeError: Cannot select: there are no cases, expected one at least",
    );
    assert.equal(
      // @ts-expect-error -- no case
      await rejection(select({ a: 5 })).then(String),
      "TypeError: Cannot wait for case a: expected a promise, received number",
    );
  });

  check("keeps nothing attached to a promise that loses, however often", async () => {
    let reactions = 0;
    const channel = new Channel<number>({ capacity: 1 });
    const long: PromiseLike<number> = {
      // oxlint-disable-next-line unicorn/no-thenable -- counts who asks
      then: () => {
        reactions++;
        return never();
      },
    };
    for (let i = 0; i < 100; i++) {
      const waiting = select({ long, value: channel.receiving() });
      await channel.send(i);
      assert.deepEqual(await waiting, { key: "value", value: i });
    }
    assert.equal(reactions, 1);
  });

  check("rejects when the first that happens is that a channel is closed", async () => {
    const [open, closing] = [new Channel<number>(), new Channel<number>()];
    const waiting = rejection(select({ open: open.receiving(), closing: closing.receiving() }));
    closing.close();
    assert.ok((await waiting) instanceof ChannelClosedError);
    assert.ok((await rejection(select({ closing: closing.sending(1) }))) instanceof ChannelClosedError);
  });

  check("takes any of those that are ready, or the first one listed", async () => {
    const channels = [new Channel<number>({ capacity: Infinity }), new Channel<number>({ capacity: Infinity })];
    for (let i = 0; i < 200; i++) for (const channel of channels) channel.trySend(i);
    const [a, b] = [channels[0]!, channels[1]!];
    const counts = { a: 0, b: 0 };
    for (let i = 0; i < 100; i++) counts[(await select({ a: a.receiving(), b: b.receiving() })).key]++;
    assert.ok(counts.a > 10 && counts.b > 10);
    for (let i = 0; i < 50; i++) {
      assert.equal((await select({ b: b.receiving(), a: a.receiving() }, { inOrder: true })).key, "b");
    }
  });

  check("is cancelled like any other wait", async () => {
    const channel = new Channel<number>();
    const task = spawn(() => select({ value: channel.receiving(), late: after(100_000), long: never() }));
    await turn();
    task.cancel();
    assert.equal(await stateOf(task), "cancelled");
    assert.equal(channel.trySend(1), false);
    assert.equal(await rejection(select({ long: never() }, { signal: AbortSignal.abort("now") })), "now");
  });
});
