/** What belongs to one activation is right in every host function: asynchronous context, coroutine-local values, hooks, caller. */

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { describe } from "node:test";
import { CoroutineLocal, suspend, wrapAsyncWithCaller } from "stackful";
import type { Caller, Coroutine, Instance } from "stackful";
import { Doors, defer, randomNumbers, range, rejection, shuffled, turn } from "./harness.ts";
import type { Deferred, Functions, Suite } from "./harness.ts";

export function context(suite: Suite): void {
  describe("Context", () => {
    checkpoints(suite);
    localValues(suite);
  });
  describe("Hooks", () => hooks(suite));
  describe("The caller of a host function", () => callers(suite));
}

/** Answers all that wait in one microtask checkpoint, in a new order each time, until `calls` have settled. */
async function settleTogether(pending: Deferred<unknown>[], calls: readonly Promise<unknown>[]): Promise<void> {
  const random = randomNumbers(11);
  const progress = { isOver: false };
  void Promise.allSettled(calls).then(() => (progress.isOver = true));
  while (!progress.isOver) {
    for (const { resolve } of shuffled(pending.splice(0), random)) resolve(0);
    await turn();
  }
}

function checkpoints(suite: Suite): void {
  for (const guest of ["tls", "foreign-stack"]) {
    suite.it(
      `${guest}: AsyncLocalStorage and CoroutineLocal are right in 300 checks of three interleaved activations`,
      async () => {
        const storage = new AsyncLocalStorage<number>();
        const local = new CoroutineLocal<number>(() => -1);
        const pending: Deferred<unknown>[] = [];
        let checks = 0;
        const check = (id: number): void => {
          assert.equal(storage.getStore(), id);
          const known = local.get();
          assert.ok(known === -1 || known === id, `${known} in ${id}`);
          local.set(id);
          checks++;
        };
        const wait = async (id: number): Promise<unknown> => {
          check(id);
          const answer = defer();
          pending.push(answer);
          await answer.promise;
          check(id);
          return answer.promise;
        };
        const instance = await suite.instantiate(guest, { host: { wait } });
        const start = (id: number): Promise<unknown> =>
          storage.run(id, () =>
            guest === "tls"
              ? instance.function("handle_many").call([id, 50])
              : repeat(50, () => instance.getAsync("run")(id)),
          );
        const calls = [1, 2, 3].map(start);
        await settleTogether(pending, calls);
        await Promise.all(calls);
        assert.equal(checks, 300);
        assert.equal(storage.getStore(), undefined);
        assert.equal(local.get(), -1);
      },
    );
  }

  suite.it("hooks see the right activation in 300 checks of three interleaved ones", async () => {
    const pending: Deferred<unknown>[] = [];
    const wait = (): Promise<unknown> => {
      const answer = defer();
      pending.push(answer);
      return answer.promise;
    };
    const instance = await suite.instantiate<Functions<"user_address"> & { memory: WebAssembly.Memory }>("tls", {
      host: { wait },
    });
    const address = instance.sync.user_address() as number;
    const user = (): Int32Array => new Int32Array(instance.exports.memory.buffer, address, 1);
    const calls = [1, 2, 3].map((id) => {
      let saved = 0;
      return instance.function("handle_many").call([id, 100], {
        onEnter: () => {
          user()[0] = saved;
        },
        onLeave: () => {
          saved = user()[0]!;
        },
      });
    });
    await settleTogether(pending, calls);
    assert.deepEqual(await Promise.all(calls), [0, 0, 0]);
  });

  suite.it("without hooks the same guest is wrong, so the test above shows something", async () => {
    const doors = new Doors();
    const instance = await suite.instantiate<Functions<"handle_many">>("tls", { host: { wait: doors.wait } });
    const calls = [1, 2].map((id) => instance.exports.handle_many(id, 1));
    doors.open(1);
    doors.open(2);
    assert.deepEqual(await Promise.all(calls), [1, 1]);
  });
}

async function repeat(times: number, body: () => Promise<unknown>): Promise<void> {
  for (let count = 0; count < times; count++) await body();
}

function localValues(suite: Suite): void {
  suite.it("of nested calls is their own", async () => {
    const storage = new AsyncLocalStorage<string>();
    const local = new CoroutineLocal<string>(() => "none");
    const seen: string[] = [];
    const note = (where: string): void => void seen.push(`${where} ${storage.getStore()} ${local.get()}`);
    const host = {
      to_b: async (depth: number) => {
        note("to_b");
        local.set(`set by ${depth}`);
        const result = await instance.exports.b(depth);
        note("back");
        return result;
      },
      to_a: async (depth: number) => storage.run("inner", () => instance.exports.a(depth)),
      wait: async () => {
        note("wait");
        await Promise.resolve();
        note("waited");
        return 7;
      },
    };
    const instance: Instance<Functions<"a" | "b">> = await suite.instantiate("reentrant", { host });
    assert.equal(await storage.run("outer", () => instance.exports.a(2)), 9);
    assert.deepEqual(seen, ["to_b outer none", "wait inner none", "waited inner none", "back outer set by 1"]);
  });

  suite.it("of queued calls is that of their callers", async () => {
    const storage = new AsyncLocalStorage<number>();
    const seen: unknown[] = [];
    const wait = async (id: number): Promise<number> => {
      seen.push([id, storage.getStore()]);
      await turn();
      seen.push([id, storage.getStore()]);
      return 0;
    };
    const instance = await suite.instantiate("frames-no-grow", { host: { wait, fill: () => {} } });
    await Promise.all(range(1, 4).map((id) => storage.run(id, () => instance.getAsync("frame")(id))));
    assert.deepEqual(
      seen,
      range(1, 4).flatMap((id) => [
        [id, id],
        [id, id],
      ]),
    );
  });

  suite.it("of a coroutine stays with it, whoever resumes it", async () => {
    const local = new CoroutineLocal<number>(() => 0);
    const seen: number[][] = [];
    const instance = await suite.instantiate("generator", {
      host: {
        suspend: (value: number) => {
          seen.push([value, local.get()]);
          local.set(value);
          return suspend(value);
        },
        suspend_i64: () => 0n,
        suspend_f64: () => 0,
        suspend_mixed: () => 0,
        log: () => {},
        panic: () => {},
      },
    });
    const coroutines = [10, 20].map((first) => instance.coroutine("count", { args: [first] }));
    for (let round = 0; round < 3; round++) for (const coroutine of coroutines) await coroutine.resumeAsync(0);
    assert.deepEqual(seen, [
      [10, 0],
      [20, 0],
      [11, 10],
      [21, 20],
      [12, 11],
      [22, 21],
    ]);
    await Promise.all(coroutines.map((coroutine) => coroutine.unwind()));
  });

  suite.it("outside any guest is not that of an activation that has just trapped", async () => {
    const local = new CoroutineLocal<string>(() => "fresh");
    local.set("outside");
    const doors = new Doors();
    const instance = await suite.instantiate<Functions<"trapping">>("frames", {
      host: {
        wait: (id: number) => {
          local.set("inside");
          return doors.wait(id);
        },
        fill: () => {},
      },
    });
    const result = rejection(instance.exports.trapping(1));
    const seen = new Set<string>();
    doors.open(1);
    for (let tick = 0; tick < 20; tick++) {
      await Promise.resolve();
      seen.add(local.get());
    }
    assert.match(String(await result), /unreachable/);
    assert.deepEqual([...seen], ["outside"]);
  });
}

function hooks(suite: Suite): void {
  suite.it("may call the same guest before the first answer of any import was awaited", async () => {
    const answers = defer<void>();
    const later = (value: unknown): Promise<unknown> => answers.promise.then(() => value);
    const host = { none: later, i32: later, i64: later, f32: later, f64: later, externref: later, funcref: later };
    const more = { pair: later, triple: later, make: later };
    const instance = await suite.instantiate<Functions<"i64" | "externref" | "none">>("values", {
      host: { ...host, ...more },
    });
    const inner: unknown[] = [];
    const onLeave = (): void => void inner.push(instance.exports.i64(7n), instance.exports.externref(null));
    const outer = instance.function("f64").call([1.5], { onLeave });
    answers.resolve();
    assert.equal(await outer, 1.5);
    assert.deepEqual(await Promise.all(inner), [7n, null, 7n, null]);
  });

  suite.it("may call the same guest, whichever way it waits", async () => {
    const doors = new Doors();
    const answered = defer<void>();
    const fill = async (address: number, length: number): Promise<void> => {
      await answered.promise;
      new Uint8Array(instance.memory!.buffer, address, length).fill(1);
    };
    const host = { wait: (id: number): unknown => (id >= 100 ? id : doors.wait(id)), fill };
    const instance: Instance<Functions<"frame" | "checksum">> = await suite.instantiate("frames", { host });
    const inner: unknown[] = [];
    const sums: unknown[] = [];
    let next = 10;
    const call = (): void => {
      assert.equal(instance.sync.frame(100), 100_100);
      inner.push(instance.exports.frame(next++));
      sums.push(instance.exports.checksum(next));
    };
    const callee = instance.function("frame");
    const outer = [1, 2, 3].map((id) => callee.call([id], { onEnter: call, onLeave: call }));
    assert.equal(next, 16);
    const sum = instance.function("checksum").call([5], { onLeave: call });
    assert.equal(next, 17);
    for (const id of [3, 1, 2]) doors.open(id, id);
    assert.deepEqual(await Promise.all(outer), [1001, 2002, 3003]);
    answered.resolve();
    assert.equal(await sum, 5);
    assert.equal(next, 24);
    assert.deepEqual(await Promise.all(sums), range(11, 24));
    for (let id = 23; id >= 10; id--) doors.open(id, id);
    assert.deepEqual(
      await Promise.all(inner),
      range(10, 23).map((id) => 1001 * id),
    );
  });

  const endings: [string, (doors: Doors, controller: AbortController) => void][] = [
    ["return", (doors) => doors.open(1)],
    ["rejection", (doors) => doors.fail(1, new Error("no"))],
    ["cancellation", (_, controller) => controller.abort(new Error("no"))],
  ];
  for (const guest of ["frames", "frames-no-grow", "no-memory", "catch-legacy"]) {
    const name = { "frames-no-grow": "frame", frames: "frame", "no-memory": "run", "catch-legacy": "guard" }[guest]!;
    for (const [ending, end] of endings) {
      suite.it(`of ${guest} are balanced after a ${ending}`, async () => {
        const events: string[] = [];
        const doors = new Doors();
        const controller = new AbortController();
        const host = { wait: doors.wait, fill: () => {}, cleanup: () => void events.push("cleanup") };
        const instance = await suite.instantiate(guest, { host });
        const call = instance.function(name).call([1], {
          signal: controller.signal,
          onEnter: () => void events.push("enter"),
          onLeave: () => void events.push("leave"),
        });
        assert.deepEqual(events, ["enter", "leave"]);
        end(doors, controller);
        if (guest === "no-memory") end(doors, controller);
        await call.catch(() => {});
        const stays = guest === "no-memory" && ending === "return" ? 3 : 2;
        const cleanup = guest === "catch-legacy" && ending !== "return" ? ["cleanup"] : [];
        assert.deepEqual(
          events,
          range(1, stays).flatMap((stay) => (stay === stays ? ["enter", ...cleanup, "leave"] : ["enter", "leave"])),
        );
      });
    }
  }

  suite.it("are balanced after a trap, at once and after a wait", async () => {
    for (const name of ["unreachable", "unreachable_later", "stack_overflow", "stack_overflow_later"]) {
      const events: string[] = [];
      const instance = await suite.instantiate("traps", { host: { wait: async () => 0 } });
      const isLater = name.endsWith("later");
      const options = { onEnter: () => void events.push("enter"), onLeave: () => void events.push("leave") };
      await rejection(instance.function(name).call(isLater ? [1] : [], options));
      assert.deepEqual(events, isLater ? ["enter", "leave", "enter", "leave"] : ["enter", "leave"], name);
    }
  });

  suite.it("are balanced after an argument that does not convert", async () => {
    const events: string[] = [];
    const instance = await suite.instantiate("no-memory", { host: { wait: () => 0 } });
    const options = { onEnter: () => void events.push("enter"), onLeave: () => void events.push("leave") };
    await rejection(instance.function("run").call([Symbol("wrong")], options));
    assert.deepEqual(events, []);
  });

  suite.it("of a coroutine run around every resume, also of an unwind and a reset", async () => {
    for (const end of ["unwind", "reset"] as const) {
      const events: string[] = [];
      const instance = await suite.instantiate("no-memory", { host: { wait: () => suspend(1) } });
      const options = { onEnter: () => void events.push("enter"), onLeave: () => void events.push("leave") };
      const coroutine = instance.coroutine("run", options);
      await coroutine.resumeAsync(1);
      events.push("between");
      await coroutine.resumeAsync(1);
      await coroutine[end]();
      // A reset does not enter the stack again.
      const last = end === "unwind" ? ["enter", "leave"] : [];
      assert.deepEqual(events, ["enter", "leave", "between", "enter", "leave", ...last]);
    }
  });
}

function callers(suite: Suite): void {
  suite.it("has its memory and its exports, also after an await", async () => {
    const seen: unknown[] = [];
    const instance = await suite.instantiate<Functions<"checksum">>("frames", {
      host: {
        wait: () => 0,
        fill: wrapAsyncWithCaller(async (caller, address: number, length: number) => {
          await turn();
          new Uint8Array(caller.memory.buffer, address, length).fill(2);
          seen.push(caller.memory, Object.keys(caller.exports).toSorted(), caller.coroutine);
        }),
      },
    });
    assert.equal(await instance.exports.checksum(100), 200);
    assert.deepEqual(seen, [instance.memory, Object.keys(instance.exports).toSorted(), undefined]);
  });

  suite.it("has the memory of a guest that imports it, and none if there is none", async () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    let found: unknown;
    const wait = wrapAsyncWithCaller((caller) => {
      found = caller.memory;
      return 0;
    });
    const host = { wait, fill: () => {} };
    const instance = await suite.instantiate("frames-imported-memory", { env: { memory }, host });
    await instance.getAsync("frame")(1);
    assert.equal(found, memory);
    assert.equal(instance.memory, memory);
    const bare = await suite.instantiate("no-memory", { host });
    assert.match(
      String(await rejection(bare.getAsync("run")(1))),
      /TypeError: Cannot read the caller's memory: the guest has none/,
    );
  });

  suite.it("is the coroutine on whose stack the call was made", async () => {
    const seen: (Coroutine | undefined)[] = [];
    const instance: Instance<Functions<"run">> = await suite.instantiate("no-memory", {
      host: {
        wait: wrapAsyncWithCaller(async (caller: Caller, id: number) => {
          await Promise.resolve();
          seen.push(caller.coroutine);
          return suspend(id);
        }),
      },
    });
    const coroutines = [1, 2].map((id) => instance.coroutine("run", { args: [id] }));
    await Promise.all(coroutines.map((coroutine) => coroutine.resumeAsync(0)));
    await Promise.all(coroutines.map((coroutine) => coroutine.resumeAsync(0)));
    assert.deepEqual(seen, [...coroutines, ...coroutines]);
    await Promise.all(coroutines.map((coroutine) => coroutine.unwind()));
    assert.match(
      String(await rejection(instance.exports.run(1))),
      /SuspendError: Cannot suspend: .*outside a coroutine/,
    );
    assert.equal(seen[4], undefined);
  });

  suite.it("says whether the guest can wait", async () => {
    const seen: boolean[] = [];
    const wait = wrapAsyncWithCaller((caller: Caller) => {
      seen.push(caller.canWait);
      return 0;
    });
    const instance: Instance<Functions<"run">> = await suite.instantiate("no-memory", { host: { wait } });
    await instance.exports.run(1);
    instance.sync.run(1);
    await instance.coroutine("run", { args: [1] }).resumeAsync(0);
    await instance.exports.run(1);
    // It calls it twice.
    assert.deepEqual(seen, [true, true, false, false, true, true, true, true]);
  });

  suite.it("can be called back through its exports, synchronously", async () => {
    const instance = await suite.instantiate<Functions<"outer">>("jsframe", {
      host: {
        wait: () => 0,
        callback: wrapAsyncWithCaller((caller, id: number) =>
          (caller.exports["inner_plain"] as (id: number) => number)(id),
        ),
      },
    });
    assert.equal(await instance.exports.outer(5), 6);
  });
}
