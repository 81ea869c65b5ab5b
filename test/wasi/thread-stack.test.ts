/** How stacks of threads are found in the memory of a program. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findThreadStack } from "#src/wasi/thread-stack";

const MAP = 0x2_0000;
const MAP_BYTES = 0x1_1000;
const TOP = 0x3_0800;

/** A memory with these words, the first of them at an address. */
function memoryWith(...runs: readonly (readonly [address: number, ...words: number[]])[]): ArrayBuffer {
  const memory = new ArrayBuffer(0x6_0000);
  for (const [address, ...words] of runs) new Uint32Array(memory, address, words.length).set(words);
  return memory;
}

describe("findThreadStack()", () => {
  it("finds that of wasi-libc: what starts the thread has its top as its first word, and struct pthread lies above", () => {
    // struct start_args { stack, tls_base, start_func, start_arg } on the stack, which is rounded down below it.
    const args = TOP + 8;
    const memory = memoryWith([args, TOP, TOP + 64, 7, 9], [TOP + 400, MAP, MAP_BYTES, TOP, args - MAP]);
    assert.deepEqual(findThreadStack(memory, args), { low: MAP, top: TOP });
  });

  it("finds that of its first version, which starts threads with other words", () => {
    const args = TOP - 12;
    const memory = memoryWith([args, 7, 9, TOP + 64], [TOP + 30_000, MAP, MAP_BYTES, TOP, TOP - MAP]);
    assert.deepEqual(findThreadStack(memory, args), { low: MAP, top: TOP });
  });

  it("leaves out the guard that was asked for", () => {
    const memory = memoryWith([TOP, TOP], [TOP + 64, MAP, MAP_BYTES, TOP, TOP - MAP - 4096]);
    assert.deepEqual(findThreadStack(memory, TOP), { low: MAP + 4096, top: TOP });
  });

  it("finds none where the words do not fit", () => {
    const others: Record<string, readonly number[]> = {
      "a stack that was not allocated": [0, 0, TOP, 4096],
      "a stack of another thread": [MAP, MAP_BYTES, TOP - 0x400, 0x800],
      "a stack that goes beyond what was allocated": [MAP, MAP_BYTES, TOP, TOP - MAP + 64],
      "an allocation that ends below": [MAP, TOP - MAP - 16, TOP, 4096],
      "no size": [MAP, MAP_BYTES, TOP, 0],
    };
    for (const [what, words] of Object.entries(others)) {
      assert.equal(findThreadStack(memoryWith([TOP, TOP], [TOP + 64, ...words]), TOP), undefined, what);
    }
  });

  it("finds none at an address that is none, or at the end of the memory", () => {
    const memory = memoryWith();
    for (const argument of [0, 3, -1, -4, memory.byteLength - 4, memory.byteLength, 2 ** 31]) {
      assert.equal(findThreadStack(memory, argument), undefined, String(argument));
    }
  });
});
