/** Programs with tasks in tasks, where the platform has an asynchronous context. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { GuestTasks } from "stackful/guest-tasks";
import { shield, sleep, spawn } from "stackful/tasks";
import { check, rejection } from "../tasks/harness.ts";

describe("GuestTasks.run()", () => {
  check("goes on in a shield, and does not begin in a task that is cancelled", async () => {
    const tasks = new GuestTasks();
    const results: unknown[] = [];
    const task = spawn(async () => {
      results.push(await shield(() => tasks.run(() => sleep(5).then(() => "shielded"))));
      results.push(await rejection(tasks.run(() => "too late")));
    });
    await sleep(1);
    task.cancel("enough");
    await task.join();
    assert.deepEqual(results, ["shielded", "enough"]);
  });
});
