import assert from "node:assert/strict";
import { describe } from "node:test";
import { RestartLimitError, Supervisor, shield, sleep, spawn } from "stackful/tasks";
import type { SupervisedChild, SupervisorOptions } from "stackful/tasks";
import { check, rejection, stateOf, turn } from "./harness.ts";

/** Three children of which the second one crashes once; returns what happened until all were told to return. */
async function crashOnce(strategy: SupervisorOptions["strategy"]): Promise<string[]> {
  const events: string[] = [];
  const seen = { crashes: 0, isOver: false };
  const child = (name: string): SupervisedChild => ({
    name,
    run: async () => {
      events.push(`+${name}`);
      try {
        if (name === "b" && seen.crashes++ === 0) {
          await turn();
          throw new Error("crash");
        }
        while (!seen.isOver) await sleep(1);
      } finally {
        events.push(`-${name}`);
      }
    },
  });
  const running = new Supervisor(["a", "b", "c"].map(child), { strategy }).run();
  while (seen.crashes < 2) await turn();
  // Who is started again starts meanwhile.
  for (let turns = 0; turns < 20; turns++) await turn();
  events.push("end");
  seen.isOver = true;
  await running;
  return events.slice(0, events.indexOf("end"));
}

describe("Supervisor", () => {
  check("refuses what it would not know how to supervise", () => {
    assert.throws(
      // @ts-expect-error -- no strategy
      () => new Supervisor([], { strategy: "all" }),
      /strategy is all, expected one-for-one, one-for-all, rest-for-one/,
    );
    assert.throws(
      // @ts-expect-error -- nothing to run
      () => new Supervisor([{ name: "worker" }]),
      /Cannot supervise worker: run is undefined, expected a function/,
    );
    const often = { name: "worker", run: () => {}, restart: "often" as "permanent" };
    assert.throws(
      () => new Supervisor([often]),
      /restart of worker is often, expected permanent, transient, temporary/,
    );
  });

  check("restarts one for one", async () => {
    assert.deepEqual(await crashOnce("one-for-one"), ["+a", "+b", "+c", "-b", "+b"]);
  });

  check("restarts one for all, the last one ended first", async () => {
    assert.deepEqual(await crashOnce("one-for-all"), ["+a", "+b", "+c", "-b", "-c", "-a", "+a", "+b", "+c"]);
  });

  check("restarts the rest for one", async () => {
    assert.deepEqual(await crashOnce("rest-for-one"), ["+a", "+b", "+c", "-b", "-c", "+b", "+c"]);
  });

  check("does not restart a temporary child that was ended for another one", async () => {
    const starts = { temporary: 0, failing: 0 };
    const children: SupervisedChild[] = [
      {
        name: "temporary",
        restart: "temporary",
        run: () => {
          starts.temporary++;
          return sleep(100_000);
        },
      },
      {
        name: "failing",
        run: () => {
          if (starts.failing++ === 0) throw new Error("once");
        },
      },
    ];
    await new Supervisor(children, { strategy: "one-for-all" }).run();
    assert.deepEqual(starts, { temporary: 1, failing: 2 });
  });

  check("gives up after too many restarts, and ends the other children", async () => {
    let starts = 0;
    let isEnded = false;
    const error = new Error("again");
    const children: SupervisedChild[] = [
      {
        name: "steady",
        run: async () => {
          try {
            await sleep(100_000);
          } finally {
            isEnded = true;
          }
        },
      },
      {
        name: "failing",
        run: () => {
          starts++;
          throw error;
        },
      },
    ];
    const failure = await rejection(new Supervisor(children, { maxRestarts: 4 }).run());
    assert.ok(failure instanceof RestartLimitError);
    assert.deepEqual([failure.child, failure.cause, starts, isEnded], ["failing", error, 5, true]);
  });

  check("forgets restarts that are long ago", async () => {
    let starts = 0;
    const child = {
      name: "slowly failing",
      run: async () => {
        if (++starts === 6) return;
        await sleep(15);
        throw new Error("again");
      },
    };
    await new Supervisor([child], { maxRestarts: 1, withinMs: 5 }).run();
    assert.equal(starts, 6);
  });

  check("restarts what returns only if it is permanent, and what fails unless it is temporary", async () => {
    const starts = { permanent: 0, transient: 0, temporary: 0, failing: 0 };
    const children: SupervisedChild[] = [
      { name: "permanent", restart: "permanent", run: () => void starts.permanent++ },
      { name: "transient", restart: "transient", run: () => void starts.transient++ },
      { name: "temporary", restart: "temporary", run: () => void starts.temporary++ },
      {
        name: "failing",
        restart: "temporary",
        run: () => {
          starts.failing++;
          throw new Error("once");
        },
      },
    ];
    assert.ok((await rejection(new Supervisor(children, { maxRestarts: 2 }).run())) instanceof RestartLimitError);
    assert.deepEqual(starts, { permanent: 3, transient: 1, temporary: 1, failing: 1 });
  });

  check("waits longer before each restart", async () => {
    const times: number[] = [];
    const child = {
      name: "failing",
      run: () => {
        times.push(performance.now());
        throw new Error("again");
      },
    };
    const backoff = { initialMs: 10, maxMs: 25 };
    await rejection(new Supervisor([child], { maxRestarts: 3, backoff }).run());
    const gaps = times.slice(1).map((time, index) => time - times[index]!);
    assert.equal(gaps.length, 3);
    // A timer may fire up to a millisecond early.
    for (const [index, least] of [9, 19, 24].entries()) assert.ok(gaps[index]! >= least, `gaps ${String(gaps)}`);
  });

  check("does not end before its children, also when it is cancelled while it stops some for a restart", async () => {
    const events: string[] = [];
    const slow = async (): Promise<void> => {
      try {
        await sleep(100_000);
      } finally {
        await shield(() => sleep(10));
        events.push("slow has ended");
      }
    };
    const failing = async (): Promise<void> => {
      await turn();
      throw new Error("crash");
    };
    const children = [
      { name: "slow", run: slow },
      { name: "failing", run: failing },
    ];
    const task = spawn(() => new Supervisor(children, { strategy: "one-for-all" }).run());
    await turn();
    await turn();
    await turn();
    task.cancel();
    assert.equal(await stateOf(task), "cancelled");
    events.push("supervisor has ended");
    assert.deepEqual(events, ["slow has ended", "supervisor has ended"]);
  });

  check("ends its children when it is cancelled, the last one first", async () => {
    const events: string[] = [];
    const child = (name: string): SupervisedChild => ({
      name,
      run: async () => {
        try {
          await sleep(100_000);
        } finally {
          events.push(name);
        }
      },
    });
    const task = spawn(() => new Supervisor([child("a"), child("b")]).run());
    await turn();
    await turn();
    task.cancel();
    assert.equal(await stateOf(task), "cancelled");
    assert.deepEqual(events, ["b", "a"]);
  });
});
