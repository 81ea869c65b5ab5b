/** Finds tasks that wait for each other, so that none of them can ever go on. */

import { runInNextTurn } from "../platform/event-loop.ts";
import { livingParticipants } from "./participant.ts";
import type { Participant, PendingWait } from "./participant.ts";

/** A task that is stuck, and in what. */
export interface StuckTask {
  readonly id: number;
  readonly name: string;
  readonly waitingFor: string;
}

/** So many are named in the message; all of them are in {@link DeadlockError.tasks}. */
const MAX_NAMED = 50;

/** Tasks, or threads of a program, wait for each other, and nothing else can wake them. Each of the tasks is told. */
export class DeadlockError extends Error {
  override readonly name = "DeadlockError";
  readonly tasks: readonly StuckTask[];

  constructor(tasks: readonly StuckTask[], kind: "tasks" | "threads" = "tasks") {
    const lines = tasks.slice(0, MAX_NAMED).map(({ name, waitingFor }) => `  ${name} waits for ${waitingFor}`);
    if (tasks.length > MAX_NAMED) lines.push(`  and ${tasks.length - MAX_NAMED} more`);
    super([`Cannot go on: the ${kind} wait for each other`, ...lines].join("\n"));
    this.tasks = tasks;
  }
}

/** So many functions are named, the innermost ones. */
const MAX_FRAMES = 8;

function mayEndOtherwise(wait: PendingWait): boolean {
  return wait.reason.isExternal || wait.hasSignal;
}

/** What a participant waits for that nothing can end but another one: none, if something else may have it go on. */
function waitsForOthers({ firstWait }: Participant): readonly PendingWait[] {
  const waits: PendingWait[] = [];
  for (let wait = firstWait; wait !== undefined; wait = wait.nextOfParticipant) {
    if (mayEndOtherwise(wait)) return [];
    waits.push(wait);
  }
  return waits.toReversed();
}

/** Of a participant that can only be woken by others: what it waits for. Otherwise `undefined`. */
export function onlyWait({ firstWait: wait }: Participant): PendingWait | undefined {
  // With several waits at once it may go on when one of them is over.
  if (wait === undefined || wait.nextOfParticipant !== undefined) return undefined;
  return mayEndOtherwise(wait) ? undefined : wait;
}

/** Those that have begun to wait for somebody who waits: only they can have closed a ring. */
let suspects: Participant[] = [];

/**
 * Called when a participant has begun to wait. In a ring of locks and joins each waits for the next one, and none lets go before it
 * goes on itself: that is found in the next turn of the event loop, whatever the other tasks do.
 */
export function noteBlocked(participant: Participant): void {
  watchForExit();
  for (const holder of onlyWait(participant)?.reason.holders() ?? []) {
    if (onlyWait(holder) === undefined) continue;
    if (suspects.push(participant) === 1) runInNextTurn(checkSuspects);
    return;
  }
}

/**
 * Those who have to let go before `participant` can go on. Whether it waits for itself can only be told of code that does one thing after
 * the other: in an async function it may be another one, beside it in a `Promise.all`, that has the lock and will let go.
 */
function* holdersOf(participant: Participant): Generator<Participant, undefined> {
  for (const holder of onlyWait(participant)?.reason.holders() ?? []) {
    if (holder !== participant || participant.isSequential) yield holder;
  }
}

/** Looks at each participant once, however many suspects lead to it: those that wait in a long line cost no more than their number. */
function checkSuspects(): void {
  const roots = suspects;
  suspects = [];
  const seen = new Set<Participant>();
  for (const root of roots) {
    const ring = seen.has(root) ? undefined : findRing(root, seen);
    if (ring !== undefined) rejectStuck(ring);
  }
}

/** Participants that can be reached from `root`, each waiting for the next, the last for the first. */
function findRing(root: Participant, seen: Set<Participant>): readonly Participant[] | undefined {
  seen.add(root);
  const path = [{ participant: root, holders: holdersOf(root) }];
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const next = top.holders.next();
    if (next.done === true) {
      path.pop();
      continue;
    }
    const holder = next.value;
    if (seen.has(holder)) {
      const start = path.findIndex(({ participant }) => participant === holder);
      if (start >= 0) return path.slice(start).map(({ participant }) => participant);
      continue;
    }
    seen.add(holder);
    path.push({ participant: holder, holders: holdersOf(holder) });
  }
  return undefined;
}

/** In which functions of guests it waits, as far as that is known: where it comes to a stop is what it takes to find the mistake. */
function placeOf({ guests }: Participant): string {
  const frames = [...(guests ?? [])].flatMap((guest) => guest.frames);
  return frames.length === 0 ? "" : `, in ${frames.slice(0, MAX_FRAMES).join(" < ")}`;
}

/**
 * Tells those of them that can only be woken by each other. One that waits in a shield has something to finish first, the end of a scope
 * perhaps: it is told only if nobody else can be, and is woken by what the others do otherwise.
 */
export function rejectStuck(participants: readonly Participant[]): void {
  const stuck = participants
    .map((participant) => ({ participant, waits: waitsForOthers(participant) }))
    .filter(({ waits }) => waits.length > 0);
  const error = new DeadlockError(
    stuck.map(({ participant, waits }) => ({
      id: participant.id,
      name: participant.name,
      waitingFor: `${waits.map(({ reason }) => reason.describe()).join(" and ")}${placeOf(participant)}`,
    })),
  );
  const waits = stuck.flatMap((each) => each.waits);
  const open = waits.filter(({ isShielded }) => !isShielded);
  for (const wait of open.length > 0 ? open : waits) wait.fail(error);
}

interface ProcessEvents {
  readonly on?: (event: "beforeExit", listener: () => void) => unknown;
}

let isWatching = false;
/** Those that were told because the event loop was empty. */
const told = new WeakSet<Participant>();

/** Node emits `beforeExit` when its event loop is empty: whoever waits for another task then waits for ever. */
function watchForExit(): void {
  if (isWatching) return;
  isWatching = true;
  const { process } = globalThis as { process?: ProcessEvents };
  process?.on?.("beforeExit", () => {
    const stuck = livingParticipants().filter((participant) => waitsForOthers(participant).length > 0);
    if (stuck.length === 0) return;
    // What follows may come to a stop again before there is any work for the event loop. But whoever was told and waits all the same, in
    // a loop that catches everything for one, does not keep the process from ending.
    if (stuck.some((participant) => !told.has(participant))) runInNextTurn(() => {});
    for (const participant of stuck) told.add(participant);
    rejectStuck(stuck);
  });
}
