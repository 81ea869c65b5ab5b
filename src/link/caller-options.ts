/** What a call is made with that says nothing of it. */

import { callerSignal } from "../coroutine/guest-trace.ts";
import type { CallOptions } from "./linked-guest.ts";

/** The options of a call: it ends with the task that makes it, unless it has a signal of its own. */
export function optionsOf(options: CallOptions | undefined): CallOptions | undefined {
  if (options?.signal !== undefined) return options;
  const signal = callerSignal();
  return signal === undefined ? options : { ...options, signal };
}
