/** Programs with POSIX threads, compiled from C (test/guests/threads), in one thread of the engine. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe } from "node:test";
import { StackExhaustedError, instantiate } from "stackful";
import { DeadlockError, MemoryFileSystem, MemoryNetwork, TextOutput, WASI } from "stackful/wasi";
import type { WasiOptions } from "stackful/wasi";
import { LIVE, SAVED, words } from "#src/link/switchboard";
import { assemble } from "../transform/assemble.ts";
import { ManualInput } from "./manual-streams.ts";
import { TestProgram, onBackends, program } from "./programs.ts";
import type { Backend, RunOptions } from "./programs.ts";

const PTHREADS = "threads/pthreads";
const live = (): number => words[LIVE >> 2]! + words[SAVED >> 2]!;
const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}

/** What was transformed is kept a moment later, with a timer; a timer of a thread would be there for much longer. */
async function untilNoTimer(): Promise<void> {
  for (let tries = 0; timers() > 0; tries++) {
    assert.ok(tries < 200, "timers are left");
    await new Promise((done) => setTimeout(done, 1));
  }
  await turn();
}

/** A test that fails when it leaves a thread or a timer behind. */
function check(title: string, test: (backend: Backend) => Promise<void>): void {
  onBackends(title, async (backend) => {
    await untilNoTimer();
    const before = live();
    await test(backend);
    await untilNoTimer();
    assert.equal(live(), before, "threads are left");
  });
}

interface Ended {
  readonly code: number;
  readonly text: string;
}

async function run(
  backend: Backend,
  args: readonly (string | number)[],
  { options, ...limits }: RunOptions & { readonly options?: WasiOptions } = {},
): Promise<Ended> {
  const made = await TestProgram.make(PTHREADS, backend, args.map(String), options);
  const code = await made.start({ timeoutMs: 60_000, ...limits });
  return { code, text: made.output.text };
}

/** What a program has ended with. */
async function failureOf(end: Promise<unknown>): Promise<Error> {
  try {
    await end;
  } catch (error) {
    assert.ok(error instanceof Error);
    return error;
  }
  throw new Error("It has come to its end");
}

async function expect(backend: Backend, args: readonly (string | number)[], text: string): Promise<void> {
  assert.deepEqual(await run(backend, args), { code: 0, text: `${text}\n` });
}

describe("A program with threads", () => {
  check("has 1,000 of them contend for a mutex, and all count", async (backend) => {
    await expect(backend, ["mutex", 1000, 10], "total 10000, results 10000");
  });

  check("has 2,000 of them alive", async (backend) => {
    await expect(backend, ["alive", 2000], "2000 alive");
  });

  check("passes messages with condition variables", async (backend) => {
    await expect(backend, ["queue", 2000], "sum 4002000");
  });

  check("has thread-local storage of three kinds, and runs once what is to run once", async (backend) => {
    await expect(backend, ["storage"], "wrong 0, destroyed 210, prepared 1, own 7");
  });

  check("has rwlocks, barriers, semaphores, all kinds of mutexes and timed waits", async (backend) => {
    await expect(
      backend,
      ["locks"],
      "violations 0, readers at once many, serial 5\n" +
        "0 Resource deadlock would occur, Operation timed out, Resource busy, Operation timed out",
    );
  });

  check("has detached threads, whose memory is used again", async (backend) => {
    await expect(backend, ["detached", 20], "grown by little");
  });

  check("has the threads of C11", async (backend) => {
    await expect(backend, ["c11"], "total 800, results 24");
  });

  check("sleeps, reads and spins at once", async (backend) => {
    const stdin = new ManualInput();
    const made = await TestProgram.make(PTHREADS, backend, ["waits"], { stdin });
    const end = made.start();
    while (!made.output.text.includes("slept")) await turn();
    stdin.push("a line\n");
    assert.equal(await end, 0);
    assert.deepEqual(made.output.text.split("\n").toSorted(), ["", "read a line", "slept", "spun"]);
  });

  for (const [kind, open] of [
    ["in memory", () => new MemoryFileSystem({}).root],
    ["of the computer", () => mkdtempSync(path.join(tmpdir(), "stackful-threads-"))],
  ] as const) {
    check(`uses files ${kind}, random bytes and standard output`, async (backend) => {
      const made = await TestProgram.make(PTHREADS, backend, ["files"], { preopens: { "/data": open() } });
      assert.equal(await made.start(), 0);
      const lines = Array.from({ length: 10 }, (_, number) => `thread 0${number}`);
      assert.deepEqual(made.output.text.split("\n").toSorted(), ["", ...lines, "wrong 0"]);
    });
  }

  check("serves connections, each in a thread", async (backend) => {
    const network = new MemoryNetwork();
    const listener = network.listen("server.test", 80);
    const made = await TestProgram.make(PTHREADS, backend, ["serve", "3"], { listeners: [listener] });
    const end = made.start();
    const talk = async (text: string): Promise<string> => {
      const connection = await network.connect("server.test", 80);
      await connection.write(new TextEncoder().encode(text));
      const answer = await connection.read(64);
      await new Promise((done) => setTimeout(done, 50));
      await connection.close();
      return new TextDecoder().decode(answer!);
    };
    assert.deepEqual(await Promise.all(["one", "two", "three"].map(talk)), ["one", "two", "three"]);
    assert.equal(await end, 0);
    assert.equal(made.output.text, "served 3, ticking\n");
  });
});

describe("Threads that only start others", () => {
  check("do not keep timers from firing", async (backend) => {
    const bytes = await assemble(`(module
      (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
      (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
      (import "env" "memory" (memory 1 1 shared))
      (export "memory" (memory 0))
      (func (export "wasi_thread_start") (param i32 i32)
        (drop (call $spawn (i32.const 0)))
        (drop (call $spawn (i32.const 0))))
      (func (export "_start")
        (drop (call $spawn (i32.const 0)))
        (i64.store (i32.const 24) (i64.const 20000000))
        (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))`);
    const wasi = new WASI({ maxThreads: 20 });
    const instance = await instantiate(bytes, wasi.imports(), { backend });
    let isFired = false;
    setTimeout(() => (isFired = true), 5);
    assert.equal(await wasi.start(instance), 0);
    assert.ok(isFired);
  });
});

describe("The end of a program with threads", () => {
  check("comes with exit() of any of them, and none of the others' code", async (backend) => {
    assert.deepEqual(await run(backend, ["exit"]), { code: 42, text: "bye\n" });
  });

  check("comes with the end of main()", async (backend) => {
    assert.deepEqual(await run(backend, ["main"]), { code: 0, text: "bye\n" });
  });

  check("comes with a trap of any of them, which says of which", async (backend) => {
    const error = await failureOf(run(backend, ["trap"]));
    assert.match(error.message, /^unreachable.* \(in thread 4\)$/);
    assert.equal((error as { thread?: number }).thread, 4);
  });

  check("comes with an overflow of the stack of any of them, before anything is overwritten", async (backend) => {
    await expect(backend, ["deep", 60], "60 calls");
    for (const levels of [70, 1000]) {
      const error = await failureOf(run(backend, ["deep", levels]));
      assert.ok(error instanceof StackExhaustedError);
      assert.match(
        error.message,
        /^Cannot go on: the stack of thread 1 has \d+ bytes, and needed \d+: give it a larger one/,
      );
      assert.ok(error.limit > 65_000 && error.limit < 65_537, String(error.limit));
      assert.ok(error.needed > error.limit && error.needed < error.limit + 2000, String(error.needed));
      assert.equal((error as { thread?: number }).thread, 1);
    }
  });

  check("comes when it is aborted, or has taken too long", async (backend) => {
    const controller = new AbortController();
    const made = await TestProgram.make(PTHREADS, backend, ["waits"], { stdin: new ManualInput() });
    const end = made.start({ signal: controller.signal });
    await turn();
    controller.abort(new Error("enough"));
    await assert.rejects(end, /enough/);
    await assert.rejects(run(backend, ["waits"], { timeoutMs: 20, options: { stdin: new ManualInput() } }), {
      name: "TimeoutError",
    });
  });
});

describe("Threads beyond a limit", () => {
  check("are refused: maxThreads", async (backend) => {
    const { text } = await run(backend, ["many"], { options: { maxThreads: 20 } });
    assert.equal(text, "20 threads, then Resource temporarily unavailable\n");
    const none = await run(backend, ["many"], { options: { maxThreads: 0 } });
    assert.equal(none.text, "0 threads, then Resource temporarily unavailable\n");
    assert.throws(() => new WASI({ maxThreads: -1 }), RangeError);
  });

  check("have no more memory than the program: maxMemoryBytes", async (backend) => {
    const output = new TextOutput();
    const wasi = new WASI({ stdout: output, args: ["pthreads", "many"] });
    const bytes = readFileSync(new URL(`../guests/${PTHREADS}.wasm`, import.meta.url));
    const instance = await instantiate(bytes, wasi.imports(), { backend, maxMemoryBytes: 2 ** 20 });
    assert.equal(await wasi.start(instance), 0);
    const [, count] = /^(\d+) threads, then Resource temporarily unavailable\n$/.exec(output.text) ?? [];
    assert.ok(Number(count) > 10 && Number(count) < 60, output.text);
  });
});

describe("A deadlock", () => {
  check("of two threads and two mutexes is reported within seconds, with names", async (backend) => {
    await program(PTHREADS, backend);
    const begin = performance.now();
    const error = await failureOf(run(backend, ["deadlock"]));
    assert.ok(performance.now() - begin < 10_000);
    assert.ok(error instanceof DeadlockError);
    assert.match(error.message, /^Cannot go on: the threads wait for each other\n/);
    const [main, one, other] = error.tasks;
    assert.deepEqual(
      error.tasks.map(({ id, name }) => `${id} ${name}`),
      ["0 the main thread", "1 thread 1", "2 thread 2"],
    );
    assert.match(main!.waitingFor, /^the value at address 0x[0-9a-f]+, in .*__pthread_join < main/);
    assert.match(one!.waitingFor, /__pthread_mutex_lock < transfer_a_to_b </);
    assert.match(other!.waitingFor, /__pthread_mutex_lock < transfer_b_to_a </);
  });

  check("is none while a thread waits for something else", async (backend) => {
    // All threads wait for a mutex or an end, but for one that sleeps.
    const end = run(backend, ["trap"]);
    assert.match((await failureOf(end)).message, /unreachable/);
  });
});

describe("The memory of a program with threads", () => {
  check("may be one of the host's own", async (backend) => {
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 4096, shared: true });
    const output = new TextOutput();
    const wasi = new WASI({ stdout: output, args: ["pthreads", "queue", "100"] });
    const imports = { ...wasi.imports(), env: { memory } };
    const instance = await instantiate(await program(PTHREADS, backend), imports, { backend });
    assert.equal(instance.memory, memory);
    assert.equal(await wasi.start(instance), 0);
    assert.equal(output.text, "sum 10100\n");
  });
});

describe("The fuel of a program with threads", () => {
  check("is that of all of them together", async (backend) => {
    const bytes = readFileSync(new URL(`../guests/${PTHREADS}.wasm`, import.meta.url));
    const fueled = async (fuel: number): Promise<number> => {
      const wasi = new WASI({ stdout: "ignore", args: ["pthreads", "mutex", "10", "200"] });
      const instance = await instantiate(bytes, wasi.imports(), { backend, interruptible: { fuel } });
      assert.equal(await wasi.start(instance), 0);
      return fuel - instance.fuel!;
    };
    const used = await fueled(100_000_000);
    assert.ok(used > 200_000, `${used}`);
    // More than any one of them needs.
    await assert.rejects(fueled(Math.round(used / 2)), { name: "FuelExhaustedError", limit: Math.round(used / 2) });
    await fueled(2 * used);
  });
});
