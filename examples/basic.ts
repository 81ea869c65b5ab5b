/** `examples/basic.rs` of corosensei: values go into a coroutine and come out of it. */
import { instantiate, suspend, wrapAsyncWithCaller } from "stackful";

const log = wrapAsyncWithCaller(({ memory }, text: number, length: number) => {
  console.log(new TextDecoder().decode(new Uint8Array(memory.buffer, text, length)));
});
const yields = { suspend, suspend_i64: suspend, suspend_f64: suspend, suspend_mixed: suspend };
const host = { ...yields, log, panic: log };
const { instance } = await instantiate(new URL("../test/guests/generator.wasm", import.meta.url), { host });

console.log("[main] creating coroutine");
const coroutine = instance.coroutine<number, number, void>("generate");

for (let counter = 100; ; counter++) {
  console.log(`[main] resuming coroutine with argument ${counter}`);
  const step = await coroutine.resumeAsync(counter);
  if (step.done === true) break;
  console.log(`[main] got ${step.value} from coroutine`);
}

console.log("[main] exiting");

// Output:
// [main] creating coroutine
// [main] resuming coroutine with argument 100
// [coroutine] coroutine started with input 100
// [coroutine] yielding 0
// [main] got 0 from coroutine
// [main] resuming coroutine with argument 101
// [coroutine] got 101 from parent
// [coroutine] yielding 1
// [main] got 1 from coroutine
// [main] resuming coroutine with argument 102
// [coroutine] got 102 from parent
// [coroutine] yielding 2
// [main] got 2 from coroutine
// [main] resuming coroutine with argument 103
// [coroutine] got 103 from parent
// [coroutine] yielding 3
// [main] got 3 from coroutine
// [main] resuming coroutine with argument 104
// [coroutine] got 104 from parent
// [coroutine] yielding 4
// [main] got 4 from coroutine
// [main] resuming coroutine with argument 105
// [coroutine] got 105 from parent
// [coroutine] exiting coroutine
// [main] exiting
