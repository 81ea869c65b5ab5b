/** Letting others run. */

import type { Pending } from "../coroutine/pending.ts";
import type { WaitReason } from "./participant.ts";
import { enqueue, requirePriority } from "./scheduler.ts";
import type { Priority } from "./scheduler.ts";
import { Wait, requireAllowed } from "./wait.ts";
import type { WaitOptions } from "./wait.ts";

const reason: WaitReason = { isExternal: true, describe: () => "its turn", holders: () => undefined };

export interface YieldOptions extends WaitOptions {
  /** In which line it stands then; `"normal"` when left out. */
  readonly priority?: Priority | undefined;
}

/** Lets all others run that could, and now and then the event loop; then goes on. */
export function yieldNow(options?: YieldOptions): Promise<void> {
  try {
    return yieldSoon(options).promise;
  } catch (error) {
    return Promise.reject(error);
  }
}

/** {@link yieldNow} for host functions of guests. */
export function yieldSoon(options?: YieldOptions): Pending<void> {
  requirePriority(options?.priority);
  requireAllowed(options);
  const wait = new Wait<void>(reason, options);
  enqueue(() => wait.succeed(undefined), options?.priority);
  return wait.begin();
}
