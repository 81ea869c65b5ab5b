/** `examples/sleep.rs` of rust-coroutines: tasks that sleep overlap. Then what joining tells, and a million of them. */
import { sleep, spawn } from "stackful/tasks";

let asleep = 0;
let most = 0;
const sleepers = [1, 2, 3, 4, 5].map((id) =>
  spawn(async () => {
    most = Math.max(most, ++asleep);
    await sleep(100);
    asleep--;
    return `sleeper ${id}`;
  }),
);
for (const task of sleepers) console.log(await task, "is awake");
console.log(most, "have slept at the same time");

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
// 5 have slept at the same time
// parser threw true
// slow { state: 'cancelled', reason: 'not needed any more' }
// 1000000 tasks
