/** The tests of wasmtime-async: three ways to make a host function, and exports as typed callables. */
import { setTimeout } from "node:timers/promises";
import { instantiate, newAsync, wrapAsync, wrapAsyncWithCaller } from "stackful";

const guest = new URL("../test/guests/arithmetic.wasm", import.meta.url);

/** `Func::new_async`: the type is only known at run time; values come and go as arrays. */
const doubleDynamic = newAsync({ params: ["i32"], results: ["i32"] }, async (_caller, [value]) => {
  await setTimeout(1);
  return [(value as number) * 2];
});
/** `Func::wrap_async`: the type is that of the function. */
const double = wrapAsync(async (value: number) => setTimeout(1, value * 2));
/** `Func::wrap_async2`: the caller comes first. An i64 is a bigint. */
const add = wrapAsyncWithCaller(async (caller, a: number, b: bigint) => {
  console.log(`the caller exports "foo": ${"foo" in caller.exports}, "add": ${"add" in caller.exports}`);
  return setTimeout(1, BigInt(a) + b);
});

const dynamic = await instantiate(guest, { host: { double: doubleDynamic, add } });
console.log("new_async, call_async(5):", await dynamic.function("double").call([5]));

const typed = await instantiate(guest, { host: { double, add } });
const getDouble = typed.getAsync<(value: number) => number>("double", { params: ["i32"], results: ["i32"] });
console.log("wrap_async, get1(21):", await getDouble(21));

const getAdd = typed.getAsync<(a: number, b: bigint) => bigint>("add", { params: ["i32", "i64"], results: ["i64"] });
console.log("wrap_async with a caller, get2(1, 2n):", await getAdd(1, 2n));

// Output:
// new_async, call_async(5): 10
// wrap_async, get1(21): 42
// the caller exports "foo": false, "add": true
// wrap_async with a caller, get2(1, 2n): 3n
