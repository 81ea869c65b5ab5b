/** The pattern "Blocking/Async Function Calls" of the Rhai book with an engine on a thread of its own, and what it leaves out: an end. */
import { ScriptEngine } from "stackful/script";
import { quickjs } from "stackful/script/quickjs";
import { Channel } from "stackful/tasks";

const toScript = new Channel<number>();
const toMaster = new Channel<number>();

const engine = await ScriptEngine.create(quickjs(), { thread: true });
engine.register("get", () => toScript.receive());
engine.register("put", (value: number) => toMaster.send(value));

const script = engine.eval(`
  for (;;) {
    let x = get();
    x += 1;
    put(x);
  }`);
const ended = script.catch((error: unknown) => console.log(`script: ${String(error)}`));

let value = 0;
while (value < 3) {
  console.log(`master: ${value}`);
  await toScript.send(value);
  value = await toMaster.receive();
}
// It is blocked in `get`, and cannot catch this.
await engine.close();
await ended;

// Output:
// master: 0
// master: 1
// master: 2
// script: ScriptStoppedError: Script engine was closed
