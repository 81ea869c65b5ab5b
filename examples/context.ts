/** Values that follow a call: host functions find their own, whichever calls were resumed in between. */
import { AsyncLocalStorage } from "node:async_hooks";
import { CoroutineLocal, instantiate } from "stackful";

/** Node's own: set outside, by whoever calls the guest. */
const user = new AsyncLocalStorage<string>();
/** Stackful's: one value for each activation of a guest, which host functions can also set. */
const waits = new CoroutineLocal(() => 0);

const host = {
  async wait(id: number) {
    waits.set(waits.get() + 1);
    await new Promise((resolve) => setImmediate(resolve));
    console.log(`call ${id} of ${user.getStore()}: wait ${waits.get()}`);
    return 0;
  },
};
const guest = new URL("../test/guests/no-memory.wasm", import.meta.url);
const { exports } = await instantiate<{ run(id: number): number }>(guest, { host });

// `run(id)` waits twice.
await Promise.all([user.run("Ada", () => exports.run(1)), user.run("Grace", () => exports.run(2))]);
console.log(`outside any guest: ${user.getStore()}, ${waits.get()} waits`);

// Output:
// call 1 of Ada: wait 1
// call 2 of Grace: wait 1
// call 1 of Ada: wait 2
// call 2 of Grace: wait 2
// outside any guest: undefined, 0 waits
