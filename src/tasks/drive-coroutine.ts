/** The body of a task that is a coroutine. */

import type { Coroutine } from "../coroutine/coroutine.ts";
import { continueWithin } from "./participant.ts";
import type { Participant } from "./participant.ts";
import type { Priority } from "./scheduler.ts";
import { until } from "./until.ts";
import { yieldNow } from "./yield-now.ts";

/**
 * Resumes it until it returns. A promise that it yields is awaited, and its value is the next input, its rejection thrown into the
 * coroutine; any other value gives way to other tasks, and comes back. When the task is cancelled the coroutine is unwound.
 */
export async function driveCoroutine<Return>(
  coroutine: Coroutine<unknown, unknown, Return>,
  participant: Participant,
  priority: Priority | undefined,
): Promise<Return> {
  let unwound: Promise<void> | undefined;
  const forget = participant.onCancel((reason) => {
    unwound = coroutine.unwind(reason);
    // Looked at below, when the resume that it ends has told the loop.
    unwound.catch(() => {});
  });
  try {
    let step = await coroutine.resumeAsync(undefined);
    while (step.done !== true) {
      const { value } = step;
      const answer = await continueWithin(participant, () => outcomeOf(value, priority));
      if (participant.cancellation !== undefined) break;
      step = await continueWithin(participant, () =>
        "error" in answer ? coroutine.throwAsync(answer.error) : coroutine.resumeAsync(answer.value),
      );
    }
    if (step.done === true) return step.value;
  } catch (error) {
    if (unwound === undefined) throw error;
  } finally {
    forget();
  }
  // An error of its cleanups is the task's.
  await unwound;
  throw participant.cancellation?.reason;
}

async function outcomeOf(
  value: unknown,
  priority: Priority | undefined,
): Promise<{ value: unknown } | { error: unknown }> {
  try {
    if (typeof (value as { then?: unknown } | null | undefined)?.then !== "function") {
      await yieldNow({ priority });
      return { value };
    }
    return { value: await until(value as PromiseLike<unknown>) };
  } catch (error) {
    return { error };
  }
}
