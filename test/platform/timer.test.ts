/** Timers for longer than those of the platform. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Timer } from "#src/platform/timer";

const LONGEST_MS = 2 ** 31 - 1;

test("fires when its time is over, however long that is", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    let fired = 0;
    const timer = new Timer(2 * LONGEST_MS + 10, () => fired++);
    for (const ms of [LONGEST_MS, LONGEST_MS, 9]) mock.timers.tick(ms);
    assert.equal(fired, 0);
    mock.timers.tick(1);
    assert.equal(fired, 1);
    timer.clear();
    const cleared = new Timer(LONGEST_MS + 10, () => fired++);
    mock.timers.tick(LONGEST_MS);
    cleared.clear();
    new Timer(Number.POSITIVE_INFINITY, () => fired++).clear();
    mock.timers.tick(LONGEST_MS);
    assert.equal(fired, 1);
  } finally {
    mock.timers.reset();
  }
});
