/** Programs that wait for time and for standard input, as any C program does. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { ManualClock } from "./manual-clock.ts";
import { ManualInput } from "./manual-streams.ts";
import { TestProgram, onBackends } from "./programs.ts";

const MS = 1_000_000n;

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

async function turns(count: number): Promise<void> {
  for (let index = 0; index < count; index++) await turn();
}

describe("A program that sleeps", () => {
  for (const how of ["nanosleep", "abstime", "realtime", "usleep", "sleep"]) {
    onBackends(`waits until the time has passed: ${how}`, async (backend) => {
      const clock = new ManualClock();
      const program = await TestProgram.make("wasi-waits", backend, [how, "2000"], { clock });
      const end = program.start();
      await turns(2);
      assert.equal(clock.timers, 1);
      for (let step = 0; step < 8; step++) {
        clock.pass(250n * MS);
        await turn();
      }
      assert.equal(await end, 0);
      assert.equal(program.output.text, `${how} took 2000 ms\n`);
      assert.equal(clock.timers, 0);
    });
  }

  onBackends("takes no time when it asks for none", async (backend) => {
    const program = await TestProgram.make("wasi-waits", backend, ["usleep", "0"], { clock: new ManualClock() });
    assert.equal(await program.start(), 0);
    assert.equal(program.output.text, "usleep took 0 ms\n");
  });

  onBackends("holds nothing up", async (backend) => {
    const program = await TestProgram.make("wasi-waits", backend, ["nanosleep", "200"]);
    await program.start({ timeoutMs: 60_000 });
    const took = Number(/took (\d+) ms/.exec(program.output.text)?.[1]);
    assert.ok(took >= 200 && took < 20_000, program.output.text);
  });

  onBackends("leaves no timer when it is ended meanwhile", async (backend) => {
    const clock = new ManualClock();
    const program = await TestProgram.make("wasi-waits", backend, ["nanosleep", "1000"], { clock });
    const controller = new AbortController();
    const end = program.start({ signal: controller.signal });
    await turns(2);
    assert.equal(clock.timers, 1);
    controller.abort(new Error("Enough"));
    await assert.rejects(end, /Enough/);
    assert.equal(clock.timers, 0);
  });

  onBackends("gives way as often as it says", async (backend) => {
    const program = await TestProgram.make("wasi-waits", backend, ["yield", "20"]);
    let turnsSeen = 0;
    let isOver = false;
    const count = (): void => {
      turnsSeen++;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await program.start();
    isOver = true;
    assert.ok(turnsSeen >= 20, `${turnsSeen} turns`);
  });
});

describe("A program that reads standard input", () => {
  onBackends("waits for each line", async (backend) => {
    const stdin = new ManualInput();
    const program = await TestProgram.make("wasi-waits", backend, ["lines"], { stdin });
    const end = program.start();
    for (const [text, output] of [
      ["one\ntw", "1: one\n"],
      ["o\n", "1: one\n2: two\n"],
    ] as const) {
      stdin.push(text);
      await turns(3);
      assert.equal(program.output.text, output);
    }
    stdin.push(null);
    assert.equal(await end, 0);
  });

  onBackends("waits for it only so long", async (backend) => {
    const [stdin, clock] = [new ManualInput(), new ManualClock()];
    const program = await TestProgram.make("wasi-waits", backend, ["poll", "50"], { stdin, clock });
    const end = program.start();
    await turns(2);
    clock.pass(50n * MS);
    await turns(2);
    stdin.push("late");
    await turns(3);
    clock.pass(49n * MS);
    await turns(2);
    stdin.push("in time");
    await turns(3);
    stdin.push(null);
    assert.equal(await end, 0);
    assert.equal(program.output.text, "nothing\nread late\nread in time\nend\n");
    assert.equal(clock.timers, 0);
    // Each read of it was asked for once, however often it was polled.
    assert.equal(stdin.reads, 3);
  });

  onBackends("may ask again and again without waiting", async (backend) => {
    async function* slowly(): AsyncGenerator<string> {
      for (const text of ["some", "thing"]) {
        await new Promise((done) => setTimeout(done, 20));
        yield text;
      }
    }
    const program = await TestProgram.make("wasi-waits", backend, ["nonblock"], { stdin: slowly() });
    assert.equal(await program.start(), 0);
    assert.equal(program.output.text, "9 bytes, asked in vain\n");
  });

  onBackends("leaves nobody waiting when it is ended meanwhile", async (backend) => {
    for (const args of [["lines"], ["poll", "100000"]]) {
      const [stdin, clock] = [new ManualInput(), new ManualClock()];
      const program = await TestProgram.make("wasi-waits", backend, args, { stdin, clock });
      const controller = new AbortController();
      const end = program.start({ signal: controller.signal });
      await turns(2);
      assert.deepEqual(stdin.waits, { begun: 1, ended: 0 });
      controller.abort(new Error("Enough"));
      await assert.rejects(end, /Enough/);
      assert.deepEqual(stdin.waits, { begun: 1, ended: 1 });
      assert.equal(clock.timers, 0);
      await turn();
      assert.ok(stdin.isClosed);
    }
  });
});

describe("A program that has ended", () => {
  onBackends("is waited for until its output has gone, and no longer than its caller likes", async (backend) => {
    for (const isTaken of [true, false]) {
      let take = (): void => {};
      const stdout = {
        write: () => {},
        close: (): Promise<void> => new Promise((resolve) => (take = resolve)),
      };
      const program = await TestProgram.make("program", backend, ["exit", "7"], { stdout });
      const controller = new AbortController();
      let isOver = false;
      const end = program.start({ signal: controller.signal }).finally(() => (isOver = true));
      end.catch(() => {});
      await turns(5);
      assert.equal(isOver, false);
      if (isTaken) take();
      else controller.abort(new Error("Enough"));
      if (isTaken) assert.equal(await end, 7);
      else await assert.rejects(end, /^Error: Enough$/);
    }
  });
});
