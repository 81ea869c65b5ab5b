import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import path from "node:path";
import { describe } from "node:test";
import { instantiate } from "stackful";
import { DeadlockError, Mutex, RwLock, scope, select, shield, after, sleep, spawn } from "stackful/tasks";
import type { Task } from "stackful/tasks";
import { guestBytes } from "../conformance/harness.ts";
import { check, rejection, turn } from "./harness.ts";

const isSource = path.extname(import.meta.url) === ".ts";

/** What a program prints that ends when it has nothing left to do. */
function run(program: string): string {
  const flags = [...(isSource ? ["--conditions=source"] : []), "--input-type=module", "--eval", program];
  return execFileSync(process.execPath, flags, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

describe("Tasks that wait for each other", () => {
  check("are told when each holds the lock that the other wants", async () => {
    const [a, b] = [new Mutex({ name: "a" }), new Mutex({ name: "b" })];
    const both = (first: Mutex, second: Mutex) => async (): Promise<void> => {
      using one = await first.lock();
      await turn();
      using two = await second.lock();
      assert.ok(one.held && two.held);
    };
    const tasks = [spawn(both(a, b), { name: "forwards" }), spawn(both(b, a), { name: "backwards" })];
    const errors = await Promise.all(tasks.map((task) => rejection(task)));
    for (const error of errors) assert.ok(error instanceof DeadlockError);
    const { tasks: stuck } = errors[0] as DeadlockError;
    assert.deepEqual(stuck.map(({ name, waitingFor }) => `${name}: ${waitingFor}`).toSorted(), [
      "backwards: mutex a, held by forwards",
      "forwards: mutex b, held by backwards",
    ]);
    assert.match(String(errors[0]), /forwards waits for mutex b, held by backwards/);
    assert.deepEqual([a.locked, b.locked], [false, false]);
  });

  check("are found in a ring of three, with joins and read locks in it", async () => {
    const [mutex, lock] = [new Mutex(), new RwLock()];
    const others: Task[] = [];
    const first = spawn(async () => {
      using guard = await mutex.lock();
      await turn();
      await others[0];
      return guard;
    });
    const second = spawn(async () => {
      using guard = await lock.read();
      await turn();
      using other = await mutex.lock();
      return [guard, other];
    });
    const third = spawn(async () => {
      await turn();
      using guard = await lock.write();
      return guard;
    });
    others.push(third);
    for (const task of [first, second, third]) assert.ok((await rejection(task)) instanceof DeadlockError);
  });

  check("are found in a ring of 1,000", async () => {
    const forks = Array.from({ length: 1000 }, (_, index) => new Mutex({ name: `fork ${index}` }));
    const philosophers = forks.map((left, index) =>
      spawn(async () => {
        using first = await left.lock();
        await turn();
        using second = await forks[(index + 1) % forks.length]!.lock();
        return [first, second];
      }),
    );
    const results = await Promise.all(philosophers.map((task) => task.join()));
    const [stuck] = results.filter(({ state }) => state === "threw");
    assert.ok(stuck?.state === "threw" && stuck.error instanceof DeadlockError && stuck.error.tasks.length === 1000);
    assert.ok(forks.every(({ locked }) => !locked));
  });

  check("cost no more than their number when they wait in a long line", async () => {
    let last: Task = spawn(() => turn());
    for (let i = 0; i < 20_000; i++) {
      const previous = last;
      last = spawn(() => previous.join());
    }
    assert.equal((await last.join()).state, "returned");
  });

  check("end with their scopes, which wait for the cleanups of their children", async () => {
    const mutex = new Mutex({ name: "outer" });
    const events: string[] = [];
    const outer = spawn(async () => {
      using guard = await mutex.lock();
      await scope(async (scope) => {
        scope.spawn(async () => {
          try {
            await mutex.lock();
          } finally {
            await shield(() => sleep(5));
            events.push("cleanup of the child");
          }
        });
        await scope.join();
      });
      return guard;
    });
    assert.ok((await rejection(outer)) instanceof DeadlockError);
    assert.deepEqual(events, ["cleanup of the child"]);
    assert.equal(mutex.locked, false);
  });

  check("are found while a scope ends, which still ends all that is in it", async () => {
    const mutex = new Mutex({ name: "outer" });
    const events: string[] = [];
    const lockAtTheEnd = async (): Promise<void> => {
      try {
        await sleep(60_000);
      } finally {
        const error = await rejection(shield(() => mutex.lock()));
        await turn();
        events.push(`told: ${(error as Error).name}`);
      }
    };
    const fail = async (): Promise<void> => {
      await turn();
      throw new Error("first");
    };
    for (const who of ["child", "body"]) {
      const outer = spawn(async () => {
        using guard = await mutex.lock();
        await scope(async (scope) => {
          scope.defer(() => events.push("cleanup"));
          if (who === "child") scope.spawn(lockAtTheEnd);
          scope.spawn(fail);
          await (who === "body" ? lockAtTheEnd() : sleep(60_000));
        });
        return guard;
      });
      assert.match(String(await rejection(outer)), /first/);
    }
    // What a cancelled body does at its end it does beside the others.
    assert.deepEqual(events, ["told: DeadlockError", "cleanup", "cleanup", "told: DeadlockError"]);
    assert.equal(mutex.locked, false);
  });

  check("include a guest that waits for itself", async () => {
    const mutex = new Mutex({ name: "m" });
    const guest = await instantiate(guestBytes("loop"), {
      host: { step: () => mutex.lock().then(() => 0), next: () => 0, tick: () => {} },
    });
    const twice = spawn(guest.coroutine("loop", { args: [2] }), { name: "twice" });
    assert.match(String(await rejection(twice)), /twice waits for mutex m, held by twice/);
  });

  check("are none where an async function does two things side by side", async () => {
    const [mutex, lock] = [new Mutex(), new RwLock()];
    const other = new Mutex();
    const slowly = async (take: () => Promise<Disposable>): Promise<void> => {
      await turn();
      using guard = await take();
      // Not of this library: nobody knows that it does this.
      await turn();
      assert.ok(guard);
    };
    const both = spawn(() => Promise.all([slowly(() => mutex.lock()), slowly(() => mutex.lock())]));
    const writes = spawn(() => Promise.all([slowly(() => lock.write()), slowly(() => lock.write())]));
    const after: Task = spawn(async () => {
      void after.join().then(() => lock.read());
      await turn();
      const guard = await other.lock();
      setImmediate(() => guard.release());
      (await other.lock()).release();
    });
    await Promise.all([both, writes, after]);
  });

  check("are none where a reader stands behind a writer that gives up", async () => {
    const lock = new RwLock({ name: "l" });
    const reader = spawn(async () => {
      using first = await lock.read();
      const writer = spawn(() => rejection(lock.write({ signal: AbortSignal.timeout(5) })), { name: "writer" });
      await turn();
      using second = await lock.read();
      return [first.access, second.access, ((await writer) as Error).name];
    });
    assert.deepEqual(await reader, ["read", "read", "TimeoutError"]);
  });

  check("are a reader that has the lock already and the writer before which it stands again", async () => {
    const lock = new RwLock({ name: "l" });
    const reader = spawn(
      async () => {
        using first = await lock.read();
        await turn();
        using second = await lock.read();
        return [first, second];
      },
      { name: "reader" },
    );
    const writer = spawn(() => lock.write(), { name: "writer" });
    const { tasks } = (await rejection(reader)) as DeadlockError;
    assert.deepEqual(tasks.map(({ name, waitingFor }) => `${name}: ${waitingFor}`).toSorted(), [
      "reader: lock l, held by reader, behind writer",
      "writer: lock l, held by reader",
    ]);
    assert.ok((await rejection(writer)) instanceof DeadlockError);
  });

  check("are not told as long as something else may end it", async () => {
    const mutex = new Mutex();
    const task = spawn(() =>
      mutex.with(async () => {
        const first = await rejection(mutex.lock({ signal: AbortSignal.timeout(5) }));
        const second = await select({
          self: mutex.with(() => {}, { signal: AbortSignal.timeout(60_000) }),
          late: after(2),
        });
        return [(first as DOMException).name, second.key];
      }),
    );
    assert.deepEqual(await task, ["TimeoutError", "late"]);
    await sleep(10);
  });

  check("do not stop others, and a scope ends with the error", async () => {
    const other = spawn(async () => {
      await sleep(2);
      return "went on";
    });
    const failed = scope(async (scope) => {
      const [first, second] = [new Mutex(), new Mutex()];
      const both = (one: Mutex, two: Mutex) => (): unknown => one.with(() => turn().then(() => two.with(() => {})));
      scope.spawn(both(first, second));
      scope.spawn(both(second, first));
      await scope.join();
    });
    assert.ok((await rejection(failed)) instanceof DeadlockError);
    assert.equal(await other, "went on");
  });

  check("are told again and again, if others come to a stop without any work for the event loop in between", () => {
    const output = run(`
      import { Channel, spawn } from "stackful/tasks";
      for (const name of ["one", "two", "three"]) {
        const { error } = await spawn(() => new Channel().receive(), { name }).join();
        console.log(error.message.split("\\n")[1]);
      }
    `);
    const lines = ["one", "two", "three"].map((name) => `  ${name} waits for a value from channel\n`);
    assert.equal(output, lines.join(""));
  });

  check("do not keep the process when they wait again whatever they are told", () => {
    const output = run(`
      import { Channel, spawn } from "stackful/tasks";
      spawn(async () => {
        for (;;) await new Channel().receive().catch((error) => console.log(error.name));
      });
    `);
    assert.match(output, /^(DeadlockError\n){1,2}$/);
  });

  check("are all told when the event loop is empty, whatever they wait for", () => {
    const output = run(`
      import { Channel, Mutex, Condvar, spawn } from "stackful/tasks";
      const [left, right] = [new Channel({ name: "left" }), new Channel({ name: "right" })];
      const tasks = [
        spawn(() => left.receive().then(() => right.send(1)), { name: "one" }),
        spawn(() => right.receive().then(() => left.send(1)), { name: "two" }),
      ];
      const guard = await new Mutex().lock();
      tasks.push(spawn(() => new Condvar({ name: "changed" }).wait(guard), { name: "three" }));
      tasks.push(spawn(() => Promise.all([left.receive(), right.receive()]), { name: "four" }));
      const results = Promise.all(tasks.map((task) => task.join()));
      results.then((all) => {
        console.log(all.map(({ state, error }) => [state, error.name].join()).join(" "));
        console.log(all[0].error.message);
      });
    `);
    assert.deepEqual(output.trim().split("\n"), [
      "threw,DeadlockError threw,DeadlockError threw,DeadlockError threw,DeadlockError",
      "Cannot go on: the tasks wait for each other",
      "  one waits for a value from channel left",
      "  two waits for a value from channel right",
      "  three waits for condition changed",
      "  four waits for a value from channel left and a value from channel right",
    ]);
  });
});
