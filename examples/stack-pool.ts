/** The stacks that overlapping C code needs in its memory: their size and number, and how much of them was used. */
import { StackExhaustedError, instantiate } from "stackful";

const host = { wait: async (id: number) => id, fill: () => {} };
const stacks = { bytes: 4096, capacity: 3, measure: true };
const frames = new URL("../test/guests/frames.wasm", import.meta.url);
const { instance } = await instantiate<{ frame(id: number): number }>(frames, { host }, { stacks });

const calls = Array.from({ length: 20 }, (_, id) => instance.exports.frame(id));
console.log(`${calls.length} calls, ${instance.waiting} of them wait: there are the guest's own stack and 3 more`);
await Promise.all(calls);
const { size, reused, highWaterBytes } = instance.stacks;
console.log(`regions: ${size}, used again: ${reused} times, at most ${highWaterBytes} of ${stacks.bytes} bytes in use`);

// A stack of one's own, of any size.
const nested = instance.function<[number, number], number>("nested");
using small = instance.stacks.open(2048);
const error = await nested.call([7, 99], { stack: small }).catch((reason: unknown) => reason);
console.log(`100 levels on ${small.bytes} bytes:`, error instanceof StackExhaustedError ? error.name : error);
using large = instance.stacks.open(16 * 1024);
console.log(`100 levels on ${large.bytes} bytes:`, await nested.call([7, 99], { stack: large }));

// Output:
// 20 calls, 16 of them wait: there are the guest's own stack and 3 more
// regions: 3, used again: 12 times, at most 336 of 4096 bytes in use
// 100 levels on 2048 bytes: StackExhaustedError
// 100 levels on 16384 bytes: 7100
