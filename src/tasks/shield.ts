/** What has to be done also by a task that is cancelled. */

import { currentContext, runWithin } from "./participant.ts";
import type { Participant } from "./participant.ts";

/**
 * Runs `body` so that a cancellation of the task does not reach what it waits for: for cleanups that wait. The task is still cancelled
 * afterwards. Needs the platform's asynchronous context beyond the first `await`; signals that are passed count as ever.
 */
export function shield<Value>(body: () => Value | PromiseLike<Value>): Promise<Value> {
  return shieldOf(currentContext()?.participant, body);
}

/** {@link shield} for a task that is not the one that runs: it is that which waits. */
export function shieldOf<Value>(
  participant: Participant | undefined,
  body: () => Value | PromiseLike<Value>,
): Promise<Value> {
  const context = participant && { participant, isShielded: true };
  return new Promise((resolve) => resolve(runWithin(context, body)));
}
