/** The example of wasmtime-async: `run` is called twice on one stack, and its import prints asynchronously. */
import { setTimeout } from "node:timers/promises";
import { instantiate } from "stackful";

const imports = {
  "": {
    async hello() {
      await setTimeout(1);
      console.log("> Hello from a function that awaits!");
    },
  },
};
const { instance } = await instantiate(new URL("../test/guests/hello.wasm", import.meta.url), imports);

using stack = instance.stacks.open(16 * 1024);
const run = instance.function<[], void>("run", { params: [], results: [] });
console.log("First call");
await run.call([], { stack });
console.log("Second call, same stack");
await run.call([], { stack });
console.log(`Activations that ended on this stack: ${stack.uses}`);

// Output:
// First call
// > Hello from a function that awaits!
// Second call, same stack
// > Hello from a function that awaits!
// Activations that ended on this stack: 2
