/** Overlapping calls of C code: raw JSPI lets them overwrite each other's locals, stackful does not. */
import { readFile } from "node:fs/promises";
import { instantiate } from "stackful";

/** TypeScript's library does not know these two yet. */
const { Suspending, promising } = WebAssembly as unknown as {
  Suspending: new (body: Function) => WebAssembly.ImportValue;
  promising: (body: unknown) => (id: number) => Promise<number>;
};

const bytes = await readFile(new URL("../test/guests/frames.wasm", import.meta.url));
const answers: (() => void)[] = [];
const wait = (): Promise<number> => new Promise((resolve) => answers.push(() => resolve(0)));
const fill = (): void => {};

/** `frame(id)` keeps `id` in an array on the C stack while it waits, and then returns 1000 times what it reads there. */
async function callFourTimes(frame: (id: number) => Promise<number>): Promise<number[]> {
  const results = [1, 2, 3, 4].map((id) => frame(id));
  for (const answer of answers.splice(0)) answer(); // in the order of the calls
  return Promise.all(results);
}

const raw = await WebAssembly.instantiate(bytes, { host: { wait: new Suspending(wait), fill } });
console.log("expected", [1000, 2000, 3000, 4000]);
console.log("raw JSPI", await callFourTimes(promising(raw.instance.exports["frame"])));

const stackful = await instantiate<{ frame(id: number): number }>(bytes, { host: { wait, fill } });
console.log("stackful", await callFourTimes(stackful.exports.frame));

// Output:
// expected [ 1000, 2000, 3000, 4000 ]
// raw JSPI [ 1000, -15, -15, -15 ]
// stackful [ 1000, 2000, 3000, 4000 ]
