/** Structured concurrency: what the suite of effection promises, with this library's words. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { Channel, Mutex, scope, shield, sleep, spawn, timeout, until } from "stackful/tasks";
import type { Scope, Task } from "stackful/tasks";
import { check, never, rejection, stateOf, turn } from "./harness.ts";

const forever = (): Promise<never> => until(never());

describe("scope()", () => {
  check("can spawn a new child task", async () => {
    const value = await scope(async (scope) => {
      const child = scope.spawn(async () => (await until(Promise.resolve(12))) + (await until(Promise.resolve(55))));
      return child;
    });
    assert.equal(value, 67);
  });

  check("cancels child when cancelled", async () => {
    let child: Task | undefined;
    const root = spawn(() =>
      scope(async (scope) => {
        child = scope.spawn(forever);
        await forever();
      }),
    );
    await turn();
    root.cancel("halted");
    assert.deepEqual(await root.join(), { state: "cancelled", reason: "halted" });
    assert.deepEqual(child?.result, { state: "cancelled", reason: "halted" });
  });

  check("cancels child when finishing normally", async () => {
    let child: Task | undefined;
    const value = await scope(async (scope) => {
      child = scope.spawn(forever);
      await sleep(0);
      return 1;
    });
    assert.equal(value, 1);
    assert.equal(child?.state, "cancelled");
  });

  check("cancels child when errored", async () => {
    let child: Task | undefined;
    const error = new Error("boom");
    const failed = scope(async (scope) => {
      child = scope.spawn(forever);
      await sleep(0);
      throw error;
    });
    assert.equal(await rejection(failed), error);
    assert.equal(child?.state, "cancelled");
  });

  check("rejects parent when child errors", async () => {
    const error = new Error("moo");
    let sibling: Task | undefined;
    const failed = scope(async (scope) => {
      sibling = scope.spawn(forever);
      scope.spawn(async () => {
        throw error;
      });
      await forever();
    });
    assert.equal(await rejection(failed), error);
    assert.deepEqual(sibling?.result, { state: "cancelled", reason: error });
  });

  check("finishes normally when child is cancelled", async () => {
    const value = await scope(async (scope) => {
      const child = scope.spawn(forever);
      await turn();
      child.cancel();
      assert.equal(await stateOf(child), "cancelled");
      return "foo";
    });
    assert.equal(value, "foo");
  });

  check("rejects when child errors during completing", async () => {
    const failed = scope(async (scope) => {
      scope.spawn(async () => {
        await forever().catch(() => {});
        throw new Error("moo");
      });
      await sleep(0);
      return "foo";
    });
    assert.equal(await rejection(failed).then(String), "Error: moo");
  });

  check("rejects when child errors during cancelling", async () => {
    const root = spawn(() =>
      scope(async (scope) => {
        scope.spawn(async () => {
          await forever().catch(() => {});
          throw new Error("moo");
        });
        await forever();
      }),
    );
    await turn();
    root.cancel();
    const result = await root.join();
    assert.ok(result.state === "threw" && String(result.error) === "Error: moo");
  });

  check("cancels when child finishes during asynchronous cancelling", async () => {
    let didFinish = false;
    const root = spawn(() =>
      scope(async (scope) => {
        scope.spawn(() => sleep(5));
        try {
          await forever();
        } finally {
          await shield(() => sleep(20));
          didFinish = true;
        }
      }),
    );
    await turn();
    root.cancel();
    await root.join();
    assert.equal(didFinish, true);
  });

  check("runs destructors in reverse order and in series", async () => {
    const events: string[] = [];
    const ending = (name: string, ms: number) => async (): Promise<void> => {
      try {
        await forever();
      } finally {
        events.push(`${name} start`);
        await shield(() => sleep(ms));
        events.push(`${name} done`);
      }
    };
    await scope(async (scope) => {
      scope.spawn(ending("first", 5));
      scope.defer(() => events.push("deferred"));
      scope.spawn(ending("second", 10));
      await sleep(0);
    });
    assert.deepEqual(events, ["second start", "second done", "deferred", "first start", "first done"]);
  });

  check("cancels children that have not started", async () => {
    let child: Task | undefined;
    const value = await scope((scope) => {
      child = scope.spawn(() => sleep(2));
      return 1;
    });
    assert.equal(value, 1);
    assert.equal(child?.state, "cancelled");
  });

  check("raises an uncatchable error if a spawned child fails", async () => {
    const failed = scope(async (scope) => {
      scope.spawn(async () => {
        await sleep(5);
        throw new Error("moo");
      });
      await sleep(100_000).catch(() => {});
      return "caught";
    });
    assert.equal(await rejection(failed).then(String), "Error: moo");
  });

  check("executes tasks first in first out", async () => {
    const order: string[] = [];
    await scope(async (scope) => {
      scope.spawn(() => order.push("one"));
      scope.spawn(() => order.push("two"));
      order.push("zero");
      await sleep(0);
    });
    assert.deepEqual(order, ["zero", "one", "two"]);
  });

  check("waits for its children if the body does", async () => {
    const order: number[] = [];
    await scope(async (scope) => {
      scope.spawn(async () => {
        await sleep(2);
        order.push(1);
        scope.spawn(() => order.push(2));
      });
      await scope.join();
    });
    assert.deepEqual(order, [1, 2]);
  });

  check("refuses to spawn when it has ended", async () => {
    let kept: { spawn: (body: () => void) => unknown } | undefined;
    await scope((scope) => void (kept = scope));
    assert.throws(() => kept?.spawn(() => {}), /Cannot spawn: the scope has ended/);
  });

  check("refuses to spawn with the reason when it was cancelled, so that the body ends as cancelled", async () => {
    const root = spawn(() =>
      scope(async (scope) => {
        await turn();
        root.cancel("halted");
        scope.spawn(forever);
      }),
    );
    assert.deepEqual(await root.join(), { state: "cancelled", reason: "halted" });
  });

  check("does cleanups that are deferred while it ends", async () => {
    const events: string[] = [];
    let kept: Scope | undefined;
    const root = spawn(() =>
      scope(async (scope) => {
        kept = scope;
        scope.defer(() => events.push("first"));
        await forever().catch(() => shield(() => sleep(5)));
        scope.defer(() => events.push("opened while it was cancelled"));
      }),
    );
    await turn();
    root.cancel();
    await root.join();
    assert.deepEqual(events, ["first", "opened while it was cancelled"]);
    assert.throws(() => kept?.defer(() => {}), /Cannot defer: the scope has ended/);
  });

  check("does its cleanups beside a body that waits for what they end", async () => {
    const controller = new AbortController();
    const scoped = scope(
      async (scope) => {
        await new Promise<void>((onClose) => scope.defer(onClose));
      },
      { signal: controller.signal },
    );
    await turn();
    controller.abort("enough");
    assert.equal(await rejection(scoped), "enough");
  });

  check("does every cleanup although one throws, and rejects with its error", async () => {
    const events: string[] = [];
    const failed = scope((scope) => {
      scope.defer(() => events.push("last"));
      scope.defer(() => {
        throw new Error("broken");
      });
    });
    assert.equal(await rejection(failed).then(String), "Error: broken");
    assert.deepEqual(events, ["last"]);
  });

  check("rejects with the error of its body rather than with those of cleanups, which come later", async () => {
    const failed = scope(async (scope) => {
      scope.spawn(async () => {
        await forever().finally(() => {
          throw new Error("of a child that was cancelled");
        });
      });
      scope.defer(() => {
        throw new Error("of a cleanup");
      });
      await turn();
      throw new Error("of the body");
    });
    assert.equal(await rejection(failed).then(String), "Error: of the body");
  });

  check("is cancelled by its signal, also when it has aborted before", async () => {
    const controller = new AbortController();
    const failed = rejection(scope(forever, { signal: controller.signal }));
    await turn();
    controller.abort("enough");
    assert.equal(await failed, "enough");
    assert.equal(await rejection(scope(forever, { signal: controller.signal })), "enough");
  });

  check("ends children that wait with its signal, or that of another task, although that one has ended", async () => {
    const channel = new Channel<void>();
    const other = spawn(() => {});
    const children: Task[] = [];
    await scope(async (outer) => {
      const spawnWith = ({ signal }: { readonly signal: AbortSignal }): void => {
        children.push(outer.spawn(() => channel.receive({ signal })));
        children.push(outer.spawn(() => scope(forever, { signal })));
      };
      spawnWith(outer);
      spawnWith(other);
      await turn();
      assert.deepEqual(
        children.map(({ state }) => state),
        ["waiting", "waiting", "waiting", "waiting"],
      );
    });
    assert.deepEqual(
      await Promise.all(children.map(stateOf)),
      Array.from({ length: 4 }, () => "cancelled"),
    );
  });

  check("has a child that waits with its signal stop when the body is cancelled", async () => {
    const failed = scope(async (outer) => {
      outer.spawn(async () => {
        assert.equal(await rejection(shield(() => sleep(60_000, { signal: outer.signal }))), "enough");
        assert.equal(await rejection(shield(() => sleep(0, { signal: outer.signal }))), "enough");
      });
      await turn();
      outer.cancel("enough");
    });
    assert.equal(await rejection(failed), "enough");
  });

  check("ends nested scopes from the inside out", async () => {
    const events: string[] = [];
    const root = spawn(() =>
      scope(async (outer) => {
        outer.defer(() => events.push("outer"));
        await scope(async (inner) => {
          inner.defer(() => events.push("inner"));
          await forever();
        });
      }),
    );
    await turn();
    root.cancel();
    await root.join();
    assert.deepEqual(events, ["inner", "outer"]);
  });
});

describe("timeout()", () => {
  check("is the value of its body", async () => assert.equal(await timeout(1000, () => 5), 5));

  check("rejects also if the body takes no notice, and when only children are left to end", async () => {
    const stubborn = timeout(1, () => sleep(60_000).catch(() => "fallback"));
    assert.equal(((await rejection(stubborn)) as DOMException).name, "TimeoutError");
    const slow = timeout(1, (scope) => scope.defer(() => sleep(10)));
    assert.equal(((await rejection(slow)) as DOMException).name, "TimeoutError");
  });

  check("cancels the body, and rejects when that has ended", async () => {
    let isClean = false;
    const error = await rejection(
      timeout(2, async () => {
        try {
          await forever();
        } finally {
          isClean = true;
        }
      }),
    );
    assert.ok(error instanceof DOMException && error.name === "TimeoutError");
    assert.equal(isClean, true);
  });
});

describe("Cancelling", () => {
  /** Waits many times, for different things; all of which must be free again afterwards. */
  async function longProgram(mutex: Mutex): Promise<void> {
    await scope(async (scope) => {
      using outer = await mutex.lock();
      const child = scope.spawn(async () => {
        for (let i = 0; i < 3; i++) await sleep(0);
        using inner = await mutex.lock();
        await sleep(0);
        return inner.held;
      });
      await until(turn());
      outer.release();
      await child;
      await timeout(1000, () => sleep(0));
    });
  }

  check("at the 1st, 2nd, … nth turn of a long program leaves no task and no lock behind", async () => {
    const mutex = new Mutex();
    let turns = 0;
    for (let state = "cancelled"; state === "cancelled"; turns++) {
      const task = spawn(() => longProgram(mutex));
      for (let i = 0; i < turns; i++) await turn();
      task.cancel();
      state = await stateOf(task);
      assert.equal(mutex.locked, false);
    }
    assert.ok(turns > 5);
  });
});
