/** What guests are told: 0 or what they asked for, or minus the number of an error. */

import { ChannelClosedError } from "../tasks/channel.ts";
import { ERRNO, Errno } from "../wasi/preview1/errno.ts";

export const OK = 0;

/** Thrown where an operation has waited for as long as the guest wanted. */
export const timedOut: Errno = new Errno("ETIMEDOUT");

export const WOULD_WAIT: number = -ERRNO.EAGAIN;
export const WAS_CANCELLED: number = -ERRNO.ECANCELED;
export const IS_CLOSED: number = -ERRNO.EPIPE;

/** The number for `error`; `undefined`: it is none of an operation, and goes through the guest as an exception. */
export function statusOf(error: unknown): number | undefined {
  if (error instanceof Errno) return -error.number;
  return error instanceof ChannelClosedError ? IS_CLOSED : undefined;
}

/** @throws whatever is no error of an operation */
export function statusOrThrow(error: unknown): number {
  const status = statusOf(error);
  if (status === undefined) throw error;
  return status;
}
