/** `examples/basic.rs` of corosensei, with a body of plain JavaScript that suspends in a callback of `forEach`. */
import { isMainThread } from "node:worker_threads";
import { workerCoroutine } from "stackful/blocking";
import type { Yielder } from "stackful/blocking";

/** Runs in a thread. */
export function body(yielder: Yielder<number, number>, input: number): string {
  const inputs = [input];
  [0, 1, 2].forEach((value) => inputs.push(yielder.suspend(value)));
  return `inputs were ${inputs.join(", ")}`;
}

if (isMainThread) {
  const coroutine = workerCoroutine<typeof import("./worker-coroutine.ts"), "body">(new URL(import.meta.url), "body");
  for (let counter = 100; ; counter++) {
    console.log(`[main] resuming coroutine with argument ${counter}`);
    const step = coroutine.resume(counter);
    if (step.done === true) {
      console.log(`[main] ${step.value}`);
      break;
    }
    console.log(`[main] got ${step.value} from coroutine`);
  }
}

// Output:
// [main] resuming coroutine with argument 100
// [main] got 0 from coroutine
// [main] resuming coroutine with argument 101
// [main] got 1 from coroutine
// [main] resuming coroutine with argument 102
// [main] got 2 from coroutine
// [main] resuming coroutine with argument 103
// [main] inputs were 100, 101, 102, 103
