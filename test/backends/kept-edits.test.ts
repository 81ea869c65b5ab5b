/** What is made of large guests, and kept where users say. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { instantiate } from "stackful";
import type { ModuleCache } from "stackful";
import { assemble } from "../transform/assemble.ts";
import { onBackends } from "../wasi/programs.ts";

const MEBIBYTE = 2 ** 20;

/** Large by what it has in its memory. */
const guest = await assemble(`(module
  (import "host" "next" (func $next (result i32)))
  (memory (export "memory") 32)
  (data (i32.const 64) "${"x".repeat(MEBIBYTE)}")
  (func (export "sum") (param $times i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (call $next)))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
    (local.get $sum)))`);

describe("The option cache", () => {
  onBackends("keeps what is made of a large guest to interrupt it, and to run it", async (backend) => {
    const kept = new Map<string, Uint8Array>();
    const wanted = backend === "jspi" ? 2 : 3;
    let written = 0;
    let haveAll!: () => void;
    // Resume copies are added to what backend transform keeps.
    const all = new Promise<void>((resolve) => (haveAll = resolve));
    const cache: ModuleCache = {
      get: (key) => kept.get(key),
      set: (key, bytes) => {
        kept.set(key, bytes);
        if (++written === wanted) haveAll();
      },
    };
    const run = async (): Promise<[number, number | undefined]> => {
      const host = { next: () => Promise.resolve(2) };
      const options = { backend, cache, interruptible: { fuel: 1000 } };
      const instance = await instantiate<{ sum(times: number): number }>(guest, { host }, options);
      return [await instance.exports.sum(5), instance.fuel];
    };
    const first = await run();
    assert.equal(first[0], 10);
    await all;
    const before = new Map(kept);
    assert.deepEqual(await run(), first);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual([...kept.keys()], [...before.keys()]);
    assert.equal(written, wanted);
  });
});
