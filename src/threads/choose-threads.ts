/** The one place that knows all platforms of threads. */

import { enterNodeThread, hasNodeThreads, startNodeThread } from "./node-thread.ts";
import type { StartedThread, ThreadInside, ThreadStart } from "./thread-platform.ts";
import { enterWebThread, startWebThread } from "./web-thread.ts";

/** Starts a thread. Works while this thread's event loop does not turn. */
export function startPlatformThread<Data>(start: ThreadStart<Data>): StartedThread {
  return hasNodeThreads ? startNodeThread(start) : startWebThread(start);
}

/** To be called by the module that such a thread runs, once. */
export function enterPlatformThread<Data>(): ThreadInside<Data> | Promise<ThreadInside<Data>> {
  return hasNodeThreads ? enterNodeThread() : enterWebThread();
}
