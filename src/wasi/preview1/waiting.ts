/** How a call waits for a descriptor. */

import { nextTurn, timeInTurn } from "../../platform/event-loop.ts";
import type { Soon } from "../host/file-system.ts";
import type { Descriptor, Direction, Waiting } from "./descriptor.ts";
import { Errno } from "./errno.ts";
import { FD_FLAGS } from "./layout.ts";

/** Thrown again and again, without the cost of making it. */
const WOULD_WAIT = new Errno("EAGAIN");

/**
 * Calls `attempt` now, and again whenever `descriptor` may have become ready, until it has an answer or throws. If the descriptor is
 * not to wait, `EAGAIN` is the answer.
 *
 * Nothing is settled, and nothing watched any more, once `call` is not waited for: its program goes on with something else.
 *
 * @param attempt answers `undefined` while it would have to wait
 */
export function whenReady<Answer>(
  descriptor: Descriptor,
  direction: Direction,
  call: Waiting,
  attempt: () => Answer | undefined,
): Soon<Answer> {
  const answer = attempt();
  if (answer !== undefined) return answer;
  return (descriptor.flags & FD_FLAGS.nonblock) === 0
    ? waitFor(descriptor, direction, call, attempt)
    : tryOnceMore(call, attempt);
}

function waitFor<Answer>(
  descriptor: Descriptor,
  direction: Direction,
  { signal }: Waiting,
  attempt: () => Answer | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return;
    const wake = (): void => {
      try {
        const answer = attempt();
        if (answer === undefined) return;
        resolve(answer);
      } catch (error) {
        reject(error);
      }
      stop();
    };
    const unwatch = descriptor.watch(direction, wake);
    const stop = (): void => {
      unwatch();
      signal?.removeEventListener("abort", stop);
    };
    signal?.addEventListener("abort", stop);
  });
}

/** `answer`, and `giveUp` if the call is not waited for any more before that has come. */
export async function whileWanted<Answer>(
  answer: Promise<Answer>,
  { signal }: Waiting,
  giveUp: () => unknown,
): Promise<Answer> {
  signal?.addEventListener("abort", giveUp);
  try {
    return await answer;
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
}

/** A program that asks and asks without waiting in between must not keep from happening what it asks for. */
function tryOnceMore<Answer>(call: Waiting, attempt: () => Answer | undefined): Promise<Answer> {
  const turn = giveWay(call);
  if (turn === undefined) throw WOULD_WAIT;
  return turn.then(() => {
    const answer = call.signal?.aborted === true ? undefined : attempt();
    if (answer === undefined) throw WOULD_WAIT;
    return answer;
  });
}

/** Milliseconds that programs together may ask for what is there, or in vain, before the event loop turns. */
const MAX_TURN_MS = 5;

/** Lets the event loop turn if it has not for a while; `undefined`: it need not, or cannot. */
export function giveWay({ canWait }: Waiting): Promise<void> | undefined {
  return timeInTurn(performance.now()) < MAX_TURN_MS || !canWait ? undefined : nextTurn();
}
