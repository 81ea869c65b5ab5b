/** Waiting for time and for descriptors. */
import assert from "node:assert/strict";
import { beforeEach, describe, it, mock } from "node:test";
import { MemoryFileSystem, MemoryNetwork } from "stackful/wasi";
import { CLOCK, EVENT, SUBSCRIPTION } from "#src/wasi/preview1/layout";
import { GuestCalls } from "../guest-calls.ts";
import { ManualClock } from "../manual-clock.ts";
import { ManualInput, ManualOutput } from "../manual-streams.ts";
import { COUNT, INPUT, OUTPUT, poll, readEvents, startPoll, subscribe } from "../polling.ts";

const MS = 1_000_000n;
const ABSOLUTE = 1;
const { monotonic, realtime, processCpuTime } = CLOCK;

/**
 * What is ready is answered at once only as long as the event loop has not been kept for some milliseconds. These are they: on a busy machine
 * any number of others may pass between two lines of a test.
 */
let heldMs = 0;
mock.method(performance, "now", () => heldMs);
beforeEach(() => new Promise<void>((done) => void setImmediate(done)));

/** Whether a promise has settled, as far as microtasks bring it. */
async function isSettled(promise: Promise<unknown> | number): Promise<boolean> {
  let settled = false;
  void Promise.resolve(promise).then(() => (settled = true));
  await new Promise((done) => setImmediate(done));
  return settled;
}

function withClock(options: object = {}): { guest: GuestCalls; clock: ManualClock } {
  const clock = new ManualClock();
  return { clock, guest: new GuestCalls({ clock, stdin: "ignore", stdout: "ignore", stderr: "ignore", ...options }) };
}

const clockEvent = (index: number): object => ({
  index,
  type: "clock",
  error: "ESUCCESS",
  bytes: 0n,
  isHangup: false,
});

describe("poll_oneoff() of clocks", () => {
  it("waits until a relative time has passed", async () => {
    const { guest, clock } = withClock();
    const call = startPoll(guest, [{ clock: monotonic, timeout: 200n * MS }]);
    clock.pass(199n * MS);
    assert.equal(await isSettled(call), false);
    clock.pass(1n * MS);
    assert.equal(await call, 0);
    assert.deepEqual(readEvents(guest), [clockEvent(0)]);
    assert.equal(clock.timers, 0);
  });

  it("waits until an absolute time, which may have passed", async () => {
    const { guest, clock } = withClock();
    assert.equal(startPoll(guest, [{ clock: monotonic, timeout: clock.monotonic() - 1n, flags: ABSOLUTE }]), 0);
    assert.equal(startPoll(guest, [{ clock: realtime, timeout: clock.realtime(), flags: ABSOLUTE }]), 0);
    const call = startPoll(guest, [{ clock: realtime, timeout: clock.realtime() + 10n * MS, flags: ABSOLUTE }]);
    assert.equal(await isSettled(call), false);
    clock.pass(10n * MS);
    assert.equal(await call, 0);
  });

  it("takes the largest time for what it is", async () => {
    const { guest, clock } = withClock();
    const largest = 0xffff_ffff_ffff_ffffn;
    for (const flags of [0, ABSOLUTE]) {
      const call = startPoll(guest, [{ clock: monotonic, timeout: largest, flags }]);
      clock.pass(86_400_000n * MS * 2n);
      assert.equal(await isSettled(call), false);
    }
  });

  it("answers with all that have passed, in the order of the subscriptions", async () => {
    const { guest, clock } = withClock();
    const call = startPoll(guest, [
      { clock: monotonic, timeout: 30n * MS },
      { clock: realtime, timeout: 10n * MS },
      { clock: monotonic, timeout: 20n * MS },
      { clock: monotonic, timeout: 10n * MS },
    ]);
    clock.pass(20n * MS);
    assert.equal(await call, 0);
    assert.deepEqual(
      readEvents(guest).map(({ index }) => index),
      [1, 2, 3],
    );
  });

  it("looks again when a timer was early", async () => {
    const { guest, clock } = withClock();
    clock.earliness = 1n * MS;
    const call = startPoll(guest, [{ clock: monotonic, timeout: 10n * MS }]);
    // The next one is not.
    clock.earliness = 0n;
    clock.pass(9n * MS);
    assert.equal(await isSettled(call), false);
    assert.deepEqual(clock.waits, [10n * MS, 1n * MS]);
    clock.pass(1n * MS);
    assert.equal(await call, 0);
  });

  it("notices that the clock was set, but only where a time of day is waited for", async () => {
    const { guest, clock } = withClock();
    const hour = 3_600_000n * MS;
    const other = new GuestCalls({ clock, stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    const absolute = startPoll(guest, [{ clock: realtime, timeout: clock.realtime() + hour, flags: ABSOLUTE }]);
    const relative = startPoll(other, [{ clock: realtime, timeout: hour }]);
    clock.set(hour);
    clock.pass(500n * MS);
    assert.equal(await absolute, 0);
    assert.equal(await isSettled(relative), false);
    clock.set(-hour);
    clock.pass(hour);
    assert.equal(await relative, 0);
  });

  it("waits for computing time without a timer for every bit of it", async () => {
    const { guest, clock } = withClock();
    const call = startPoll(guest, [{ clock: processCpuTime, timeout: 1n * MS }]);
    clock.pass(10n * MS);
    assert.equal(await isSettled(call), false);
    clock.pass(10n * MS, 2n * MS);
    assert.equal(await call, 0);
    assert.deepEqual(clock.waits, [10n * MS, 10n * MS]);
  });

  it("reads a clock once, however many wait for it", async () => {
    let readings = 0;
    class CountedClock extends ManualClock {
      override monotonic(): bigint {
        readings++;
        return super.monotonic();
      }
    }
    const clock = new CountedClock();
    const guest = new GuestCalls({ clock, stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    const subscriptions = Array.from({ length: 500 }, () => ({ clock: monotonic, timeout: 10n * MS }));
    const call = startPoll(guest, subscriptions);
    clock.pass(10n * MS);
    assert.equal(await call, 0);
    assert.ok(readings < 20, `${readings} readings`);
  });

  it("answers at once when no time is to pass", () => {
    const { guest, clock } = withClock();
    assert.equal(startPoll(guest, [{ clock: monotonic, timeout: 0n }]), 0);
    assert.deepEqual(clock.waits, []);
  });

  it("says which clock does not exist, and waits for no other then", () => {
    const { guest } = withClock();
    const answer = startPoll(guest, [
      { clock: monotonic, timeout: 10n * MS },
      { clock: 77, timeout: 10n * MS },
      { clock: monotonic, timeout: 10n * MS, flags: 6 },
    ]);
    assert.equal(answer, 0);
    assert.deepEqual(
      readEvents(guest).map(({ index, error }) => [index, error]),
      [
        [1, "EINVAL"],
        [2, "EINVAL"],
      ],
    );
  });

  it("leaves no timer when it is not waited for any more", () => {
    const { guest, clock } = withClock();
    const controller = new AbortController();
    guest.signal = controller.signal;
    void startPoll(guest, [{ clock: monotonic, timeout: 10n * MS }]);
    assert.equal(clock.timers, 1);
    controller.abort();
    assert.equal(clock.timers, 0);
  });

  it("lets the event loop turn in a program that never waits", async () => {
    const guest = new GuestCalls({ stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const isOver = (): boolean => turns > 5;
    for (let asked = 0; !isOver() && asked < 1_000_000; asked++, heldMs++) {
      const answer = startPoll(guest, [{ clock: monotonic, timeout: 0n }]);
      if (typeof answer !== "number") await answer;
    }
    clearInterval(timer);
    assert.ok(turns > 5, `${turns} turns`);
  });
});

describe("poll_oneoff() of descriptors", () => {
  it("tells what can be read, and how much", async () => {
    const input = new ManualInput();
    const { guest } = withClock({ stdin: input });
    const call = startPoll(guest, [{ read: 0 }]);
    assert.equal(await isSettled(call), false);
    input.push("hello");
    assert.equal(await call, 0);
    assert.deepEqual(readEvents(guest), [{ index: 0, type: "read", error: "ESUCCESS", bytes: 5n, isHangup: false }]);
    assert.equal(await guest.read(0, 100), "hello");
  });

  it("tells of the end", async () => {
    const { guest } = withClock({ stdin: "ignore" });
    assert.deepEqual(await poll(guest, [{ read: 0 }]), [
      { index: 0, type: "read", error: "ESUCCESS", bytes: 0n, isHangup: true },
    ]);
  });

  it("keeps what comes after the time was over for the next read", async () => {
    const input = new ManualInput();
    const { guest, clock } = withClock({ stdin: input });
    const call = startPoll(guest, [{ read: 0 }, { clock: monotonic, timeout: 10n * MS }]);
    clock.pass(10n * MS);
    assert.equal(await call, 0);
    assert.deepEqual(readEvents(guest), [clockEvent(1)]);
    input.push("late");
    await isSettled(0);
    assert.deepEqual(
      (await poll(guest, [{ clock: monotonic, timeout: 0n }, { read: 0 }])).map(({ index }) => index),
      [0, 1],
    );
    assert.equal(await guest.read(0, 2), "la");
    assert.equal(await guest.read(0, 100), "te");
    assert.equal(input.reads, 1);
  });

  it("finds a file always ready, and tells how much is left of it", async () => {
    const root = new MemoryFileSystem({ file: "0123456789" }).root;
    const { guest } = withClock({ preopens: { "/": root } });
    const file = await guest.open(3, "file", { rights: ["fd_read", "fd_write", "poll_fd_readwrite"] });
    await guest.read(file, 4);
    const events = await poll(guest, [{ read: file }, { write: file }]);
    assert.deepEqual(
      events.map(({ type, error, bytes }) => [type, error, type === "read" ? bytes : 0n]),
      [
        ["read", "ESUCCESS", 6n],
        ["write", "ESUCCESS", 0n],
      ],
    );
  });

  it("waits for room to write", async () => {
    const output = new ManualOutput();
    const { guest } = withClock({ stdout: output });
    await guest.call("fd_fdstat_set_flags", 1, 4);
    assert.equal(await guest.write(1, "first"), 5);
    const call = startPoll(guest, [{ write: 1 }]);
    assert.equal(await isSettled(call), false);
    output.take();
    assert.equal(await call, 0);
    const [event] = readEvents(guest);
    assert.equal(event!.type, "write");
    assert.ok(event!.bytes > 0n);
  });

  it("says of each descriptor what is wrong with it", async () => {
    const { guest } = withClock();
    const events = await poll(guest, [{ read: 99 }, { read: 1 }, { write: 0 }, { write: 0xffff_ffff }]);
    assert.deepEqual(
      events.map(({ error }) => error),
      ["EBADF", "ENOTCAPABLE", "ENOTCAPABLE", "EBADF"],
    );
  });

  it("tells of a descriptor that is closed meanwhile", async () => {
    const { guest } = withClock({ stdin: new ManualInput() });
    const call = startPoll(guest, [{ read: 0 }]);
    await guest.close(0);
    assert.equal(await call, 0);
    assert.equal(readEvents(guest)[0]!.error, "EBADF");
  });

  it("waits for what was open when it began, whatever comes to that number", async () => {
    const listener = new MemoryNetwork().listen("example.test", 80);
    const { guest } = withClock({ stdin: new ManualInput(), listeners: [listener] });
    const call = startPoll(guest, [{ read: 0 }]);
    await guest.call("fd_renumber", 3, 0);
    assert.equal(await isSettled(call), true);
    assert.equal(readEvents(guest)[0]!.error, "EBADF");
    // And it goes on with what has only got another number.
    const input = new ManualInput();
    const { guest: other } = withClock({ stdin: input, listeners: [listener] });
    const moved = startPoll(other, [{ read: 0 }]);
    await other.call("fd_renumber", 0, 3);
    input.push("x");
    assert.equal(await moved, 0);
    assert.deepEqual(readEvents(other), [{ index: 0, type: "read", error: "ESUCCESS", bytes: 1n, isHangup: false }]);
  });

  it("says that a listener was closed meanwhile, and leaves who comes to others", async () => {
    const network = new MemoryNetwork();
    const listener = network.listen("example.test", 80);
    const { guest } = withClock({ listeners: [listener] });
    const call = startPoll(guest, [{ read: 3 }]);
    await guest.close(3);
    assert.equal(await call, 0);
    assert.equal(readEvents(guest)[0]!.error, "EBADF");
    void network.connect("example.test", 80);
    assert.ok(!(listener.accept() instanceof Promise));
  });

  it("waits on when another coroutine has taken what was there while the event loop turned", async () => {
    const input = new ManualInput();
    const { guest } = withClock({ stdin: input });
    input.push("first");
    void startPoll(guest, [{ clock: monotonic, timeout: 0n }]);
    heldMs += 10;
    const call = startPoll(guest, [{ read: 0 }]);
    assert.notEqual(typeof call, "number");
    guest.view.setUint32(5000, 6000, true);
    guest.view.setUint32(5004, 100, true);
    assert.equal(guest.start("fd_read", 0, 5000, 1, 64), 0);
    assert.equal(await isSettled(call), false);
    input.push("second");
    assert.equal(await call, 0);
    assert.equal(readEvents(guest)[0]!.bytes, 6n);
  });

  it("leaves nobody watching, however often it is asked", async () => {
    const input = new ManualInput();
    const { guest, clock } = withClock({ stdin: input });
    for (let round = 0; round < 10_000; round++) {
      const call = startPoll(guest, [{ read: 0 }, { read: 0 }, { clock: monotonic, timeout: 1n * MS }]);
      clock.pass(1n * MS);
      await call;
    }
    assert.equal(input.reads, 1);
    assert.deepEqual(input.waits, { begun: 10_000, ended: 10_000 });
    assert.equal(clock.timers, 0);
  });

  it("is not told any more when it is not waited for", async () => {
    const input = new ManualInput();
    const { guest } = withClock({ stdin: input });
    const controller = new AbortController();
    guest.signal = controller.signal;
    const call = startPoll(guest, [{ read: 0 }]);
    controller.abort();
    input.push("x");
    assert.equal(await isSettled(call), false);
    assert.deepEqual(input.waits, { begun: 1, ended: 1 });
    assert.equal(guest.view.getUint32(COUNT, true), 0);
    guest.signal = new AbortController().signal;
    assert.equal(await guest.read(0, 10), "x");
  });
});

describe("poll_oneoff() with pointers", () => {
  const { guest, clock } = withClock();
  const size = guest.memory.buffer.byteLength;
  const now = { clock: monotonic, timeout: 0n };

  it("refuses no subscriptions at all, or more than there can be", async () => {
    assert.equal(await guest.errno("poll_oneoff", INPUT, OUTPUT, 0, COUNT), "EINVAL");
    assert.equal(await guest.errno("poll_oneoff", INPUT, OUTPUT, 0xffff_ffff, COUNT), "EINVAL");
  });

  it("answers EFAULT before it waits", async () => {
    subscribe(guest, [{ clock: monotonic, timeout: 1n * MS }]);
    const cases = [
      [size - SUBSCRIPTION.bytes + 1, OUTPUT, 1, COUNT],
      [0xffff_ffff, OUTPUT, 1, COUNT],
      [INPUT, size - EVENT.bytes + 1, 1, COUNT],
      [INPUT, 0xffff_fff0, 1, COUNT],
      [INPUT, OUTPUT, 65_536, COUNT],
      [INPUT, OUTPUT, 1, size - 3],
    ] as const;
    for (const params of cases) assert.equal(await guest.errno("poll_oneoff", ...params), "EFAULT", params.join());
    assert.equal(clock.timers, 0);
  });

  it("writes at the end of the memory", async () => {
    const last = size - SUBSCRIPTION.bytes;
    subscribe(guest, [now], last);
    await guest.call("poll_oneoff", last, size - EVENT.bytes, 1, COUNT);
    assert.deepEqual(readEvents(guest, size - EVENT.bytes), [clockEvent(0)]);
  });

  it("may write its events where the subscriptions are", async () => {
    subscribe(guest, [now, { clock: 9, timeout: 0n }, now]);
    await guest.call("poll_oneoff", INPUT, INPUT, 3, COUNT);
    assert.deepEqual(
      readEvents(guest, INPUT).map(({ index, error }) => [index, error]),
      [
        [0, "ESUCCESS"],
        [1, "EINVAL"],
        [2, "ESUCCESS"],
      ],
    );
  });

  it("refuses an event that does not exist", async () => {
    subscribe(guest, [now]);
    guest.view.setUint8(INPUT + SUBSCRIPTION.tag, 3);
    assert.equal(await guest.errno("poll_oneoff", INPUT, OUTPUT, 1, COUNT), "EINVAL");
  });
});
