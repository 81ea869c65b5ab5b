/** The README's example of async-wormhole: code that is not async awaits a value, inside a task that is lazy. */
import { instantiate } from "stackful";

const host = {
  async async_suspend() {
    console.log("the host answers 42");
    return 42;
  },
};
const { instance } = await instantiate(new URL("../test/guests/wormhole.wasm", import.meta.url), { host });

const hooks = { onEnter: () => console.log("-> its stack"), onLeave: () => console.log("<- its stack") };
const task = instance.wormhole<number>("run", [], hooks);
console.log(`created; started: ${task.started}`);

const outside = await task;
console.log(`the wormhole returned ${outside}`);
console.log(`awaited again, without another run: ${await task}`);

// Output:
// created; started: false
// -> its stack
// the host answers 42
// <- its stack
// -> its stack
// <- its stack
// the wormhole returned 64
// awaited again, without another run: 64
