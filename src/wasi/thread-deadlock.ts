/** Says where the threads of a program are that wait for each other. */

import type { OwnWaits } from "../atomics/wait-lines.ts";
import { guestFrames } from "../link/guest-frames.ts";
import { nextTurn } from "../platform/event-loop.ts";
import { DeadlockError } from "../tasks/deadlock.ts";

/** Turns of the event loop in which all threads should have said where they are: one is enough, if nobody else computes. */
const MOST_TURNS = 100;

/**
 * All threads wait in `waits` for another one; `ids` are the numbers of their instances. They are woken for a moment, to look at their
 * stacks, and wait again.
 */
export async function deadlockOf(waits: OwnWaits, ids: ReadonlyMap<unknown, number>): Promise<DeadlockError> {
  const places = new Map<number, string>();
  waits.onWait = (owner, address, stack) => {
    const id = ids.get(owner);
    // The innermost function is what stands for the instruction.
    if (id !== undefined) places.set(id, placeText(address, guestFrames(stack).slice(1)));
  };
  waits.callAgain();
  for (let turn = 0; turn < MOST_TURNS && places.size < ids.size; turn++) {
    // oxlint-disable-next-line no-await-in-loop -- one turn after the other
    await nextTurn();
  }
  waits.onWait = undefined;
  const stuck = [...ids.values()].toSorted((a, b) => a - b);
  return new DeadlockError(
    stuck.map((id) => ({ id, name: nameOf(id), waitingFor: places.get(id) ?? "another thread" })),
    "threads",
  );
}

function nameOf(id: number): string {
  return id === 0 ? "the main thread" : `thread ${id}`;
}

function placeText(address: number, frames: readonly string[]): string {
  const place = `the value at address 0x${address.toString(16)}`;
  return frames.length === 0 ? place : `${place}, in ${frames.join(" < ")}`;
}
