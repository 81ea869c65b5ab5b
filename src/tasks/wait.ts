/**
 * One pending operation: of a task, or of code outside any.
 *
 * Whoever is first ends it: what it waits for, its signal, or the cancellation of its task. It then leaves the queues in which it has
 * places, forgets its signal, and its promise is told; nothing of it stays behind.
 */

import { noteBlocked } from "./deadlock.ts";
import { currentContext, participantOf } from "./participant.ts";
import type { Participant, PendingWait, TaskContext, WaitReason } from "./participant.ts";

export interface WaitOptions {
  /** Ends the wait: the operation rejects with its reason, and has not happened. */
  readonly signal?: AbortSignal | undefined;
}

/** Where a wait stands in line. */
export interface Place {
  nextPlace: Place | undefined;
  /** `isAbandoned`: what it stood there for has not happened. */
  leave(isAbandoned: boolean): void;
}

function contextOf(options: WaitOptions | undefined): TaskContext | undefined {
  const { signal } = options ?? {};
  // A task's own signal says who waits, also where the platform cannot.
  return (signal && participantOf(signal)) ?? currentContext();
}

/** What an operation has to be refused with: its signal has aborted, or its task is cancelled. */
export function refusalOf(options: WaitOptions | undefined): { readonly reason: unknown } | undefined {
  if (options?.signal?.aborted === true) return { reason: options.signal.reason as unknown };
  const context = contextOf(options);
  return context === undefined || context.isShielded ? undefined : context.participant.cancellation;
}

/** The task on whose behalf an operation is done. */
export function participantFor(options: WaitOptions | undefined): Participant | undefined {
  return contextOf(options)?.participant;
}

export class Wait<Value> implements PendingWait {
  readonly reason: WaitReason;
  readonly promise: Promise<Value>;
  readonly participant: Participant | undefined;
  readonly isShielded: boolean;
  nextOfParticipant: PendingWait | undefined;
  previousOfParticipant: PendingWait | undefined;
  #firstPlace: Place | undefined;
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;
  #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined;
  #isOver = false;

  constructor(reason: WaitReason, options: WaitOptions | undefined) {
    const context = contextOf(options);
    this.reason = reason;
    this.participant = context?.participant;
    this.isShielded = context?.isShielded === true;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve as (value: unknown) => void; // succeed() takes nothing but values
      this.#reject = reject;
    });
    const { signal } = options ?? {};
    if (signal !== undefined && participantOf(signal) === undefined) this.#listenTo(signal);
    this.participant?.addWait(this);
  }

  get hasSignal(): boolean {
    return this.#signal !== undefined;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  addPlace(place: Place): void {
    place.nextPlace = this.#firstPlace;
    this.#firstPlace = place;
  }

  /** To be called when all its places are taken: looks whether it can ever end. */
  begin(): Promise<Value> {
    if (this.participant !== undefined && !this.#isOver) noteBlocked(this.participant);
    return this.promise;
  }

  succeed(value: Value): void {
    if (this.#isOver) return;
    this.#end(false);
    this.#resolve(value);
  }

  /** It has come to its end, but with an error. */
  throw(error: unknown): void {
    if (this.#isOver) return;
    this.#end(false);
    this.#reject(error);
  }

  /** It is interrupted. */
  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#end(true);
    this.#reject(error);
  }

  #end(isAbandoned: boolean): void {
    this.#isOver = true;
    this.participant?.removeWait(this);
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener("abort", this.#onAbort);
    let place = this.#firstPlace;
    this.#firstPlace = undefined;
    while (place !== undefined) {
      const { nextPlace } = place;
      place.leave(isAbandoned);
      place = nextPlace;
    }
  }

  #listenTo(signal: AbortSignal): void {
    this.#signal = signal;
    this.#onAbort = () => this.fail(signal.reason);
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }
}
