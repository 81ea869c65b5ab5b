/** Who waits in a shared memory, and how they are woken. */

import type { Pending } from "../coroutine/pending.ts";

export interface WaitRequest {
  /** In bytes. */
  readonly address: number;
  /** Of the value that it has: 4 or 8. */
  readonly bytes: 4 | 8;
  /** The expected value, in halves of 32 bits. */
  readonly low: number;
  readonly high: number;
  /** Below 0: no limit. */
  readonly timeoutNs: number;
  /** Whose wait it is. */
  readonly owner: unknown;
}

export interface Waits {
  /** The result, or what brings it. The value has just been compared by the guest. */
  wait(request: WaitRequest): number | Pending<number>;
  /** How many of `count` were woken, beside those that the instruction has woken itself. */
  wake(address: number, count: number): number;
}
