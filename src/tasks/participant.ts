/** Who waits: what a wait and the search for deadlocks have to know of a task. */

import { watchGuests } from "../coroutine/guest-trace.ts";
import type { GuestOwner, GuestTrace } from "../coroutine/guest-trace.ts";
import { makeAsyncContext } from "../platform/async-context.ts";
import type { AsyncContext } from "../platform/async-context.ts";

/** A pending wait, in the list of its participant. */
export interface PendingWait {
  readonly reason: WaitReason;
  /** Whether a cancellation or a deadlock may end it. */
  readonly isShielded: boolean;
  /** Whether a signal of somebody else, or a timer, may end it. */
  readonly hasSignal: boolean;
  nextOfParticipant: PendingWait | undefined;
  previousOfParticipant: PendingWait | undefined;
  fail(error: unknown): void;
}

/** What a wait is for. */
export interface WaitReason {
  /** For people: `"Mutex accounts"`. */
  describe(): string;
  /** Whether a timer or a promise may end it: something that is no task. */
  readonly isExternal: boolean;
  /** Those who all have to let go before it can end; `undefined`: anybody may end it. */
  holders(): Iterable<Participant> | undefined;
}

let lastId = 0;
/** Ends of a list of all that have not ended: cheaper than a set when there are a million. */
let firstLiving: Participant | undefined;
let lastLiving: Participant | undefined;

/** All that have not ended, in the order in which they were made. */
export function livingParticipants(): Participant[] {
  const living: Participant[] = [];
  for (let each = firstLiving; each !== undefined; each = each.nextLiving) living.push(each);
  return living;
}

function addLiving(participant: Participant): void {
  participant.previousLiving = lastLiving;
  if (lastLiving === undefined) firstLiving = participant;
  else lastLiving.nextLiving = participant;
  lastLiving = participant;
}

function removeLiving(participant: Participant): void {
  const { nextLiving, previousLiving } = participant;
  if (previousLiving === undefined) firstLiving = nextLiving;
  else previousLiving.nextLiving = nextLiving;
  if (nextLiving === undefined) lastLiving = previousLiving;
  else nextLiving.previousLiving = previousLiving;
  participant.nextLiving = undefined;
  participant.previousLiving = undefined;
}

/** A task, as seen by what it waits for. */
export class Participant implements GuestOwner {
  readonly id: number = ++lastId;
  nextLiving: Participant | undefined;
  previousLiving: Participant | undefined;
  hasEnded = false;
  /** When it was made, by `performance.now()`. */
  readonly madeAt: number = performance.now();
  readonly isShielded = false;
  /** Set when it has been cancelled. */
  cancellation: { readonly reason: unknown } | undefined;
  hasStarted = false;
  /** Whether its code does one thing after the other, as a coroutine does, and a call of a guest. */
  isSequential = false;
  firstWait: PendingWait | undefined;
  /** Calls of guests on its behalf that have not ended. */
  guests: Set<GuestTrace> | undefined;
  #listeners: Set<(reason: unknown) => void> | undefined;
  #controller: AbortController | undefined;
  readonly #name: string | undefined;

  constructor(name: string | undefined) {
    this.#name = name;
    addLiving(this);
  }

  get name(): string {
    return this.#name ?? `task ${this.id}`;
  }

  /** Itself: it is the context of its code. */
  get participant(): this {
    return this;
  }

  /** Aborts when it is cancelled. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      bySignal.set(this.#controller.signal, this);
      if (this.cancellation !== undefined) this.#controller.abort(this.cancellation.reason);
    }
    return this.#controller.signal;
  }

  /** Ends its waits and refuses further ones. Only the first reason counts. */
  cancel(reason: unknown): void {
    if (this.cancellation !== undefined || this.hasEnded) return;
    this.cancellation = { reason };
    this.failWaits(reason);
    for (const listener of this.#listeners ?? []) listener(reason);
    this.#controller?.abort(reason);
  }

  failWaits(error: unknown): void {
    let wait = this.firstWait;
    while (wait !== undefined) {
      // The next one is read before: a wait that ends leaves the list.
      const next: PendingWait | undefined = wait.nextOfParticipant;
      if (!wait.isShielded) wait.fail(error);
      wait = next;
    }
  }

  /** @returns what forgets the listener */
  onCancel(listener: (reason: unknown) => void): () => void {
    const listeners = (this.#listeners ??= new Set());
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.#listeners = undefined;
    removeLiving(this);
  }

  guestStarted(guest: GuestTrace): void {
    (this.guests ??= new Set()).add(guest);
  }

  guestEnded(guest: GuestTrace): void {
    this.guests?.delete(guest);
  }

  addWait(wait: PendingWait): void {
    wait.nextOfParticipant = this.firstWait;
    if (this.firstWait !== undefined) this.firstWait.previousOfParticipant = wait;
    this.firstWait = wait;
  }

  removeWait(wait: PendingWait): void {
    if (wait.previousOfParticipant === undefined) this.firstWait = wait.nextOfParticipant;
    else wait.previousOfParticipant.nextOfParticipant = wait.nextOfParticipant;
    if (wait.nextOfParticipant !== undefined) wait.nextOfParticipant.previousOfParticipant = wait.previousOfParticipant;
    wait.nextOfParticipant = undefined;
    wait.previousOfParticipant = undefined;
  }
}

/** On whose behalf code runs: a participant, or one whose cancellation does not count there. */
export interface TaskContext {
  readonly participant: Participant;
  readonly isShielded: boolean;
}

const bySignal = new WeakMap<AbortSignal, Participant>();
/** `null`: not made yet. */
let asyncContext: AsyncContext<TaskContext | undefined> | undefined | null = null;
/** Where the platform has no asynchronous context: right until the first `await` of a task's code. */
let synchronous: TaskContext | undefined;

/** Whose signal this is. */
export function participantOf(signal: AbortSignal): Participant | undefined {
  return bySignal.get(signal);
}

export function currentContext(): TaskContext | undefined {
  return asyncContext ? asyncContext.getStore() : synchronous;
}

/**
 * Calls `listener` when the task is cancelled on whose behalf code runs now, except in a shield.
 *
 * @returns what forgets the listener
 */
export function onCancelAround(listener: (reason: unknown) => void): () => void {
  const context = currentContext();
  return context === undefined || context.isShielded ? () => {} : context.participant.onCancel(listener);
}

/**
 * Runs what follows a wait. The platform's asynchronous context, where there is one, is kept by whoever has waited; where there is none,
 * what runs until the next wait is known to be the task's.
 */
export function continueWithin<Result>(context: TaskContext | undefined, goOn: () => Result): Result {
  return asyncContext ? goOn() : runWithin(context, goOn);
}

/** What ends the guests that code calls which runs now. */
function signalOfCalls(): AbortSignal | undefined {
  const context = currentContext();
  return context === undefined || context.isShielded ? undefined : context.participant.signal;
}

/** Runs `body`, and what follows it after each `await`, on behalf of a task. */
export function runWithin<Result>(context: TaskContext | undefined, body: () => Result): Result {
  if (asyncContext === null) {
    asyncContext = makeAsyncContext();
    watchGuests(() => currentContext()?.participant, signalOfCalls);
  }
  if (asyncContext !== undefined) return asyncContext.run(context, body);
  const outer = synchronous;
  synchronous = context;
  try {
    return body();
  } finally {
    synchronous = outer;
  }
}
