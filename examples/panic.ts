/** `examples/panic.rs` of corosensei: an error leaves through the coroutine's stack and reaches whoever resumed it. */
import { instantiate, suspend, wrapAsyncWithCaller } from "stackful";

const read = (memory: WebAssembly.Memory, text: number, length: number): string =>
  new TextDecoder().decode(new Uint8Array(memory.buffer, text, length));
const log = wrapAsyncWithCaller(({ memory }, text: number, length: number) => console.log(read(memory, text, length)));
const panic = wrapAsyncWithCaller(({ memory }, text: number, length: number) => {
  throw new Error(read(memory, text, length));
});
const yields = { suspend, suspend_i64: suspend, suspend_f64: suspend, suspend_mixed: suspend };
const host = { ...yields, log, panic };
const { instance } = await instantiate(new URL("../test/guests/generator.wasm", import.meta.url), { host });

console.log("[main] creating coroutine");
const coroutine = instance.coroutine<void, number, void>("panics");

console.log("[main] resuming coroutine");
const { value } = await coroutine.resumeAsync();
console.log(`[main] got value ${Number(value)} from coroutine`);

console.log("[main] resuming coroutine");
await coroutine.resumeAsync().catch((error: unknown) => {
  console.log(`[main] caught panic "${(error as Error).message}" from coroutine`);
});

console.log(`[main] exiting; the coroutine is done: ${coroutine.done}`);

// Output:
// [main] creating coroutine
// [main] resuming coroutine
// [coroutine] yielding 42
// [main] got value 42 from coroutine
// [main] resuming coroutine
// [coroutine] panicking
// [main] caught panic "foobar" from coroutine
// [main] exiting; the coroutine is done: true
