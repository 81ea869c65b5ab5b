/** The pattern of the Rhai book, "Blocking/Async Function Calls": a script that blocks in `get` and `put`, and a master that answers when it likes. */
import { isMainThread } from "node:worker_threads";
import { host, startThread } from "stackful/blocking";
import { Channel } from "stackful/tasks";

const toScript = new Channel<number>();
const toMaster = new Channel<number>();
const api = { get: () => toScript.receive(), put: (value: number) => toMaster.send(value) };

/** The script: straight-line code, which knows nothing of promises. */
export function script(): void {
  const { get, put } = host<typeof api>();
  for (;;) put(get() + 1);
}

if (isMainThread) {
  const thread = await startThread<typeof import("./blocking-script.ts")>(new URL(import.meta.url), { host: api });
  const ended = thread.exports.script().catch((error: unknown) => console.log(`script: ${(error as Error).message}`));
  let value = 0;
  while (value < 3) {
    console.log(`master: ${value}`);
    await toScript.send(value);
    value = await toMaster.receive();
  }
  // What the seed leaves out: an end. The script is blocked in `get`; it is interrupted there.
  await thread.close();
  await ended;
}

// Output:
// master: 0
// master: 1
// master: 2
// script: The thread is being closed
