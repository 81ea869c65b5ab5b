/** Modules that tests run in threads. */

/** The URL of a module in `modules/`: TypeScript, or what it was compiled to. */
export function moduleUrl(name: string): URL {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new URL(`./modules/${name}.${extension}`, import.meta.url);
}

export function later<Value>(value: Value, ms = 1): Promise<Value> {
  return new Promise((resolve) => setTimeout(() => resolve(value), ms));
}
