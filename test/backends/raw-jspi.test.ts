/** Raw JSPI fails where test/conformance/overlap.ts does not: without this, those tests would prove nothing. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { backends } from "stackful";
import { Doors, guestBytes, permutations } from "../conformance/harness.ts";

interface PromiseIntegration {
  readonly Suspending: new (body: Function) => WebAssembly.ImportValue;
  readonly promising: (entry: unknown) => (...args: unknown[]) => Promise<unknown>;
}

const reason = backends().find(({ name }) => name === "jspi")?.reason;
const { Suspending, promising } = WebAssembly as unknown as PromiseIntegration;

async function wrongOrders(guest: string): Promise<string[]> {
  const wrong: string[] = [];
  for (const order of permutations([1, 2, 3, 4])) {
    const doors = new Doors();
    const host = { wait: new Suspending(doors.wait), fill: () => {} };
    const { instance } = await WebAssembly.instantiate(guestBytes(guest), { host });
    const frame = promising(instance.exports["frame"]);
    const results = [1, 2, 3, 4].map((id) => frame(id));
    for (const id of order) {
      doors.open(id, 0);
      await Promise.resolve();
    }
    const found = await Promise.all(results);
    const factor = guest === "interleave" ? 1 : 1000;
    if (found.some((value, at) => value !== factor * (at + 1))) wrong.push(order.join(" "));
  }
  return wrong;
}

describe("Raw JSPI", { skip: reason ?? false }, () => {
  it("damages the locals of overlapping C frames in 23 of 24 orders", async () => {
    const wrong = await wrongOrders("frames");
    assert.equal(wrong.length, 23);
    assert.ok(!wrong.includes("4 3 2 1"));
  });

  it("damages the words of overlapping activations in 9 of 24 orders", async () => {
    assert.equal((await wrongOrders("interleave")).length, 9);
  });

  it("leaves the stack pointer behind after a rejection", async () => {
    const host = { wait: new Suspending(async () => Promise.reject(new Error("no"))), fill: () => {} };
    const { instance } = await WebAssembly.instantiate(guestBytes("frames-exported-sp"), { host });
    const pointer = instance.exports["__stack_pointer"] as WebAssembly.Global;
    const before: unknown = pointer.value;
    await assert.rejects(promising(instance.exports["frame"])(1), /no/);
    assert.notEqual(pointer.value, before);
  });

  it("suspends for a value that is ready", async () => {
    const events: string[] = [];
    const host = { step: new Suspending(() => events.push("step")), next: () => 0, tick: () => {} };
    const { instance } = await WebAssembly.instantiate(guestBytes("loop"), { host });
    const result = promising(instance.exports["loop"])(2);
    events.push("returned");
    await result;
    assert.deepEqual(events, ["step", "returned", "step"]);
  });
});
