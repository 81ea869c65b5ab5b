/** Random bytes, few and many. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Random } from "stackful/wasi";
import { GuestCalls } from "../guest-calls.ts";

const MIB = 1 << 20;

/** Ones, and takes a millisecond for each piece. */
const slow: Random = {
  fill(bytes) {
    for (const start = performance.now(); performance.now() - start < 1;);
    bytes.fill(1);
  },
};

function program(random?: Random): GuestCalls {
  const memory = new WebAssembly.Memory({ initial: 64 });
  return new GuestCalls({ stdin: "ignore", stdout: "ignore", stderr: "ignore", random }, memory);
}

describe("random_get()", () => {
  it("fills what it is given, and nothing else", async () => {
    for (const length of [0, 1, 65_536, 65_537, 3 * MIB + 5]) {
      const guest = program(slow);
      await guest.call("random_get", 100, length);
      assert.equal(guest.bytes.indexOf(1), length === 0 ? -1 : 100);
      assert.ok(guest.bytes.subarray(100, 100 + length).every((byte) => byte === 1));
      assert.equal(guest.bytes.lastIndexOf(1), length === 0 ? -1 : 100 + length - 1);
    }
  });

  it("has bytes that differ", () => {
    const guest = program();
    assert.equal(guest.start("random_get", 0, 4096), 0);
    assert.ok(new Set(guest.bytes.subarray(0, 4096)).size > 200);
  });

  it("lets the event loop turn while it makes many of them", async () => {
    const guest = program(slow);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await guest.call("random_get", 0, 4 * MIB);
    clearInterval(timer);
    assert.ok(turns > 3, `${turns} turns`);
    guest.canWait = false;
    assert.equal(guest.start("random_get", 0, MIB), 0);
  });

  it("ends when it is given up", async () => {
    const guest = program(slow);
    const controller = new AbortController();
    guest.signal = controller.signal;
    const answer = guest.start("random_get", 0, 4 * MIB);
    controller.abort();
    const filled = guest.bytes.lastIndexOf(1);
    await answer;
    assert.ok(filled < 2 * MIB);
    assert.equal(guest.bytes.lastIndexOf(1), filled);
  });

  it("fills nothing if not all of it is memory", async () => {
    const guest = program();
    const size = guest.memory.buffer.byteLength;
    assert.equal(await guest.errno("random_get", size - 200_000, 200_001), "EFAULT");
    assert.equal(await guest.errno("random_get", 0xffff_fff0, 0xffff_ffff), "EFAULT");
    assert.ok(guest.bytes.every((byte) => byte === 0));
  });
});
