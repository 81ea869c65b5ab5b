/** What time it is, and how to be told that some has passed. */

export interface Clock {
  /** Nanoseconds since 1970-01-01T00:00:00Z. */
  realtime(): bigint;
  /** Nanoseconds since some moment; never goes back. */
  monotonic(): bigint;
  /** Nanoseconds that the program's thread has been computing. {@link Clock.monotonic} if there is no such thing. */
  cpuTime?(): bigint;
  /** Nanoseconds between two values that differ: of all these clocks. 1 µs when left out. */
  readonly resolution?: bigint;
  /**
   * Calls `wake` once when about so many nanoseconds have passed. May be early or late: whoever waits looks at the clock again.
   *
   * @returns what ends the wait
   */
  wakeAfter(nanoseconds: bigint, wake: () => void): () => void;
}

const NS_PER_MS = 1_000_000;
/** `setTimeout` counts 32-bit milliseconds; who has waited that long looks at the clock, and waits again. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The platform's clocks and timers. */
export const systemClock: Clock = {
  realtime: () => nanoseconds(performance.timeOrigin) + nanoseconds(performance.now()) + drift(),
  monotonic: () => nanoseconds(performance.now()),
  cpuTime: () => cpuMicroseconds() * 1000n,
  wakeAfter(wait, wake) {
    const milliseconds = Math.min(Math.ceil(Number(wait) / NS_PER_MS), LONGEST_TIMER_MS);
    const timer = setTimeout(wake, milliseconds);
    return () => clearTimeout(timer);
  },
};

function nanoseconds(milliseconds: number): bigint {
  const whole = Math.floor(milliseconds);
  return BigInt(whole) * BigInt(NS_PER_MS) + BigInt(Math.floor((milliseconds - whole) * NS_PER_MS));
}

/** How far the clock was set since this process began: `performance` does not follow it. Nothing, for what is only inexact. */
function drift(): bigint {
  const ahead = Date.now() - (performance.timeOrigin + performance.now());
  return Math.abs(ahead) < 10 ? 0n : nanoseconds(Math.abs(ahead)) * (ahead < 0 ? -1n : 1n);
}

interface Process {
  cpuUsage?(): { readonly user: number; readonly system: number };
}

function cpuMicroseconds(): bigint {
  const usage = (globalThis as { process?: Process }).process?.cpuUsage?.();
  return usage === undefined ? BigInt(Math.floor(performance.now() * 1000)) : BigInt(usage.user + usage.system);
}
