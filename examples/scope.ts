/** Structured concurrency: whichever way a scope is left, nothing of it goes on. */
import { scope, sleep, timeout } from "stackful/tasks";

async function download(name: string, ms: number): Promise<string> {
  try {
    await sleep(ms);
    if (name === "broken") throw new Error("no such file");
    return name;
  } finally {
    console.log("  end of", name);
  }
}

console.log("the first of two mirrors:");
const first = await scope((scope) => {
  const mirrors = [scope.spawn(() => download("near", 5)), scope.spawn(() => download("far", 60_000))];
  return Promise.race(mirrors);
});
console.log("  took", first);

console.log("one that fails cancels the others:");
const all = scope(async (scope) => {
  scope.defer(() => console.log("  connection closed"));
  const parts = ["one", "two", "broken"].map((name, i) => scope.spawn(() => download(name, 50 - 20 * i)));
  return Promise.all(parts);
});
await all.catch((error: unknown) => console.log(" ", String(error)));

console.log("a time limit:");
await timeout(10, () => download("slow", 60_000)).catch((error: unknown) => console.log(" ", String(error)));

// Output:
// the first of two mirrors:
//   end of near
//   end of far
//   took near
// one that fails cancels the others:
//   end of broken
//   end of two
//   end of one
//   connection closed
//   Error: no such file
// a time limit:
//   end of slow
//   TimeoutError: It took more than 10 ms
