/** `clock_*`: what time it is. */

import type { Clock } from "../host/clock.ts";
import { Errno } from "./errno.ts";
import { CLOCK } from "./layout.ts";
import type { Syscall, Syscalls } from "./syscall.ts";

const MICROSECOND = 1000n;

export const clocks: Syscalls = {
  clock_res_get({ program, memory }: Syscall, id: number, resolution: number) {
    readClock(program.clock, id);
    memory.setU64(resolution, program.clock.resolution ?? MICROSECOND);
  },

  clock_time_get({ program, memory }: Syscall, id: number, _precision: bigint, time: number) {
    memory.setU64(time, readClock(program.clock, id));
  },
};

/** Nanoseconds. (witx: `clockid`) */
export function readClock(clock: Clock, id: number): bigint {
  switch (id) {
    case CLOCK.realtime:
      return clock.realtime();
    case CLOCK.monotonic:
      return clock.monotonic();
    case CLOCK.processCpuTime:
    case CLOCK.threadCpuTime:
      return clock.cpuTime?.() ?? clock.monotonic();
    default:
      throw new Errno("EINVAL");
  }
}
