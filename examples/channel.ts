/** Two guests that block, and pass 100,000 numbers: the one sends, the other one receives. Then a `select` in JavaScript. */
import { compile, instantiate } from "stackful";
import { Channel, after, select, spawn } from "stackful/tasks";

interface Guest {
  loop(count: number): number;
}

// In WebAssembly text: `loop(n)` calls `step(n)`, …, `step(1)`, and adds up what it answers.
const module = await compile(new URL("../test/guests/loop.wasm", import.meta.url));
const start = (step: (value: number) => unknown): Promise<{ exports: { loop(count: number): Promise<number> } }> =>
  instantiate<Guest>(module, { host: { step, next: () => 0, tick: () => {} } });

const numbers = new Channel<number>({ capacity: 64, name: "numbers" });
const producer = await start((value) => numbers.sendSoon(value));
const consumer = await start(() => numbers.receiveSoon());
spawn(() => producer.exports.loop(100_000));
console.log("sum:", await spawn(() => consumer.exports.loop(100_000)));

const [news, stop] = [new Channel<string>(), new Channel<void>()];
spawn(async () => {
  for (const text of ["rain", "sun"]) await news.send(text);
  await stop.send();
});
for (let isOver = false; !isOver;) {
  const first = await select({ text: news.receiving(), stop: stop.receiving(), late: after(10_000) });
  console.log(first);
  isOver = first.key !== "text";
}

// Output:
// sum: 705082704
// { key: 'text', value: 'rain' }
// { key: 'text', value: 'sun' }
// { key: 'stop', value: undefined }
