/** `proc_*` and `sched_yield`: the program itself. */

import { nextTurn } from "../../platform/event-loop.ts";
import { Errno } from "./errno.ts";
import { Exit } from "./syscall.ts";
import type { Syscall, Syscalls } from "./syscall.ts";

/** What a shell says of a process that a signal has ended. */
const SIGNAL_EXIT = 128;
const LAST_SIGNAL = 30;
/** witx: `signal`: those whose default is to do nothing: none, chld, cont, urg, winch. */
const IGNORED_SIGNALS: ReadonlySet<number> = new Set([0, 16, 17, 22, 27]);

export const processes: Syscalls = {
  proc_exit({ program }: Syscall, code: number) {
    throw new Exit(program.exit(code >>> 0));
  },

  proc_raise({ program }: Syscall, signal: number) {
    if (signal < 0 || signal > LAST_SIGNAL) throw new Errno("EINVAL");
    if (IGNORED_SIGNALS.has(signal)) return;
    throw new Exit(program.exit(SIGNAL_EXIT + signal));
  },

  /** Who cannot be waited for has nobody to give way to. */
  sched_yield({ canWait }: Syscall) {
    return canWait ? nextTurn() : undefined;
  },
};
