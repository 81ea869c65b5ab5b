/** Calls into a guest that stay on the caller's stack. */

import { failureOf, stackStateAt } from "./failure.ts";
import type { StackGlobals } from "./failure.ts";
import {
  BASE,
  CURRENT,
  FLAGS,
  GUEST,
  INNER,
  LIMIT,
  OUTER,
  OUTER_INNER,
  SYNCHRONOUS,
  readAddress,
  takeBlock,
  words,
  writeAddress,
  writeWord,
} from "./switchboard.ts";

/** Records that stand for synchronous calls, to be used again by any guest. */
const freeRecords: number[] = [];

/**
 * Runs `body`, which calls the guest whose block is `guest`. An activation that its host functions start gets another stack, and
 * what they let the guest wait for is refused. A guest that throws has its stack pointer put back. `endCutOff` ends an activation that a
 * trap has cut off, if that can have been unnoticed.
 */
export function callSynchronously<Result>(
  guest: number,
  stack: StackGlobals | undefined,
  body: () => Result,
  endCutOff: (record: number) => void = () => {},
): Result {
  endExhausted(guest, stack, endCutOff);
  const record = freeRecords.pop() ?? takeBlock();
  const outer = words[CURRENT >> 2]!;
  const inner = words[(guest + INNER) >> 2]!;
  const before: unknown = stack?.pointer.value;
  writeWord(record, FLAGS, SYNCHRONOUS);
  writeWord(record, GUEST, guest);
  writeWord(record, OUTER_INNER, inner);
  writeWord(record, OUTER, outer);
  writeAddress(record, LIMIT, inner === 0 ? 0 : readAddress(inner, LIMIT));
  writeWord(0, CURRENT, record);
  writeWord(guest, INNER, record);
  try {
    return body();
  } catch (error) {
    if (stack === undefined) throw failureOf(error, undefined);
    const base = inner === 0 ? Number(before) : readAddress(inner, BASE);
    const failure = failureOf(error, stackStateAt(stack, readAddress(record, LIMIT), base));
    stack.pointer.value = before;
    throw failure;
  } finally {
    writeWord(0, CURRENT, outer);
    writeWord(guest, INNER, inner);
    freeRecords.push(record);
  }
}

/**
 * An activation whose overflow nobody has noticed yet still has its stack pointer beyond its limit, for which this call would be blamed
 * if it failed. One that really is around this call is within its limit.
 */
function endExhausted(guest: number, stack: StackGlobals | undefined, endCutOff: (record: number) => void): void {
  const inner = words[(guest + INNER) >> 2]!;
  if (inner === 0 || stack === undefined || words[CURRENT >> 2] !== inner) return;
  if ((words[(inner + FLAGS) >> 2]! & SYNCHRONOUS) !== 0) return;
  if (stackStateAt(stack, readAddress(inner, LIMIT), readAddress(inner, BASE)).isExhausted) endCutOff(inner);
}
