/** `examples/backtrace.rs` of corosensei: a backtrace taken inside a coroutine goes on in whoever resumed it last. */
import { instantiate, suspend, wrapAsyncWithCaller } from "stackful";
import type { Coroutine } from "stackful";

/** Names of the functions in this file and in the guest, innermost first. */
function ownFunctions(trace = ""): string[] {
  const lines = trace.split("\n").filter((line) => line.includes(import.meta.url) || line.includes("generator.wasm"));
  return lines.flatMap((line) => /at (?:async )?([\w.]+) \(/.exec(line)?.slice(1) ?? []);
}

const suspendWithTrace = wrapAsyncWithCaller(function suspendWithTrace({ coroutine }, value: number) {
  console.log("stack:", ownFunctions(new Error("here").stack).join(" < "));
  console.log("  resumed by:", ownFunctions(coroutine?.backtrace).join(" < "));
  return suspend(value);
});
const yields = { suspend: suspendWithTrace, suspend_i64: suspend, suspend_f64: suspend, suspend_mixed: suspend };
function panic(): never {
  throw new Error("foobar");
}
const host = { ...yields, log: () => {}, panic };
const { instance } = await instantiate(new URL("../test/guests/generator.wasm", import.meta.url), { host });

const subFunction = async (coroutine: Coroutine): Promise<unknown> => coroutine.resumeAsync(0);
const otherFunction = async (coroutine: Coroutine): Promise<unknown> => coroutine.resumeAsync(0);

const coroutine = instance.coroutine("panics", { backtraces: true });
await subFunction(coroutine);
const error = await otherFunction(coroutine).catch((reason: unknown) => reason);
console.log("error:", ownFunctions((error as { coroutineStack?: string }).coroutineStack).join(" < "));

// Output:
// stack: suspendWithTrace < generator.wasm.panics
//   resumed by: subFunction
// error: panic < generator.wasm.panics < otherFunction
