/** Whether the guest that runs can be left for a while. */

import { activationOf } from "./activation.ts";
import { CURRENT, FLAGS, SYNCHRONOUS, readWord, words } from "./switchboard.ts";

/**
 * Whether nobody waits on the native stack for the guest that runs to return, as far as is known here: neither a synchronous call nor
 * `resume()`. `false` where no guest runs.
 */
export function canGiveWay(): boolean {
  const record = words[CURRENT >> 2]!;
  // The record of nobody has this flag, too.
  if ((readWord(record, FLAGS) & SYNCHRONOUS) !== 0) return false;
  return activationOf(record)?.isResumedSynchronously !== true;
}
