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
 * what they let the guest wait for is refused. A guest that throws has its stack pointer put back.
 */
export function callSynchronously<Result>(guest: number, stack: StackGlobals | undefined, body: () => Result): Result {
  const record = freeRecords.pop() ?? takeBlock();
  const outer = words[CURRENT >> 2]!;
  const inner = words[(guest + INNER) >> 2]!;
  const before: unknown = stack?.pointer.value;
  writeWord(record, FLAGS, SYNCHRONOUS);
  writeWord(record, GUEST, guest);
  writeWord(record, OUTER_INNER, inner);
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
