/** Finds tasks that wait for each other, so that none of them can ever go on. */

import { livingParticipants } from "./participant.ts";
import type { Participant, PendingWait } from "./participant.ts";

/** A task that is stuck, and in what. */
export interface StuckTask {
  readonly id: number;
  readonly name: string;
  readonly waitingFor: string;
}

/** Tasks wait for each other, and nothing else can wake them. Each of them is told. */
export class DeadlockError extends Error {
  override readonly name = "DeadlockError";
  readonly tasks: readonly StuckTask[];

  constructor(tasks: readonly StuckTask[]) {
    const lines = tasks.map(({ name, waitingFor }) => `  ${name} waits for ${waitingFor}`);
    super(["Cannot go on: the tasks wait for each other", ...lines].join("\n"));
    this.tasks = tasks;
  }
}

/** Of a participant that can only be woken by others: what it waits for. Otherwise `undefined`. */
function onlyWait({ firstWait: wait }: Participant): PendingWait | undefined {
  // With several waits at once it may go on when one of them is over.
  if (wait === undefined || wait.nextOfParticipant !== undefined) return undefined;
  return wait.reason.isExternal || wait.hasSignal ? undefined : wait;
}

/**
 * Called when a participant has begun to wait. In a ring of locks and joins each waits for the next one, and none lets go before it
 * goes on itself: that is found at once, whatever the other tasks do.
 */
export function noteBlocked(participant: Participant): void {
  watchForExit();
  const ring = findRing(participant);
  if (ring !== undefined) reject(ring);
}

/** The participants from `start` back to itself, each waiting for the next. */
function findRing(start: Participant): readonly Participant[] | undefined {
  const seen = new Set<Participant>();
  const path: Participant[] = [];
  const visit = (participant: Participant): boolean => {
    if (participant === start && path.length > 0) return true;
    if (seen.has(participant)) return false;
    seen.add(participant);
    const holders = onlyWait(participant)?.reason.holders();
    if (holders === undefined) return false;
    path.push(participant);
    for (const holder of holders) if (visit(holder)) return true;
    path.pop();
    return false;
  };
  return visit(start) ? path : undefined;
}

function reject(participants: readonly Participant[]): void {
  const stuck = participants.flatMap((participant) => {
    const wait = onlyWait(participant);
    return wait === undefined ? [] : [{ participant, wait }];
  });
  const error = new DeadlockError(
    stuck.map(({ participant: { id, name }, wait }) => ({ id, name, waitingFor: wait.reason.describe() })),
  );
  for (const { wait } of stuck) wait.fail(error);
}

interface ProcessEvents {
  readonly on?: (event: "beforeExit", listener: () => void) => unknown;
}

let isWatching = false;

/** Node emits `beforeExit` when its event loop is empty: whoever waits for another task then waits for ever. */
function watchForExit(): void {
  if (isWatching) return;
  isWatching = true;
  const { process } = globalThis as { process?: ProcessEvents };
  process?.on?.("beforeExit", () => {
    const stuck = [...livingParticipants()].filter((participant) => onlyWait(participant) !== undefined);
    if (stuck.length > 0) reject(stuck);
  });
}
