/** Waiting for the time. */

import type { Pending } from "../coroutine/pending.ts";
import { Timer } from "../platform/timer.ts";
import type { WaitReason } from "./participant.ts";
import { Wait, requireAllowed } from "./wait.ts";
import type { Place, WaitOptions } from "./wait.ts";

const reason: WaitReason = { isExternal: true, describe: () => "a timer", holders: () => undefined };

/** A timer as something to stand in line for: it is cleared when the wait has ended otherwise. */
class TimerPlace implements Place {
  nextPlace: Place | undefined;
  readonly #timer: Timer;

  constructor(ms: number, onEnd: () => void) {
    this.#timer = new Timer(ms, onEnd);
  }

  leave(): void {
    this.#timer.clear();
  }
}

/** @throws {RangeError} when that is no time to wait */
export function checkMs(ms: number): void {
  if (!(ms >= 0)) throw new RangeError(`Cannot wait for ${ms} ms: expected 0 or more`);
}

/** Ends a wait after that many milliseconds; nothing ends it if they are `Infinity`. */
export function endAfter(wait: Wait<unknown>, ms: number, end: () => void): void {
  if (ms !== Infinity) wait.addPlace(new TimerPlace(ms, end));
}

/** Ends a wait for something else with `error` after that many milliseconds. */
export function failAfter(wait: Wait<unknown>, ms: number, error: unknown): void {
  wait.hasTimer = true;
  endAfter(wait, ms, () => wait.fail(error));
}

/** Waits for that many milliseconds; 0 is a turn of the event loop. */
export function sleep(ms: number, options?: WaitOptions): Promise<void> {
  checkMs(ms);
  try {
    return sleepSoon(ms, options).promise;
  } catch (error) {
    return Promise.reject(error);
  }
}

/** {@link sleep} for host functions of guests. */
export function sleepSoon(ms: number, options?: WaitOptions): Pending<void> {
  checkMs(ms);
  requireAllowed(options);
  const wait = new Wait<void>(reason, options);
  endAfter(wait, ms, () => wait.succeed(undefined));
  return wait.begin();
}
