/** What all tasks are doing. */

import { livingParticipants } from "./participant.ts";
import type { Participant } from "./participant.ts";

/** A task that has not ended. */
export interface TaskReport {
  readonly id: number;
  readonly name: string;
  readonly state: "ready" | "running" | "waiting";
  /** Milliseconds since it was made. */
  readonly ageMs: number;
  /** What it waits for of this library; several, if it waits for several things at once. */
  readonly waitingFor: readonly string[];
  readonly isCancelled: boolean;
  /** Guests that were called in it, and have not ended. */
  readonly guests: readonly GuestReport[];
}

/** A call of a guest. */
export interface GuestReport {
  /** The import that it waits in, as `module.name`; `undefined` while it runs. */
  readonly awaitedImport: string | undefined;
  /**
   * Names of the functions on its stack, the innermost first. Empty on backend `jspi`, whose stacks are the engine's; on `transform`
   * functions are missing that have nothing left to do but to return what they have called.
   */
  readonly frames: readonly string[];
}

/** All tasks that have not ended, the oldest first. */
export function dump(): readonly TaskReport[] {
  const now = performance.now();
  return livingParticipants().map((participant) => reportOf(participant, now));
}

function reportOf(participant: Participant, now: number): TaskReport {
  const { id, name, madeAt, hasStarted, cancellation } = participant;
  const waitingFor: string[] = [];
  for (let wait = participant.firstWait; wait !== undefined; wait = wait.nextOfParticipant) {
    waitingFor.unshift(wait.reason.describe());
  }
  const started = waitingFor.length > 0 ? "waiting" : "running";
  const state = hasStarted ? started : "ready";
  const guests = [...(participant.guests ?? [])].map(({ awaitedImport, frames }) => ({ awaitedImport, frames }));
  return { id, name, state, ageMs: now - madeAt, waitingFor, isCancelled: cancellation !== undefined, guests };
}
