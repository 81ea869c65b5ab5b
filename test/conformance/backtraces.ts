/** Stack traces that are taken on a coroutine's stack. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { suspend } from "stackful";
import type { Coroutine } from "stackful";
import { Doors, rejection } from "./harness.ts";
import type { Functions, Suite } from "./harness.ts";

const stackNow = (): string => new Error("trace").stack ?? "";

export function backtraces(suite: Suite): void {
  describe("Backtraces", () => {
    inHostFunctions(suite);
    ofErrors(suite);
  });
}

function inHostFunctions(suite: Suite): void {
  suite.it("a backtrace inside a coroutine names the guest's functions and does not crash", async () => {
    const stacks: string[] = [];
    const instance = await suite.instantiate("frames", {
      host: {
        wait: (id: number) => {
          stacks.push(stackNow());
          return suspend(id);
        },
        fill: () => {},
      },
    });
    const coroutine = instance.coroutine("nested", { args: [1, 1] });
    for (let step = 0; step < 4; step++) await coroutine.resumeAsync(0);
    await coroutine.resumeAsync(0);
    assert.equal(stacks.length, 4);
    for (const stack of stacks) assert.match(stack, /nested|level|wasm/);
  });

  suite.it("a backtrace reaches the host at the first resume", async () => {
    const stacks: string[] = [];
    const instance = await suite.instantiate("no-memory", {
      host: {
        wait: (id: number) => {
          stacks.push(stackNow());
          return suspend(id);
        },
      },
    });
    const coroutine = instance.coroutine("run");
    const lookForMe = (): Promise<unknown> => coroutine.resumeAsync(1);
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 30;
    await lookForMe();
    Error.stackTraceLimit = limit;
    assert.match(stacks[0]!, /lookForMe/);
    await coroutine.unwind();
  });
}

function ofErrors(suite: Suite): void {
  const fails = (id: number): Promise<never> => Promise.reject(new Error(`wait ${id}`));

  suite.it("backtrace traces to host: at the first resume and after each suspension", async () => {
    for (const suspensions of [0, 1, 2]) {
      let calls = 0;
      const instance = await suite.instantiate<Functions<"swallow">>("loop", {
        host: {
          step: (id: number) => (calls++ < suspensions ? suspend(id) : fails(id)),
          next: () => 0,
          tick: () => {},
        },
      });
      const coroutine = instance.coroutine("loop", { args: [5], backtraces: true });
      for (let step = 0; step < suspensions; step++) await coroutine.resumeAsync(0);
      const lookForMe = (): Promise<unknown> => coroutine.resumeAsync(0);
      const error = (await rejection(lookForMe())) as Error & { coroutineStack?: string };
      assert.match(error.message, /wait/);
      assert.match(error.coroutineStack ?? "", /lookForMe/, `after ${suspensions} suspensions`);
      assert.match(coroutine.backtrace, /lookForMe/);
    }
  });

  suite.it("of a coroutine inside another one trace through both", async () => {
    const make = async (wait: (id: number) => unknown): Promise<Coroutine> => {
      const instance = await suite.instantiate("no-memory", { host: { wait } });
      return instance.coroutine("run", { backtraces: true });
    };
    const inner = await make(fails);
    async function innerResumer(): Promise<unknown> {
      return inner.resumeAsync(1);
    }
    const outer = await make(() => innerResumer());
    async function outerResumer(): Promise<unknown> {
      return outer.resumeAsync(1);
    }
    const error = (await rejection(outerResumer())) as { coroutineStack?: string };
    assert.match(error.coroutineStack ?? "", /innerResumer[^]*outerResumer/);
  });

  suite.it("non stacky async activations: of interleaved calls they stay apart", async () => {
    const doors = new Doors();
    const instance = await suite.instantiate<Functions<"frame">>("frames", {
      host: { wait: doors.wait, fill: () => {} },
    });
    const errors: Promise<unknown>[] = [];
    async function firstCaller(): Promise<void> {
      await instance.exports.frame(1);
    }
    async function secondCaller(): Promise<void> {
      await instance.exports.frame(2);
    }
    errors.push(rejection(firstCaller()), rejection(secondCaller()));
    doors.fail(2, new Error("two"));
    doors.fail(1, new Error("one"));
    const [one, two] = (await Promise.all(errors)) as Error[];
    assert.deepEqual([one!.message, two!.message], ["one", "two"]);
    assert.doesNotMatch(one!.stack ?? "", /secondCaller/);
    assert.doesNotMatch(two!.stack ?? "", /firstCaller/);
  });

  suite.it("of a trap after a wait name the guest's functions", async () => {
    const instance = await suite.instantiate<Functions<"trapping">>("frames", {
      host: { wait: async () => 0, fill: () => {} },
    });
    const error = (await rejection(instance.exports.trapping(1))) as Error;
    assert.match(error.stack ?? "", /trapping|wasm/);
  });
}
