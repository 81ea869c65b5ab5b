/** A C program that sleeps as if it had a thread of its own, called twice at once. Neither call blocks the event loop. */
import { instantiate } from "stackful";

const names = ["A", "B"];
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const host = {
  say: (who: number, count: number) => console.log(`guest ${names[who]}: ${count}`),
  // An ordinary async function. The guest calls it like any other, and only that call of the guest waits.
  sleep: async (ms: number) => wait(ms),
};
const guest = new URL("../test/guests/countdown.wasm", import.meta.url);
const { exports } = await instantiate<{ countdown(who: number, from: number): number }>(guest, { host });

console.log("Two calls of a blocking C function, from one thread of JavaScript:");
const [a, b] = [exports.countdown(0, 3), exports.countdown(1, 2)];
const ticker = setInterval(() => console.log("event loop: still running"), 10);
console.log("Both calls have started and are asleep; JavaScript goes on.");

console.log(`guest B returned: it slept ${await b} times`);
console.log(`guest A returned: it slept ${await a} times`);
clearInterval(ticker);

// Output:
// Two calls of a blocking C function, from one thread of JavaScript:
// guest A: 3
// guest B: 2
// Both calls have started and are asleep; JavaScript goes on.
// guest A: 2
// guest B: 1
// event loop: still running
// guest A: 1
// guest B returned: it slept 2 times
// event loop: still running
// guest A returned: it slept 3 times
