/** What has to hold for any sequence of operations, however they overlap and whoever gives up: random ones, made smaller when they fail. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import * as fc from "fast-check";
import {
  Channel,
  ChannelClosedError,
  Mailbox,
  Mutex,
  RwLock,
  Semaphore,
  scope,
  select,
  spawn,
  yieldNow,
} from "stackful/tasks";
import type { Scope, Task } from "stackful/tasks";
import { check, turn } from "./harness.ts";

/** What a task does before the next operation: so often it lets others run. */
const pause = fc.integer({ min: 0, max: 3 });
const RUNS = { numRuns: 150 };

async function rest(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await yieldNow();
}

/** `"giving up"` has its signal aborted when others have run `patience` times. */
const attempt = fc.record({
  way: fc.constantFrom("waiting" as const, "trying" as const, "selecting" as const, "giving up" as const),
  patience: pause,
  pause,
});
type Attempt = typeof attempt extends fc.Arbitrary<infer Value> ? Value : never;

function signalOf({ way, patience }: Attempt): AbortSignal {
  const controller = new AbortController();
  if (way === "giving up") void rest(patience).then(() => controller.abort("gave up"));
  return controller.signal;
}

/** Who has sent it, and which of that sender's it is. */
type Message = readonly [sender: number, index: number];

/** Whether it was sent. */
async function sendSomehow(channel: Channel<Message>, message: Message, how: Attempt): Promise<boolean> {
  await rest(how.pause);
  if (how.way === "trying") return channel.trySend(message);
  const signal = signalOf(how);
  try {
    if (how.way === "selecting") await select({ sent: channel.sending(message) }, { signal });
    else await channel.send(message, { signal });
    return true;
  } catch (error) {
    assert.equal(error, "gave up");
    return false;
  }
}

async function receiveSomehow(channel: Channel<Message>, how: Attempt): Promise<Message | "closed" | undefined> {
  await rest(how.pause);
  if (how.way === "trying") return channel.tryReceive()?.value ?? (channel.closed ? "closed" : undefined);
  const signal = signalOf(how);
  const never = new Channel<Message>();
  try {
    if (how.way !== "selecting") return await channel.receive({ signal });
    const { value } = await select({ message: channel.receiving(), never: never.receiving() }, { signal });
    return value;
  } catch (error) {
    if (error instanceof ChannelClosedError) return "closed";
    assert.equal(error, "gave up");
    return undefined;
  }
}

const attempts = fc.array(attempt, { minLength: 1, maxLength: 12 });
const traffic = fc.record({
  capacity: fc.constantFrom(0, 1, 2, 5, Infinity),
  senders: fc.array(attempts, { minLength: 1, maxLength: 4 }),
  receivers: fc.array(attempts, { minLength: 1, maxLength: 4 }),
});

describe("Any sequence of channel operations", () => {
  check("loses, duplicates and reorders no message of one sender", () =>
    fc.assert(
      fc.asyncProperty(traffic, async ({ capacity, senders, receivers }) => {
        const channel = new Channel<Message>({ capacity });
        const sending = senders.map((plan, sender) =>
          spawn(async () => {
            const sent: number[] = [];
            for (const [index, how] of plan.entries()) {
              if (await sendSomehow(channel, [sender, index], how)) sent.push(index);
            }
            return sent;
          }),
        );
        const receiving = receivers.map((plan) => spawn(() => receiveAll(channel, plan)));
        const sent = await Promise.all(sending);
        channel.close();
        const received = await Promise.all(receiving);
        for (const [sender, indices] of sent.entries()) {
          const arrived = received.map((messages) => messages.filter(([from]) => from === sender).map(([, i]) => i));
          for (const each of arrived) assert.deepEqual(each, inOrder(each), "reordered");
          assert.deepEqual(inOrder(arrived.flat()), indices, "lost or duplicated");
        }
        assert.equal(channel.length, 0);
      }),
      RUNS,
    ),
  );
});

const inOrder = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b);

async function receiveAll(channel: Channel<Message>, plan: readonly Attempt[]): Promise<Message[]> {
  const messages: Message[] = [];
  for (let i = 0; ; i++) {
    const message = await receiveSomehow(channel, plan[i % plan.length]!);
    if (message === "closed") return messages;
    if (message !== undefined) messages.push(message);
    else await turn();
  }
}

/** When it is cancelled, in times that others have run; not at all. */
const holder = fc.record({
  before: pause,
  holding: pause,
  wants: fc.integer({ min: 1, max: 3 }),
  cancelAfter: fc.option(fc.integer({ min: 0, max: 8 }), { nil: undefined }),
});
type Holder = typeof holder extends fc.Arbitrary<infer Value> ? Value : never;
const holders = fc.array(holder, { minLength: 1, maxLength: 8 });

/** A task for each, of which some are cancelled at some time; all have ended afterwards. */
async function runAll(plan: readonly Holder[], body: (holder: Holder) => Promise<void>): Promise<void> {
  const start = (scope: Scope, each: Holder): void => {
    const task: Task = scope.spawn(async () => {
      await rest(each.before);
      await body(each);
    });
    if (each.cancelAfter !== undefined) void rest(each.cancelAfter).then(() => task.cancel());
  };
  await scope(async (scope) => {
    for (const each of plan) start(scope, each);
    await scope.join();
  });
}

describe("Whoever holds locks and is cancelled, at any time", () => {
  check("shares a mutex with nobody, and leaves it free", () =>
    fc.assert(
      fc.asyncProperty(holders, async (plan) => {
        const mutex = new Mutex();
        let inside = 0;
        await runAll(plan, async ({ holding }) => {
          using guard = await mutex.lock();
          assert.ok(guard.held);
          assert.equal(++inside, 1);
          await rest(holding).finally(() => inside--);
        });
        assert.deepEqual([inside, mutex.locked], [0, false]);
      }),
      RUNS,
    ),
  );

  check("shares a lock for reading with readers alone, and leaves it free", () =>
    fc.assert(
      fc.asyncProperty(holders, async (plan) => {
        const lock = new RwLock();
        const inside = { read: 0, write: 0 };
        await runAll(plan, async ({ holding, wants }) => {
          const access = wants === 1 ? "write" : "read";
          using guard = await lock[access]();
          inside[guard.access]++;
          assert.ok(inside.write === 0 || (inside.write === 1 && inside.read === 0));
          await rest(holding).finally(() => inside[access]--);
        });
        assert.deepEqual([lock.readers, lock.writing, inside], [0, false, { read: 0, write: 0 }]);
      }),
      RUNS,
    ),
  );

  check("never has more permits than there are, and gives all of them back", () =>
    fc.assert(
      fc.asyncProperty(holders, async (plan) => {
        const semaphore = new Semaphore(3);
        let taken = 0;
        await runAll(plan, async ({ holding, wants }) => {
          using permits = await semaphore.acquire({ count: wants });
          taken += permits.count;
          assert.ok(taken <= 3);
          await rest(holding).finally(() => (taken -= wants));
        });
        assert.deepEqual([taken, semaphore.available], [0, 3]);
      }),
      RUNS,
    ),
  );
});

describe("Any sequence of mailbox operations", () => {
  check("gives each message to one who wants such, the oldest first", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 20 }),
        fc.array(fc.record({ tag: fc.integer({ min: 0, max: 2 }), pause }), { maxLength: 10 }),
        async (tags, readers) => {
          const mailbox = new Mailbox<Message>();
          const reading = readers.map(({ tag, pause }) =>
            spawn(async () => {
              await rest(pause);
              return mailbox.receive({ matches: ([each]) => each === tag });
            }),
          );
          for (const [index, tag] of tags.entries()) {
            await rest(index % 3);
            mailbox.send([tag, index]);
          }
          await turn();
          for (const task of reading) task.cancel();
          const results = await Promise.all(reading.map((task) => task.join()));
          const read = results.flatMap((result) => (result.state === "returned" ? [result.value] : []));
          const left: Message[] = [];
          for (let taken = mailbox.tryReceive(); taken !== undefined; taken = mailbox.tryReceive()) {
            left.push(taken.message);
          }
          for (const tag of [0, 1, 2]) {
            const wanted = readers.filter((reader) => reader.tag === tag).length;
            const sent = tags.flatMap((each, index) => (each === tag ? [index] : []));
            const [taken, kept] = [read, left].map((messages) =>
              messages.filter(([each]) => each === tag).map(([, index]) => index),
            );
            assert.deepEqual(inOrder(taken!), sent.slice(0, wanted));
            assert.deepEqual(kept, sent.slice(wanted));
          }
        },
      ),
      RUNS,
    ),
  );
});
