/** Programs with tasks: how they end, what is refused, and that nothing of them is left. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { StackExhaustedError, Trap, compile, instantiate } from "stackful";
import type { Instance } from "stackful";
import { GuestTasks, SpawnError } from "stackful/guest-tasks";
import { Channel, DeadlockError, dump, spawn } from "stackful/tasks";
import { TextOutput, WASI } from "stackful/wasi";
import { LIVE, words } from "#src/link/switchboard";
import { guestBytes } from "../conformance/harness.ts";
import { processorMs } from "../processor-time.ts";
import { rejection, turn } from "../tasks/harness.ts";
import { assemble } from "../transform/assemble.ts";
import { TaskProgram, onBackends as onEach } from "./programs.ts";
import type { Backend, ProgramOptions } from "./programs.ts";

/** One test for each backend, which fails if it leaves a task or a stack behind. */
function onBackends(title: string, test: (backend: Backend) => Promise<void>): void {
  onEach(title, async (backend) => {
    const before = { live: words[LIVE >> 2], tasks: dump().length };
    await test(backend);
    await turn();
    assert.deepEqual({ live: words[LIVE >> 2], tasks: dump().length }, before);
  });
}

const cases = (backend: Backend, args: readonly string[], options?: ProgramOptions): Promise<TaskProgram> =>
  TaskProgram.make("tasks-cases", backend, args, options);

async function expectOutput(
  backend: Backend,
  args: readonly string[],
  lines: readonly string[],
  code = 0,
): Promise<void> {
  const program = await cases(backend, args);
  assert.equal(await program.start(), code);
  assert.deepEqual(program.output.text.split("\n").slice(0, -1), lines);
}

const WAYS = ["mutex", "read", "write", "semaphore", "barrier", "receive", "send", "join", "select", "condition"];

describe("A program with tasks", () => {
  onBackends("ends when its main function returns, without any more code of its tasks", (backend) =>
    expectOutput(backend, ["return"], ["main returns"], 3),
  );

  onBackends("ends when a task calls exit()", (backend) => expectOutput(backend, ["exit"], [], 7));

  onBackends("fails when a task traps", async (backend) => {
    const program = await cases(backend, ["trap"]);
    await assert.rejects(program.start(), (error) => {
      assert.ok(error instanceof Trap && error.kind === "unreachable");
      assert.match(error.message, /^unreachable.* \(in bad\)$/);
      return error.task === "bad";
    });
    assert.equal(program.output.text, "");
  });

  onBackends("fails when a task goes beyond its stack, which can be larger", async (backend) => {
    await expectOutput(backend, ["deep", "60"], ["60 calls"]);
    const program = await cases(backend, ["deep", "70"]);
    await assert.rejects(program.start(), (error) => {
      assert.ok(error instanceof StackExhaustedError);
      assert.match(error.message, /the option stacks: \{ bytes \} \(in diver\)$/);
      return error.limit > 65_000 && error.limit < 65_537;
    });
  });

  onBackends("ends when its main task is cancelled", async (backend) => {
    const program = await cases(backend, ["cancel-main"]);
    await assert.rejects(program.start(), { name: "AbortError", message: "main was cancelled" });
  });

  onBackends("is ended by a signal, with all its tasks", async (backend) => {
    const controller = new AbortController();
    const program = await cases(backend, ["sleep"], { signal: controller.signal });
    const end = program.start();
    setTimeout(() => controller.abort("enough"), 20);
    await assert.rejects(end, (error) => error === "enough");
    assert.equal(program.output.text, "");
  });

  onBackends("is ended with the task around it", async (backend) => {
    const program = await cases(backend, ["sleep"]);
    const task = spawn(() => program.start());
    setTimeout(() => task.cancel("enough"), 20);
    assert.deepEqual(await task.join(), { state: "cancelled", reason: "enough" });
  });

  onBackends("can cancel a task wherever it waits, and finds everything free then", (backend) =>
    expectOutput(backend, ["cancel"], ["left: 0"]),
  );

  onBackends("can cancel a task at its first, second, … suspension", (backend) =>
    expectOutput(backend, ["cancel-at"], ["6 steps"]),
  );

  onBackends("is told when a time is over, and has not done what it has waited for", (backend) => {
    const lines = [...WAYS, "sleep"].map((way) => `${way} -73`);
    return expectOutput(backend, ["time-out"], [...lines, "left: 0"]);
  });

  onBackends("does not wait where it only tries", (backend) => {
    const lines = WAYS.map((way) => `${way} -6`);
    return expectOutput(backend, ["try"], [...lines, "sleep -73", "left: 0"]);
  });

  onBackends("goes on beside tasks that never wait, if it is interruptible", async (backend) => {
    const [tasks, stdout] = [new GuestTasks(), new TextOutput()];
    const wasi = new WASI({ args: ["tasks-cases", "spin"], stdout });
    const imports = { ...wasi.imports(), ...tasks.imports() };
    const instance = await instantiate(guestBytes("tasks-cases"), imports, { backend, interruptible: true });
    assert.equal(await tasks.run((options) => wasi.start(instance, options)), 0);
    assert.equal(stdout.text, "both run: 1\ncancelled: 1\n");
  });

  onBackends("gets the names of tasks, as much as fits", (backend) =>
    expectOutput(backend, ["names"], ["11 a long ", "11", "main"]),
  );

  onBackends("may have a thousand tasks at once", (backend) =>
    expectOutput(backend, ["many", "1000"], ["1000 tasks, 0 refused"]),
  );

  onBackends("has as many tasks as it is allowed", async (backend) => {
    const program = await cases(backend, ["many", "30"], { tasks: { maxTasks: 11 } });
    assert.equal(await program.start(), 0);
    assert.equal(program.output.text, "10 tasks, 20 refused\n");
  });

  onBackends("is refused with numbers", async (backend) => {
    const program = await cases(backend, ["errors"]);
    assert.equal(await program.start(), 0);
    const numbers = program.output.text
      .split("\n")
      .slice(0, -1)
      .map((line) => line.match(/-?\d+/g)!.map(Number));
    assert.deepEqual(
      numbers.flat(),
      [
        -28, -28, -28, -21, -21, -35, -28, -44, -28, -28, -28, -21, -71, -21, 0, -28, 0, -11, -64, -64, 0, -64, -63,
        -63, 0, -28,
      ],
    );
  });
});

describe("Tasks that wait for each other", () => {
  async function deadlock(backend: Backend, kind: string): Promise<DeadlockError> {
    const program = await cases(backend, ["deadlock", kind]);
    try {
      await program.start();
    } catch (error) {
      assert.ok(error instanceof DeadlockError);
      return error;
    }
    return assert.fail("expected a deadlock");
  }

  /** What can be seen of a stack. */
  const placeOn = (backend: Backend): string =>
    backend === "transform" ? ", in deadlock < main < __main_void < _start" : "";

  onBackends("are named: one that joins itself", async (backend) => {
    const { tasks } = await deadlock(backend, "self");
    const waits = tasks.map(({ name, waitingFor }) => [name, waitingFor]);
    assert.deepEqual(waits, [["main", `the end of main${placeOn(backend)}`]]);
  });

  onBackends("are named: one that locks a mutex twice", async (backend) => {
    const { tasks } = await deadlock(backend, "again");
    const waits = tasks.map(({ name, waitingFor }) => [name, waitingFor]);
    assert.deepEqual(waits, [["main", `mutex 1, held by main${placeOn(backend)}`]]);
  });

  onBackends("are named: two that want each other's mutex, while a third one sleeps", async (backend) => {
    const { tasks } = await deadlock(backend, "two");
    assert.deepEqual(tasks.map(({ name }) => name).toSorted(), ["ada", "bob"]);
  });

  onBackends("are named: all of them, when nobody is left to wake one", async (backend) => {
    const { tasks } = await deadlock(backend, "all");
    assert.deepEqual(
      tasks.map(({ name }) => name),
      ["main", ...WAYS],
    );
  });

  onBackends("are left alone while somebody else may wake them", async (backend) => {
    const channel = new Channel<Uint8Array>();
    const program = await benchGuest(backend, new GuestTasks({ channels: { numbers: channel } }));
    const sum = program.run("receive", 4, 2);
    for (let value = 1; value <= 2; value++) {
      await new Promise((done) => setTimeout(done, 20));
      await channel.send(Uint8Array.of(value, 0, 0, 0));
    }
    assert.equal(await sum, 3);
  });
});

/** test/guests/tasks-bench.c */
async function benchGuest(
  backend: Backend,
  tasks: GuestTasks,
): Promise<{ instance: Instance; run: (name: string, ...args: number[]) => Promise<unknown> }> {
  const wasi = new WASI();
  const module = await compile(guestBytes("tasks-bench"), { backend });
  const instance = await instantiate(module, { ...wasi.imports(), ...tasks.imports() });
  await wasi.initialize(instance);
  const run = (name: string, ...args: number[]): Promise<unknown> =>
    tasks.run((options) => instance.function(name).call(args, options));
  return { instance, run };
}

describe("Guests", () => {
  for (const capacity of [0, 1, 16, Infinity]) {
    onBackends(`pass messages through a channel of the host of capacity ${capacity}`, async (backend) => {
      const channels = { numbers: new Channel<Uint8Array>({ capacity }) };
      const producer = await benchGuest(backend, new GuestTasks({ channels }));
      const consumer = await benchGuest(backend, new GuestTasks({ channels }));
      const ends = [producer.run("send", 4, 1000), consumer.run("receive", 4, 1000)];
      assert.deepEqual(await Promise.all(ends), [0, 500_500]);
    });
  }

  onBackends("that share their GuestTasks are programs of their own", async (backend) => {
    const tasks = new GuestTasks();
    const guests = [await benchGuest(backend, tasks), await benchGuest(backend, tasks)];
    const sums = guests.map(({ run }) => run("pass", 1, 8, 200));
    assert.deepEqual(await Promise.all(sums), [20_100, 20_100]);
  });

  onBackends("run again and again in the memory that they have", async (backend) => {
    const { instance, run } = await benchGuest(backend, new GuestTasks());
    const round = async (): Promise<void> => {
      assert.equal(await run("pass", 2, 16, 20), 210);
      assert.equal(await run("spawn", 20), 20);
    };
    await round();
    const { byteLength } = instance.memory!.buffer;
    for (let i = 0; i < 100; i++) await round();
    assert.equal(instance.memory!.buffer.byteLength, byteLength);
  });

  onBackends("that share their GuestTasks are stuck when all of them are", async (backend) => {
    const tasks = new GuestTasks();
    const program = async (name: string): Promise<TaskProgram> => cases(backend, ["deadlock", name], { tasks });
    const sleeper = await cases(backend, ["sleep"], { tasks, signal: AbortSignal.timeout(100) });
    const [first, second] = [await program("all"), await program("all")];
    const order: string[] = [];
    const ends = [sleeper, first, second].map(async (each) => {
      const error = await rejection(each.start());
      order.push(error instanceof Error ? error.name : "no error");
    });
    await Promise.all(ends);
    assert.deepEqual(order, ["TimeoutError", "DeadlockError", "DeadlockError"]);
  });

  onBackends("that only pass messages let timers fire", async (backend) => {
    const { run } = await benchGuest(backend, new GuestTasks());
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const started = processorMs();
    await run("pass", 64, 4, 300_000);
    const computedMs = processorMs() - started;
    clearInterval(timer);
    assert.ok(ticks >= Math.floor(computedMs / 40), `${ticks} ticks in ${computedMs} ms`);
  });

  onBackends("are not stuck if the host can call them", async (backend) => {
    const tasks = new GuestTasks();
    const bytes = await assemble(`(module
      (import "stackful" "channel_new" (func $new (param i32 i32) (result i32)))
      (import "stackful" "channel_send" (func $send (param i32 i32 i32) (result i32)))
      (import "stackful" "channel_receive" (func $receive (param i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (global $channel (mut i32) (i32.const 0))
      (func (export "run") (result i32)
        (global.set $channel (call $new (i32.const 1) (i32.const 4)))
        (call $receive (global.get $channel) (i32.const 64) (i32.const -1)))
      (func (export "push") (result i32) (call $send (global.get $channel) (i32.const 64) (i32.const -1))))`);
    const instance = await instantiate(bytes, tasks.imports(), { backend });
    const end = tasks.run((options) => instance.function("run").call([], options));
    await new Promise((done) => setTimeout(done, 20));
    assert.equal(await instance.function("push").call([]), 0);
    assert.equal(await end, 0);
  });

  onBackends("lose no wake-up when a task is cancelled that was woken, and takes the mutex again", async (backend) => {
    const tasks = new GuestTasks();
    const log: number[] = [];
    const bytes = await assemble(`(module
      (import "stackful" "mutex_new" (func $mutex (result i32)))
      (import "stackful" "mutex_lock" (func $lock (param i32 i32) (result i32)))
      (import "stackful" "mutex_unlock" (func $unlock (param i32) (result i32)))
      (import "stackful" "condition_new" (func $condition (result i32)))
      (import "stackful" "condition_wait" (func $wait (param i32 i32) (result i32)))
      (import "stackful" "condition_notify" (func $notify (param i32 i32) (result i32)))
      (import "stackful" "spawn" (func $spawn (param i32 i32 i32) (result i32)))
      (import "stackful" "cancel" (func $cancel (param i32) (result i32)))
      (import "stackful" "join" (func $join (param i32 i32 i32) (result i32)))
      (import "stackful" "sleep" (func $sleep (param f64)))
      (import "host" "log" (func $log (param i32)))
      (memory (export "memory") 1)
      (func (export "stackful_start") (param i32 i32) (result i32)
        (drop (call $wait (i32.const 2) (i32.const -1)))
        (drop (call $lock (i32.const 1) (i32.const -1)))
        (call $log (local.get 1))
        (call $unlock (i32.const 1)))
      (func (export "_start") (local $first i32) (local $second i32)
        (drop (call $mutex))
        (drop (call $condition))
        (local.set $first (call $spawn (i32.const 0) (i32.const 10) (i32.const 0)))
        (local.set $second (call $spawn (i32.const 0) (i32.const 20) (i32.const 0)))
        (call $sleep (f64.const 1))
        (drop (call $lock (i32.const 1) (i32.const -1)))
        (drop (call $notify (i32.const 2) (i32.const 0)))
        (call $sleep (f64.const 1))
        (drop (call $cancel (local.get $first)))
        (call $log (call $join (local.get $first) (i32.const 0) (i32.const -1)))
        (drop (call $unlock (i32.const 1)))
        (call $log (call $join (local.get $second) (i32.const 0) (i32.const 1000)))))`);
    const host = { log: (value: number) => void log.push(value) };
    const instance = await instantiate(bytes, { host, ...tasks.imports() }, { backend });
    await tasks.run((options) => instance.function("_start").call([], options));
    assert.deepEqual(log, [-11, 20, 0]);
  });

  onBackends("are refused elements of another size", async (backend) => {
    const channel = new Channel<Uint8Array>({ capacity: 1 });
    const { run } = await benchGuest(backend, new GuestTasks({ channels: { numbers: channel } }));
    await channel.send(new Uint8Array(3));
    assert.equal(await run("receive", 4, 1), -1);
  });

  onBackends("that nobody has run cannot spawn, but lock", async (backend) => {
    const { instance } = await benchGuest(backend, new GuestTasks());
    assert.equal(await instance.function("lock").call([5]), 5);
    await assert.rejects(instance.function("spawn").call([1]), /within run\(\) of its GuestTasks/);
  });

  onBackends("without a stack for another task are told why", async (backend) => {
    const tasks = new GuestTasks();
    const wasi = new WASI();
    const bytes = guestBytes("tasks-bench");
    const imports = { ...wasi.imports(), ...tasks.imports() };
    const instance = await instantiate(bytes, imports, { backend, overlap: "queue" });
    await wasi.initialize(instance);
    await assert.rejects(
      tasks.run((options) => instance.function("spawn").call([1], options)),
      (error) =>
        error instanceof SpawnError &&
        error.message.startsWith("Cannot spawn: the guest has no stack for another task"),
    );
  });
});

describe("Thread-local variables of a guest that was compiled for threads", () => {
  onBackends("are those of each task, also when others are cancelled", async (backend) => {
    const tasks = new GuestTasks();
    const instance = await instantiate(guestBytes("tasks-tls"), tasks.imports(), { backend });
    const call = (a: number, b: number): Promise<unknown> =>
      tasks.run((options) => instance.function("count_apart").call([a, b], options));
    assert.equal(await call(3, 5), 10_12_08);
    assert.equal(await call(2, 4), 9_11_08);
  });
});

describe("Tasks of a guest that shares its memory with threads", () => {
  onBackends(
    "take turns with threads of their program, which do not wait for each other as long as a task goes on",
    async (backend) => {
      const program = await TaskProgram.make("threads/mixed", backend);
      assert.equal(await program.start(), 0);
      assert.equal(program.output.text, "total 30, own 5 15 15 15\n");
    },
  );

  onBackends("are left alone when all of them wait: a thread may wake them", async (backend) => {
    const tasks = new GuestTasks();
    const instance = await instantiate(guestBytes("tasks-tls"), tasks.imports(), { backend });
    const controller = new AbortController();
    // Keeps the event loop busy, as threads do.
    setTimeout(() => controller.abort("enough"), 50);
    const { signal } = controller;
    const end = tasks.run((options) => instance.function("wait_for_thread").call([], options), { signal });
    assert.equal(await rejection(end), "enough");
  });
});

describe("The stack of a task in C++", () => {
  async function unwinding(backend: Backend): Promise<{ log: number[]; run: (name: string) => Promise<unknown> }> {
    const tasks = new GuestTasks();
    const log: number[] = [];
    const host = { log: (value: number) => void log.push(value) };
    const instance = await instantiate(guestBytes("tasks-unwind"), { host, ...tasks.imports() }, { backend });
    return { log, run: (name) => tasks.run((options) => instance.function(name).call([], options)) };
  }

  onBackends("is unwound when it is cancelled", async (backend) => {
    const { log, run } = await unwinding(backend);
    assert.equal(await run("cancel_one"), -11);
    assert.deepEqual(log, [1, 2, -2, -1]);
  });

  onBackends("is dropped when the program ends", async (backend) => {
    const { log, run } = await unwinding(backend);
    assert.equal(await run("leave_one"), 5);
    assert.deepEqual(log, [1, 2]);
  });
});

describe("new GuestTasks()", () => {
  it("refuses a limit that is none", () => {
    for (const limit of [0, -1, Number.NaN]) {
      assert.throws(() => new GuestTasks({ maxTasks: limit }), RangeError);
      assert.throws(() => new GuestTasks({ maxBytes: limit }), RangeError);
    }
  });

  it("refuses a channel that is none, before a guest opens it", () => {
    const channels = { rows: [] as unknown as Channel<Uint8Array> };
    assert.throws(
      () => new GuestTasks({ channels }),
      /Cannot make GuestTasks: channel rows is object, expected a Channel/,
    );
  });

  it("offers what the header imports, and nothing else", () => {
    const header = readFileSync("include/stackful.h", "utf8");
    const wanted = [...header.matchAll(/^STACKFUL__IMPORT\((\w+)\)/gm)].map(([, name]) => name!);
    assert.deepEqual(Object.keys(new GuestTasks().imports().stackful).toSorted(), wanted.toSorted());
  });
});
