/** `examples/sleep.rs` of rust-coroutines: tasks that sleep overlap. Then what joining tells, and a million of them. */
import { sleep, spawn } from "stackful/tasks";

const start = performance.now();
const sleepers = [1, 2, 3, 4, 5].map((id) =>
  spawn(async () => {
    await sleep(100);
    return `sleeper ${id}`;
  }),
);
for (const task of sleepers) console.log(await task, "is awake");
console.log("all of them in less than 400 ms:", performance.now() - start < 400);

const failing = spawn(() => JSON.parse("no JSON"), { name: "parser" });
const slow = spawn(() => sleep(60_000), { name: "slow" });
slow.cancel("not needed any more");
const parsed = await failing.join();
console.log(failing.name, parsed.state, parsed.state === "threw" && parsed.error instanceof SyntaxError);
console.log(slow.name, await slow.join());

let sum = 0;
for (let round = 0; round < 10; round++) {
  const tasks = Array.from({ length: 100_000 }, () => spawn(() => 1));
  for (const task of tasks) sum += await task;
}
console.log(sum, "tasks");

// Output:
// sleeper 1 is awake
// sleeper 2 is awake
// sleeper 3 is awake
// sleeper 4 is awake
// sleeper 5 is awake
// all of them in less than 400 ms: true
// parser threw true
// slow { state: 'cancelled', reason: 'not needed any more' }
// 1000000 tasks
