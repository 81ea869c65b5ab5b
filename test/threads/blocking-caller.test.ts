/** Calls that block, of a thread that is not there to answer. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BlockingCaller } from "#src/threads/blocking-caller";
import { makeLineMemory, openLine } from "#src/threads/line";
import { ThreadError } from "#src/threads/thread-end";

describe("A call that blocks", () => {
  it("ends when the other thread has ended in the middle of reading what came before", () => {
    const memory = makeLineMemory();
    const line = openLine(memory, "parent", {
      ring: () => {},
      whyEnded: () => new ThreadError("lost", "It is gone"),
    });
    const caller = new BlockingCaller(line, { describe: () => "read", answer: () => {} });
    // "being read": see mailbox.ts.
    new Int32Array(memory.toThread.small)[0] = 2;
    assert.throws(() => caller.call(0, []), { reason: "lost", message: /read.*It is gone/ });
  });
});
