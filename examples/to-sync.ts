/** An asynchronous function, called by code that cannot await: the constructor below, which must return its object. */
import { isMainThread } from "node:worker_threads";
import { toSync } from "stackful/blocking";

/** Runs in the thread. */
export async function readSettings(name: string): Promise<{ name: string; level: number }> {
  await new Promise((resolve) => setTimeout(resolve, 5));
  if (name === "") throw new TypeError("Cannot read settings: they have no name");
  return { name, level: 3 };
}

if (isMainThread) {
  using settingsOf = toSync<typeof import("./to-sync.ts"), "readSettings">(new URL(import.meta.url), "readSettings");
  class Logger {
    readonly level: number;
    constructor(name: string) {
      this.level = settingsOf(name).level;
    }
  }
  console.log(`level ${new Logger("main").level}`);
  try {
    void new Logger("");
  } catch (error) {
    console.log(String(error));
  }
}

// Output:
// level 3
// TypeError: Cannot read settings: they have no name
