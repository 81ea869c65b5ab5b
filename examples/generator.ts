/** A C function that never returns is an async generator to JavaScript. */
import { instantiate, suspend } from "stackful";

const yields = { suspend, suspend_i64: suspend, suspend_f64: suspend, suspend_mixed: suspend };
const host = { ...yields, log: () => {}, panic: () => {} };
const { instance } = await instantiate(new URL("../test/guests/generator.wasm", import.meta.url), { host });

// `void count(int first) { for (int i = first;; i++) suspend(i); }`
const numbers = instance.coroutine<void, number, never>("count", { args: [10] });
for await (const number of numbers) {
  console.log(number);
  if (number === 13) break;
}
console.log(`The loop was left, so the guest's stack was unwound: ${numbers.state}`);

// Output:
// 10
// 11
// 12
// 13
// The loop was left, so the guest's stack was unwound: unwound
