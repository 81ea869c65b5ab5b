/** Synchronous code in a thread calls asynchronous functions of its parent as if they were plain ones. The module is its own parent here. */
import { isMainThread } from "node:worker_threads";
import { host, startThread } from "stackful/blocking";

const parent = {
  async price(item: string): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (item === "unicorn") throw new RangeError(`there is no ${item}`);
    return item.length * 10;
  },
};

/** Runs in the thread. `sort` wants a plain function. */
export function cheapestFirst(items: string[]): string[] {
  const { price } = host<typeof parent>();
  return items.toSorted((a, b) => price(a) - price(b));
}

if (isMainThread) {
  await using thread = await startThread<typeof import("./blocking.ts")>(new URL(import.meta.url), { host: parent });
  console.log((await thread.exports.cheapestFirst(["bicycle", "pen", "book"])).join(", "));
  try {
    await thread.exports.cheapestFirst(["pen", "unicorn"]);
  } catch (error) {
    console.log(`${(error as Error).name}: ${(error as Error).message}`);
  }
}

// Output:
// pen, book, bicycle
// RangeError: there is no unicorn
