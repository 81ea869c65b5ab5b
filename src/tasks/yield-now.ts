/** Letting others run. */

import type { WaitReason } from "./participant.ts";
import { enqueue } from "./scheduler.ts";
import type { Priority } from "./scheduler.ts";
import { Wait, refusalOf } from "./wait.ts";
import type { WaitOptions } from "./wait.ts";

const reason: WaitReason = { isExternal: true, describe: () => "its turn", holders: () => undefined };

export interface YieldOptions extends WaitOptions {
  /** In which line it stands then; `"normal"` when left out. */
  readonly priority?: Priority | undefined;
}

/** Lets all others run that could, and now and then the event loop; then goes on. */
export function yieldNow(options?: YieldOptions): Promise<void> {
  const refusal = refusalOf(options);
  if (refusal !== undefined) return Promise.reject(refusal.reason);
  const wait = new Wait<void>(reason, options);
  enqueue(() => wait.succeed(undefined), options?.priority);
  return wait.begin();
}
