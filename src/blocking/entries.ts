/** What threads run: TypeScript when this library is run from its sources. */

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** For `startThread()` and `toSync()`. */
export const THREAD_ENTRY: URL = new URL(`./thread-main.${extension}`, import.meta.url);
/** For coroutines. */
export const COROUTINE_ENTRY: URL = new URL(`./coroutine-main.${extension}`, import.meta.url);
