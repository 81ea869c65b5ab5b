/** Starting tasks that belong to nobody. */

import { Task } from "./task.ts";
import type { TaskBody, TaskOptions } from "./task.ts";

/**
 * Starts a task of its own: nobody ends it but itself, its `signal` and `cancel()`. For tasks that must not outlive the code that
 * started them there is `scope()`.
 *
 * ```ts
 * const task = spawn(() => instance.exports.main(), { name: "main" });
 * const result = await task.join();
 * ```
 */
export function spawn<Value>(body: TaskBody<Value>, options?: TaskOptions): Task<Value> {
  return new Task(body, options);
}
