/** What the functions that guests import work with. */

import type { Pending, Soon } from "../coroutine/pending.ts";
import type { Channel } from "../tasks/channel.ts";
import type { GuestCall } from "./guest-call.ts";
import type { HostMemory } from "./host-memory.ts";
import type { Objects } from "./objects.ts";
import type { TaskTable } from "./task-table.ts";

/** One function, with its parameters as the engine gives them: i32 are signed, those that it does not have `undefined`. */
export type Call = (call: GuestCall, a: number, b: number, c: number) => Soon<number> | Pending<void>;

export interface World {
  readonly tasks: TaskTable;
  readonly objects: Objects;
  readonly memory: HostMemory;
  /** Name → a channel that others have, too. */
  readonly channels: Readonly<Record<string, Channel<Uint8Array>>>;
}
