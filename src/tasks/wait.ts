/**
 * One pending operation: of a task, or of code outside any.
 *
 * Whoever is first ends it: what it waits for, its signal, or the cancellation of its task. It then leaves the queues in which it has
 * places, forgets its signal, and its promise is told, or the guest that waits for it; nothing of it stays behind.
 */

import { Pending } from "../coroutine/pending.ts";
import type { Waiter } from "../coroutine/pending.ts";
import { noteBlocked } from "./deadlock.ts";
import { continueWithin, currentContext, participantOf } from "./participant.ts";
import type { Participant, PendingWait, TaskContext, WaitReason } from "./participant.ts";
import { resumeLater } from "./scheduler.ts";
import type { Resumption } from "./scheduler.ts";

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

/**
 * Who waits. A task's own signal says it where the platform cannot, and that its cancellation counts in a shield, too; that of another
 * task, the body of the scope around it for instance, is a signal like any other.
 */
function contextOf(options: WaitOptions | undefined): TaskContext | undefined {
  const current = currentContext();
  const { signal } = options ?? {};
  const owner = signal && participantOf(signal);
  return current === undefined || owner === current.participant ? (owner ?? current) : current;
}

/** What an operation has to be refused with: its signal has aborted, or its task is cancelled. */
export function refusalOf(options: WaitOptions | undefined): { readonly reason: unknown } | undefined {
  if (options?.signal?.aborted === true) return { reason: options.signal.reason as unknown };
  const context = contextOf(options);
  return context === undefined || context.isShielded ? undefined : context.participant.cancellation;
}

/** @throws what an operation has to be refused with */
export function requireAllowed(options: WaitOptions | undefined): void {
  const refusal = refusalOf(options);
  if (refusal !== undefined) throw refusal.reason;
}

/** The task on whose behalf an operation is done. */
export function participantFor(options: WaitOptions | undefined): Participant | undefined {
  return contextOf(options)?.participant;
}

/** How a wait has ended. */
interface Outcome {
  readonly isError: boolean;
  readonly value: unknown;
}

export class Wait<Value> extends Pending<Value> implements PendingWait, Resumption {
  readonly reason: WaitReason;
  /** Whether a timer may end it. */
  hasTimer = false;
  nextOfParticipant: PendingWait | undefined;
  previousOfParticipant: PendingWait | undefined;
  readonly #context: TaskContext | undefined;
  /** Takes what nobody was there to be given. */
  readonly #takeBack: ((value: unknown) => void) | undefined;
  #firstPlace: Place | undefined;
  /** Who is told: that of its promise, or a guest. */
  #waiter: Waiter | undefined;
  #promise: Promise<Value> | undefined;
  #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined;
  #outcome: Outcome | undefined;
  #isTold = false;

  constructor(reason: WaitReason, options: WaitOptions | undefined, takeBack?: (value: Value) => void) {
    super();
    this.reason = reason;
    this.#context = contextOf(options);
    this.#takeBack = takeBack as ((value: unknown) => void) | undefined; // succeed() gives it values of this type
    const { signal } = options ?? {};
    const { participant } = this;
    // Its participant ends it without that.
    if (signal !== undefined && (participant === undefined || participantOf(signal) !== participant))
      this.#listenTo(signal);
    participant?.addWait(this);
  }

  get participant(): Participant | undefined {
    return this.#context?.participant;
  }

  get isShielded(): boolean {
    return this.#context?.isShielded === true;
  }

  get hasSignal(): boolean {
    return this.#signal !== undefined || this.hasTimer;
  }

  get isOver(): boolean {
    return this.#outcome !== undefined;
  }

  addPlace(place: Place): void {
    place.nextPlace = this.#firstPlace;
    this.#firstPlace = place;
  }

  /** To be called when all its places are taken: looks whether it can ever end. */
  begin(): this {
    const { participant } = this;
    if (participant !== undefined && !this.isOver) noteBlocked(participant);
    return this;
  }

  override get promise(): Promise<Value> {
    this.#promise ??= new Promise<Value>((resolve, reject) => {
      this.#waiter = { resolve, reject };
      if (this.isOver) this.deliver();
    });
    return this.#promise;
  }

  override subscribe(waiter: Waiter): void {
    this.#waiter = waiter;
    if (this.isOver) resumeLater(this);
  }

  override abandon(): void {
    const outcome = this.#outcome;
    this.#waiter = undefined;
    if (this.#isTold) return;
    this.#isTold = true;
    if (outcome === undefined) this.#end({ isError: true, value: undefined }, true);
    else if (!outcome.isError) this.#takeBack?.(outcome.value);
  }

  /** Tells whoever waits. */
  deliver(): void {
    const outcome = this.#outcome;
    const waiter = this.#waiter;
    if (outcome === undefined || waiter === undefined || this.#isTold) return;
    this.#isTold = true;
    if (this.#promise !== undefined) tell(waiter, outcome);
    else continueWithin(this.#context, () => tell(waiter, outcome));
  }

  succeed(value: Value): void {
    this.#settle({ isError: false, value }, false);
  }

  /** It has come to its end, but with an error. */
  throw(error: unknown): void {
    this.#settle({ isError: true, value: error }, false);
  }

  /** It is interrupted. */
  fail(error: unknown): void {
    this.#settle({ isError: true, value: error }, true);
  }

  #settle(outcome: Outcome, isAbandoned: boolean): void {
    if (this.isOver) return;
    this.#end(outcome, isAbandoned);
    if (this.#promise !== undefined) this.deliver();
    else if (this.#waiter !== undefined) resumeLater(this);
  }

  #end(outcome: Outcome, isAbandoned: boolean): void {
    this.#outcome = outcome;
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

function tell(waiter: Waiter, { isError, value }: Outcome): void {
  if (isError) waiter.reject(value);
  else waiter.resolve(value);
}
