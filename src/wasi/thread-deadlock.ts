/** Says where the threads of a program are that wait for each other. */

import type { OwnWaits } from "../atomics/wait-lines.ts";
import type { GuestTrace } from "../coroutine/guest-trace.ts";
import { guestFrames } from "../link/guest-frames.ts";
import { nextTurn } from "../platform/event-loop.ts";
import { DeadlockError } from "../tasks/deadlock.ts";

/** Turns of the event loop in which all threads should have said where they are: one is enough, if nobody else computes. */
const MOST_TURNS = 100;

/** Where a thread waits, and the functions on its stack: as far as the engine knows them, and the backend. */
interface Place {
  readonly address: number;
  readonly frames: readonly string[];
}

/**
 * All threads wait in `waits` for another one; `ids` are the numbers of their instances. They are woken for a moment, to look at their
 * stacks, and wait again.
 */
export async function deadlockOf(
  waits: OwnWaits,
  ids: ReadonlyMap<unknown, number>,
  traces: ReadonlyMap<number, GuestTrace>,
): Promise<DeadlockError> {
  const places = new Map<number, Place>();
  waits.onWait = (owner, address, stack) => {
    const id = ids.get(owner);
    if (id !== undefined) places.set(id, { address, frames: guestFrames(stack) });
  };
  waits.callAgain();
  for (let turn = 0; turn < MOST_TURNS && places.size < ids.size; turn++) {
    // oxlint-disable-next-line no-await-in-loop -- one turn after the other
    await nextTurn();
  }
  waits.onWait = undefined;
  const stuck = [...ids.values()].toSorted((a, b) => a - b);
  return new DeadlockError(
    stuck.map((id) => ({ id, name: nameOf(id), waitingFor: waitText(places.get(id), traces.get(id)) })),
    "threads",
  );
}

function nameOf(id: number): string {
  return id === 0 ? "the main thread" : `thread ${id}`;
}

function waitText(place: Place | undefined, trace: GuestTrace | undefined): string {
  if (place === undefined) return "another thread";
  const saved = trace?.frames ?? [];
  // The innermost function is what stands for the instruction.
  const frames = (saved.length > 0 ? saved : place.frames).slice(1);
  const text = `the value at address 0x${place.address.toString(16)}`;
  return frames.length === 0 ? text : `${text}, in ${frames.join(" < ")}`;
}
