/** What the thread of an engine runs: TypeScript when this library is run from its sources. */

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";

export const SCRIPT_THREAD_ENTRY: URL = new URL(`./thread-main.${extension}`, import.meta.url);
