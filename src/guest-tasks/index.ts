/** `stackful/guest-tasks`: tasks, channels and locks for guests that include `stackful.h`. */

export { GuestTasks } from "./guest-tasks.ts";
export { SpawnError } from "./spawn-error.ts";
export type { GuestTasksOptions, RunOptions } from "./guest-tasks.ts";
