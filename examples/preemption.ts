/** A guest that never waits shares the thread with JavaScript, can be given up on, and can be given so much work and no more. */
import { FuelExhaustedError, instantiate } from "stackful";

interface Exports {
  spin(): void;
  count(turns: number): number;
}
const guest = new URL("../test/guests/spin.wasm", import.meta.url);
const host = { wait: () => 0, back: () => {} };
const interruptible = { sliceMs: 2, fuel: Infinity };
const instance = await instantiate<Exports>(guest, { host }, { interruptible });

let ticks = 0;
const controller = new AbortController();
const timer = setInterval(() => {
  if (++ticks < 5) return;
  clearInterval(timer);
  controller.abort();
}, 5);
// `for (;;);` would block the event loop, and with it the timer that ends it.
const error = await instance
  .function("spin")
  .call([], { signal: controller.signal })
  .catch((reason: unknown) => reason);
console.log(`It was ended by an ${(error as Error).name}, after ${ticks} ticks of a timer`);

instance.fuel = 1_000_000;
await instance.exports.count(100_000);
const cost = 1_000_000 - instance.fuel;
console.log(`100,000 turns of a loop cost ${cost}, always`);

for (const fuel of [cost, cost - 1]) {
  instance.fuel = fuel;
  const result = await instance.exports.count(100_000).catch((reason: unknown) => reason);
  console.log(`with ${fuel}:`, result instanceof FuelExhaustedError ? result.name : result);
}

// Output:
// It was ended by an AbortError, after 5 ticks of a timer
// 100,000 turns of a loop cost 900010, always
// with 900010: 100000
// with 900009: FuelExhaustedError
