/** What the compiler has to know of the public API: this file only has to compile. A line that should not has a mark. */
import { instantiate, newAsync, wrapAsync, wrapAsyncWithCaller } from "stackful";
import type { Caller, GuestFunction, GuestModule } from "stackful";
import type { ScriptEngine, ScriptFunction } from "stackful/script";
import { Channel, after, select, spawn } from "stackful/tasks";

/** `true` if each of the two can be used for the other. */
type Same<Expected, Found> = [Expected] extends [Found] ? ([Found] extends [Expected] ? true : false) : false;

/** Never called. */
export async function publicTypes(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const one = wrapAsync(async (a: number, b: bigint) => `${a}${b}`);
  void (true satisfies Same<(a: number, b: bigint) => Promise<string>, typeof one>);
  const sixteen = wrapAsync((...values: readonly number[]) => values.length);
  void (true satisfies Same<(...values: readonly number[]) => number, typeof sixteen>);
  const none = wrapAsync(() => {});
  void (true satisfies Same<() => void, typeof none>);
  const withCaller = wrapAsyncWithCaller((caller, pointer: number) => {
    void (true satisfies Same<Caller, typeof caller>);
    return pointer;
  });
  void (true satisfies Same<(pointer: number) => number, typeof withCaller>);
  wrapAsyncWithCaller((caller: Caller<{ malloc(bytes: number): number }>, bytes: number) => {
    void (true satisfies Same<number, ReturnType<typeof caller.exports.malloc>>);
    // @ts-expect-error -- it was not said that there is one
    void caller.exports.free;
    return caller.exports.malloc(bytes);
  }) satisfies (bytes: number) => number;
  // @ts-expect-error -- a string is no bigint
  void one(1, "2");
  // @ts-expect-error -- not an array of results
  newAsync({ params: [], results: ["i32"] }, async () => 1);

  interface Exports {
    add(a: number, b: number): number;
    later(id: bigint): Promise<string>;
    memory: WebAssembly.Memory;
  }
  const typed = await instantiate<Exports>(bytes);
  void (true satisfies Same<(a: number, b: number) => Promise<number>, typeof typed.exports.add>);
  void (true satisfies Same<(id: bigint) => Promise<string>, typeof typed.exports.later>);
  void (true satisfies Same<WebAssembly.Memory, typeof typed.exports.memory>);
  const add = typed.function("add");
  void (true satisfies Same<GuestFunction<[a: number, b: number], number>, typeof add>);
  void (true satisfies Same<Promise<string>, ReturnType<typeof later.call>>);
  const later = typed.function("later");
  // @ts-expect-error -- one argument is missing
  void add.call([1]);
  const given = typed.function<[number], bigint>("add");
  void (true satisfies Same<GuestFunction<[number], bigint>, typeof given>);
  const other = typed.function("not listed");
  void (true satisfies Same<GuestFunction, typeof other>);
  const getAdd = typed.getAsync("add");
  void (true satisfies Same<(a: number, b: number) => Promise<number>, typeof getAdd>);
  const getOther = typed.getAsync<(a: bigint) => string>("add");
  void (true satisfies Same<(a: bigint) => Promise<string>, typeof getOther>);

  // With `!`, as this repository has index signatures checked (noUncheckedIndexedAccess).
  const untyped = await instantiate(bytes);
  const result = untyped.exports["run"]!(1, 2n);
  void (true satisfies Same<Promise<unknown>, typeof result>);
  void (true satisfies Same<unknown, ReturnType<NonNullable<(typeof untyped.sync)[string]>>>);
  // @ts-expect-error -- not awaited
  void (untyped.exports["run"]!(1) + 1);
  untyped.exports["memory"]!.buffer satisfies ArrayBufferLike;
  untyped.exports["table"]!.get(0);
  // @ts-expect-error -- neither a memory nor a table nor a global has that
  void untyped.exports["memory"]!.bytes;
  await untyped.function("run").call([1, "2"]);
  void (typed.module satisfies GuestModule).queueReason;
}

/** Never called. */
export async function typesOfTasks(): Promise<void> {
  const first = await select({
    value: new Channel<bigint>().receiving(),
    late: after(1),
    task: spawn(() => true),
    // A chain that is written there has the type that it has elsewhere.
    chain: Promise.resolve("text").then((text) => text.length),
  });
  if (first.key === "value") void (true satisfies Same<bigint, typeof first.value>);
  if (first.key === "late") void (true satisfies Same<void, typeof first.value>);
  if (first.key === "task") void (true satisfies Same<boolean, typeof first.value>);
  if (first.key === "chain") void (true satisfies Same<number, typeof first.value>);
  // @ts-expect-error -- no case
  await select({ value: 5 });
}

/** Never called. */
export async function typesOfScripts(engine: ScriptEngine, callee: ScriptFunction): Promise<void> {
  const unknown = await engine.eval("1");
  void (true satisfies Same<unknown, typeof unknown>);
  // @ts-expect-error -- nobody has said that it is a number
  void (unknown + 1);
  const values = await Promise.all([
    engine.eval<number>("1"),
    engine.call<string>("f", 1),
    engine.apply<bigint>(callee, [1]),
  ]);
  void (true satisfies Same<[number, string, bigint], typeof values>);
  // @ts-expect-error -- what stands for a function of a script inside is nothing that users have
  await engine.apply({ id: 1, name: "f" });
}
