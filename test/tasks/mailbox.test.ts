import assert from "node:assert/strict";
import { describe } from "node:test";
import {
  ChannelClosedError,
  LinkDiedError,
  Mailbox,
  Pending,
  TaskEnded,
  after,
  link,
  monitor,
  select,
  selectSoon,
  sleep,
  spawn,
} from "stackful/tasks";
import type { SelectCase, Task } from "stackful/tasks";
import { check, rejection, stateOf, turn } from "./harness.ts";

interface Tagged {
  readonly tag: number;
  readonly text?: string;
}
const tagged =
  (...tags: readonly number[]) =>
  ({ tag }: Tagged): boolean =>
    tags.includes(tag);

describe("Mailbox", () => {
  check("gives messages in their order", async () => {
    const mailbox = new Mailbox<number>();
    for (const message of [1, 2, 3]) mailbox.send(message);
    assert.deepEqual([await mailbox.receive(), await mailbox.receive(), mailbox.tryReceive()], [1, 2, { message: 3 }]);
    assert.equal(mailbox.tryReceive(), undefined);
  });

  check("receives selectively, and leaves the others in their order", async () => {
    const mailbox = new Mailbox<Tagged>();
    for (const tag of [1, 2, 3, 4, 5]) mailbox.send({ tag });
    assert.equal((await mailbox.receive({ matches: tagged(4) })).tag, 4);
    assert.equal((await mailbox.receive({ matches: tagged(5, 2) })).tag, 2);
    assert.deepEqual(
      [1, 3, 5].map(() => mailbox.tryReceive()?.message.tag),
      [1, 3, 5],
    );
  });

  check("narrows the type of what was asked for", async () => {
    const mailbox = new Mailbox<number | string>();
    mailbox.send(1);
    mailbox.send("text");
    const isText = (message: number | string): message is string => typeof message === "string";
    const text: string = await mailbox.receive({ matches: isText });
    assert.equal(text, "text");
    assert.equal(mailbox.length, 1);
  });

  check("wakes the first who waits for such a message", async () => {
    const mailbox = new Mailbox<Tagged>();
    const tagTwo = mailbox.receive({ matches: tagged(2) });
    const any = mailbox.receive();
    mailbox.send({ tag: 1 });
    assert.equal((await any).tag, 1);
    mailbox.send({ tag: 2 });
    assert.equal((await tagTwo).tag, 2);
  });

  check("rejects one whose matches throws, and gives the message to the next", async () => {
    const mailbox = new Mailbox<number>();
    const error = new Error("no such field");
    const matches = (): boolean => {
      throw error;
    };
    const bad = rejection(mailbox.receive({ matches }));
    const good = mailbox.receive();
    assert.equal(mailbox.send(1), true);
    assert.equal(await bad, error);
    assert.equal(await good, 1);
    mailbox.send(2);
    assert.equal(await rejection(mailbox.receive({ matches })), error);
    assert.equal(mailbox.length, 1);
  });

  check("loses no message when whoever waits is cancelled", async () => {
    const mailbox = new Mailbox<number>();
    const task = spawn(() => mailbox.receive());
    await turn();
    task.cancel();
    mailbox.send(1);
    assert.equal(await stateOf(task), "cancelled");
    assert.equal(await mailbox.receive(), 1);
  });

  check("is a case of select, which takes no message unless it is first", async () => {
    const [mailbox, stops] = [new Mailbox<Tagged>(), new Mailbox<string>()];
    mailbox.send({ tag: 1 });
    mailbox.send({ tag: 2 });
    const wanted = (): SelectCase<Tagged> => mailbox.receiving({ matches: tagged(2) });
    assert.deepEqual(await select({ wanted: wanted(), stop: stops.receiving() }), { key: "wanted", value: { tag: 2 } });
    const waiting = select({ wanted: wanted(), stop: stops.receiving() });
    await turn();
    assert.ok(stops.send("stop"));
    assert.deepEqual(await waiting, { key: "stop", value: "stop" });
    mailbox.send({ tag: 2 });
    assert.equal(mailbox.length, 2);
    const again = select({ stop: stops.receiving(), late: after(10_000) });
    await turn();
    stops.send("later");
    assert.deepEqual(await again, { key: "stop", value: "later" });
  });

  check("has a message back, before the others, that nobody is there any more to be given", async () => {
    const mailbox = new Mailbox<number>();
    const abandoned = selectSoon({ value: mailbox.receiving(), late: after(10_000) });
    assert.ok(abandoned instanceof Pending);
    mailbox.send(1);
    mailbox.send(2);
    abandoned.abandon();
    assert.deepEqual([mailbox.tryReceive(), mailbox.tryReceive(), mailbox.length], [{ message: 1 }, { message: 2 }, 0]);
  });

  check("tells a select that its task has ended", async () => {
    const task = spawn(() => {});
    const waiting = rejection(select({ message: task.mailbox.receiving(), late: after(10_000) }));
    await task;
    assert.ok((await waiting) instanceof ChannelClosedError);
    assert.ok((await rejection(select({ message: task.mailbox.receiving() }))) instanceof ChannelClosedError);
  });

  check("stops waiting after a time", async () => {
    const mailbox = new Mailbox<number>();
    const error = await rejection(mailbox.receive({ timeoutMs: 1 }));
    assert.equal((error as DOMException).name, "TimeoutError");
    mailbox.send(1);
    assert.equal(await mailbox.receive({ timeoutMs: 1000 }), 1);
  });

  check("belongs to a task, and is closed when that ends", async () => {
    const task = spawn(async (self) => self.mailbox.receive());
    assert.equal(task.mailbox.send("hello"), true);
    assert.equal(await task, "hello");
    assert.equal(task.mailbox.send("late"), false);
    const other = spawn(() => {});
    await other;
    assert.equal(other.mailbox.send("late"), false);
    assert.ok((await rejection(other.mailbox.receive())) instanceof ChannelClosedError);
  });

  check("tells those who wait for a message that its task has ended", async () => {
    const task = spawn(() => turn());
    const waiting = spawn(() => task.mailbox.receive());
    const result = await waiting.join();
    assert.ok(result.state === "threw" && result.error instanceof ChannelClosedError);
  });
});

const error = new Error("crash");
const crash = async (): Promise<never> => {
  await turn();
  throw error;
};
const sleeper = (): Task => spawn(() => sleep(100_000));

describe("link()", () => {
  check("cancels the one when the other throws or is cancelled", async () => {
    const [crashing, killed] = [spawn(crash), sleeper()];
    const [first, second] = [sleeper(), sleeper()];
    link(crashing, first);
    link(second, killed);
    await turn();
    killed.cancel("killed");
    const results = await Promise.all([first.join(), second.join()]);
    for (const [index, cause] of [error, "killed"].entries()) {
      const result = results[index];
      assert.ok(result?.state === "cancelled" && result.reason instanceof LinkDiedError);
      assert.equal(result.reason.cause, cause);
    }
  });

  check("does nothing when the other returns, or the link was ended", async () => {
    const [returning, crashing] = [spawn(() => 1), spawn(crash)];
    const survivor = spawn(() => sleep(10));
    link(returning, survivor);
    const unlink = link(crashing, survivor);
    unlink();
    assert.equal(await stateOf(crashing), "threw");
    assert.equal(await stateOf(survivor), "returned");
  });

  check("sends a message instead to one that wants that", async () => {
    const crashing = spawn(crash);
    const survivor: Task = spawn(async (self) => self.mailbox.receive());
    link(survivor, crashing, { asMessage: [survivor] });
    const message = await survivor;
    assert.ok(message instanceof TaskEnded);
    assert.deepEqual([message.task, message.result], [crashing, { state: "threw", error }]);
  });

  check("counts also when the other has ended before", async () => {
    const crashed = spawn(crash);
    await crashed.join();
    const late = sleeper();
    link(late, crashed);
    assert.equal(await stateOf(late), "cancelled");
  });
});

describe("monitor()", () => {
  check("tells how tasks end, in whichever way", async () => {
    const mailbox = new Mailbox<TaskEnded>();
    const tasks = [spawn(() => 1), spawn(crash), sleeper()];
    for (const task of tasks) monitor(task, mailbox);
    const forgotten = spawn(() => 2);
    monitor(forgotten, mailbox)();
    await turn();
    tasks[2]?.cancel("killed");
    const ends = [await mailbox.receive(), await mailbox.receive(), await mailbox.receive()];
    assert.deepEqual(ends.map(({ result }) => result.state).toSorted(), ["cancelled", "returned", "threw"]);
    assert.equal(mailbox.length, 0);
    monitor(tasks[0]!, mailbox);
    assert.equal((await mailbox.receive()).result.state, "returned");
    await forgotten;
  });
});
