/** Ends a call when its signal aborts or its time is over. */

import { ForcedUnwind } from "../coroutine/errors.ts";
import { Timer } from "../platform/timer.ts";
import type { Activation } from "./activation.ts";
import { errorBehind, isUncatchable, uncatchableTrap } from "./uncatchable-trap.ts";

/** What a call may be cancelled by. */
export interface CancellationOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

export interface CancellationWatch {
  /** @throws the reason, if the call was cancelled */
  throwIfCancelled(): void;
  /** What to reject with when the guest ended with `error`: the reason, if that is how the guest was ended. */
  errorFor(error: unknown): unknown;
  /** Stops to listen. To be called when the call has ended. */
  stop(): void;
}

/** @throws the signal's reason, if it has aborted already */
export function watchCancellation(
  activation: Activation,
  { signal, timeoutMs }: CancellationOptions,
): CancellationWatch {
  requireOptions(signal, timeoutMs);
  signal?.throwIfAborted();
  if (signal === undefined && timeoutMs === undefined) return UNWATCHED;
  let isCancelled = false;
  let reason: unknown;
  const cancel = (because: unknown): void => {
    if (isCancelled) return;
    isCancelled = true;
    reason = errorBehind(because);
    // Who aborts with a trap wants no more of the guest's code to run.
    const isFinal = isUncatchable(because);
    activation.cancel(isFinal ? uncatchableTrap() : new ForcedUnwind("The call was cancelled", { cause: because }));
  };
  const onAbort = (): void => cancel(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const expire = (): void => cancel(timeoutError(activation, timeoutMs!));
  const timer = timeoutMs === undefined ? undefined : new Timer(timeoutMs, expire);
  // For a guest that never lets a timer fire.
  if (timeoutMs !== undefined) activation.setDeadline({ at: performance.now() + timeoutMs, expire });
  return {
    throwIfCancelled: () => {
      if (isCancelled) throw reason;
    },
    errorFor: (error) => (isCancelled && (error === reason || activation.isEnding(error)) ? reason : error),
    stop: () => {
      timer?.clear();
      signal?.removeEventListener("abort", onAbort);
    },
  };
}

function timeoutError(activation: Activation, timeoutMs: number): DOMException {
  const { awaitedImport } = activation;
  const where = awaitedImport === undefined ? "" : `: it waits in import ${awaitedImport}`;
  return new DOMException(`The call took longer than ${timeoutMs} ms${where}`, "TimeoutError");
}

const UNWATCHED: CancellationWatch = {
  throwIfCancelled: () => {},
  errorFor: (error) => error,
  stop: () => {},
};

/** setTimeout counts 32-bit milliseconds: what is longer would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * One signal for both ways to cancel `activation`, counted from now; `undefined`: there is none.
 *
 * @throws the signal's reason, if it has aborted already
 */
export function cancellationSignal(
  activation: Activation,
  { signal, timeoutMs }: CancellationOptions,
): AbortSignal | undefined {
  requireOptions(signal, timeoutMs);
  signal?.throwIfAborted();
  if (timeoutMs === undefined) return signal;
  const signals = signal === undefined ? [] : [signal];
  if (timeoutMs <= LONGEST_TIMER_MS) signals.push(AbortSignal.timeout(Math.ceil(timeoutMs)));
  // For a guest that never lets a timer fire.
  const deadline = new AbortController();
  const expire = (): void => deadline.abort(timeoutError(activation, timeoutMs));
  activation.setDeadline({ at: performance.now() + timeoutMs, expire });
  return AbortSignal.any([...signals, deadline.signal]);
}

function requireOptions(signal: AbortSignal | undefined, timeoutMs: number | undefined): void {
  if (signal !== undefined && typeof (signal as Partial<AbortSignal> | null)?.throwIfAborted !== "function") {
    throw new TypeError(`Cannot call: signal must be an AbortSignal, received ${typeof signal}`);
  }
  if (timeoutMs !== undefined && !(typeof timeoutMs === "number" && timeoutMs >= 0)) {
    throw new RangeError(`Cannot call: timeoutMs must be 0 or more, received ${String(timeoutMs)}`);
  }
}
