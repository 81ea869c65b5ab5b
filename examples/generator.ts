/** A guest as a generator: corosensei's `basic`, resumed on the stack of the caller. Any engine can do this. */
import { instantiate, suspend } from "stackful";

const bytes = new URL("../test/guests/generator.wasm", import.meta.url);
const host = {
  suspend: (value: number) => {
    console.log(`[guest] yields ${value}`);
    return suspend(value);
  },
};
const unused = { suspend_i64: () => 0n, suspend_f64: () => 0, suspend_mixed: () => 0, log: () => {}, panic: () => {} };
const instance = await instantiate(bytes, { host: { ...unused, ...host } }, { syncResume: true });
console.log(`backend ${instance.backend}`);

const total = instance.coroutine<number, number, number>("total");
for (const input of [10, 20, 30]) console.log("[host]", total.resume(input));
console.log("[host]", total.resume(0));

for (const value of instance.coroutine<void, number, void>("count", { args: [1] })) if (value === 3) break;

// Output:
// backend transform
// [guest] yields 10
// [host] { done: false, value: 10 }
// [guest] yields 30
// [host] { done: false, value: 30 }
// [guest] yields 60
// [host] { done: false, value: 60 }
// [host] { done: true, value: 60 }
// [guest] yields 1
// [guest] yields 2
// [guest] yields 3
