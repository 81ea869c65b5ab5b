/**
 * Thread-local variables of tasks, in guests that were compiled for threads: where they lie is a global of the instance (`__tls_base`
 * of LLVM), which a task has to find as it was when it goes on, and to leave as it was for whoever runs without being a task.
 */

import type { ActivationHooks } from "../link/activation.ts";
import type { Instance } from "../link/instance.ts";

/** What `stackful.h` exports then. */
interface ThreadLocalExports {
  readonly stackful_tls?: () => number;
  readonly stackful_set_tls?: (block: number) => void;
}

const NONE: ActivationHooks = {};

/** For the call of one task. */
export function threadLocalHooks({ raw }: Instance): ActivationHooks {
  // Plain functions that read and write a global: they need no stack, and nobody waits in them.
  const { stackful_tls: read, stackful_set_tls: write } = raw.exports as ThreadLocalExports;
  if (read === undefined || write === undefined) return NONE;
  let outer = 0;
  /** `undefined`: it has not begun, and makes its own. */
  let own: number | undefined;
  return {
    onEnter: () => {
      outer = read();
      if (own !== undefined) write(own);
    },
    onLeave: () => {
      own = read();
      write(outer);
    },
  };
}
