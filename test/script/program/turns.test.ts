/** Turns of strands that are only said to compute. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Turns } from "#src/script/program/turns";
import type { Strand } from "#src/script/program/strand";

const newStrand = (): Strand => ({ operations: 0, listener: undefined, send() {} });

class FakeClock {
  wake: (() => void) | undefined;
  readonly realtime = (): bigint => 0n;
  readonly monotonic = (): bigint => 0n;
  readonly wakeAfter = (_: bigint, wake: () => void): (() => void) => {
    this.wake = wake;
    return () => (this.wake = undefined);
  };
}

describe("Turns", () => {
  const [a, b, c] = [newStrand(), newStrand(), newStrand()];

  it("are taken one at a time, in the order in which strands came", () => {
    const turns = new Turns({ left: () => 0 });
    const log: string[] = [];
    turns.enter(a, () => log.push("a"));
    turns.enter(b, () => log.push("b"));
    turns.enter(c, () => log.push("c"));
    assert.deepEqual(log, ["a"]);
    turns.leave(b);
    assert.deepEqual(log, ["a"], "only who has the turn can leave it");
    turns.leave(a);
    assert.equal(turns.isRunning(b), true);
    turns.leave(b);
    assert.deepEqual(log, ["a", "b", "c"]);
  });

  it("are over at once for who leaves when they begin", () => {
    const turns = new Turns({ left: () => 0 });
    const log: string[] = [];
    turns.enter(a, () => turns.leave(a));
    turns.enter(b, () => log.push("b"));
    assert.deepEqual(log, ["b"]);
  });

  it("are kept by who gives way to nobody", () => {
    const turns = new Turns({ left: () => 0 });
    turns.enter(a, () => {});
    turns.giveWay(a);
    assert.equal(turns.isRunning(a), true);
    turns.enter(b, () => {});
    turns.giveWay(a);
    assert.equal(turns.isRunning(b), true);
  });

  it("count what each strand makes of the operations", () => {
    let left = 100;
    const turns = new Turns({ left: () => left });
    const strand = newStrand();
    turns.enter(strand, () => {});
    left -= 30;
    turns.spend(strand);
    left -= 5;
    turns.leave(strand);
    left -= 7;
    turns.enter(b, () => {});
    turns.spend(strand);
    assert.equal(strand.operations, 35);
  });

  it("are interrupted when they last, as long as somebody watches", (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    let now = 0;
    t.mock.method(performance, "now", () => now);
    let interruptions = 0;
    const turns = new Turns({ left: () => 0, interrupt: () => interruptions++ });
    const pass = (ms: number): void => {
      now += ms;
      t.mock.timers.tick(ms);
    };
    turns.watch();
    now = 4;
    turns.enter(a, () => {});
    pass(3);
    pass(5);
    assert.equal(interruptions, 1, "not before it has lasted a while");
    turns.leave(a);
    pass(10);
    assert.equal(interruptions, 1);
    turns.enter(b, () => {});
    turns.unwatch();
    pass(50);
    assert.equal(interruptions, 1);
  });
});

describe("Turns.clock()", () => {
  const [a, b] = [newStrand(), newStrand()];

  it("lets others go on while a strand waits, which then waits for its turn", () => {
    const turns = new Turns({ left: () => 0 });
    const clock = new FakeClock();
    const log: string[] = [];
    turns.enter(a, () => {});
    turns.enter(b, () => log.push("b"));
    turns.clock(clock).wakeAfter(1n, () => log.push("a"));
    assert.deepEqual(log, ["b"]);
    clock.wake!();
    assert.deepEqual(log, ["b"]);
    turns.leave(b);
    assert.deepEqual(log, ["b", "a"]);
    assert.equal(turns.isRunning(a), true);
  });

  it("gives no turn to who has stopped waiting", () => {
    const turns = new Turns({ left: () => 0 });
    const clock = new FakeClock();
    turns.enter(a, () => {});
    const stop = turns.clock(clock).wakeAfter(1n, () => assert.fail("woken"));
    turns.enter(b, () => {});
    clock.wake!();
    stop();
    turns.leave(b);
    assert.equal(turns.isRunning(a), false);
  });

  it("is the other one while nobody computes", () => {
    const turns = new Turns({ left: () => 0 });
    const clock = new FakeClock();
    let isAwake = false;
    turns.clock(clock).wakeAfter(1n, () => (isAwake = true));
    clock.wake!();
    assert.equal(isAwake, true);
  });
});
