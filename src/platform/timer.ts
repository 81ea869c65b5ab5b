/** A timer for any time: the platform's count 32-bit milliseconds, and fire at once if it is more. */

const LONGEST_MS = 2 ** 31 - 1;

export class Timer {
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Calls `onEnd` after so many milliseconds; never if they are `Infinity`. */
  constructor(ms: number, onEnd: () => void) {
    const set = (leftMs: number): void => {
      const stepMs = Math.min(leftMs, LONGEST_MS);
      this.#timer = setTimeout(() => (leftMs > stepMs ? set(leftMs - stepMs) : onEnd()), stepMs);
    };
    if (ms !== Number.POSITIVE_INFINITY) set(ms);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
