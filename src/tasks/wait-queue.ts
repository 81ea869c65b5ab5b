/** Those who wait for one thing, first come first served. */

import type { WaitReason } from "./participant.ts";
import { Wait } from "./wait.ts";
import type { Place, WaitOptions } from "./wait.ts";

/** The place of one wait in a queue. */
export class Waiter<Value, Demand = undefined> implements Place {
  readonly wait: Wait<unknown>;
  /** What it wants: a value to be sent, a number of permits. */
  readonly demand: Demand;
  nextPlace: Place | undefined;
  next: Waiter<Value, Demand> | undefined;
  previous: Waiter<Value, Demand> | undefined;
  readonly #queue: WaitQueue<Value, Demand>;
  /** In a `select`: which of its cases this is. */
  readonly #asResult: ((value: Value) => unknown) | undefined;

  constructor(queue: WaitQueue<Value, Demand>, { wait, demand, asResult }: Joining<Value, Demand>) {
    this.#queue = queue;
    this.wait = wait;
    this.demand = demand;
    this.#asResult = asResult;
  }

  /** Gives it what it has waited for. */
  succeed(value: Value): void {
    this.wait.succeed(this.#asResult === undefined ? value : this.#asResult(value));
  }

  throw(error: unknown): void {
    this.wait.throw(error);
  }

  leave(isAbandoned: boolean): void {
    this.#queue.remove(this, isAbandoned);
  }
}

export interface Joining<Value, Demand> {
  readonly wait: Wait<unknown>;
  readonly demand: Demand;
  /** What the wait is told, made of the value. */
  readonly asResult?: ((value: Value) => unknown) | undefined;
}

export interface WaitQueueOptions<Value> {
  readonly onAbandon?: (() => void) | undefined;
  readonly takeBack?: ((value: Value) => void) | undefined;
}

/** A list through its waiters: to join, to be served and to leave from the middle cost the same, however many wait. */
export class WaitQueue<Value, Demand = undefined> {
  #first: Waiter<Value, Demand> | undefined;
  #last: Waiter<Value, Demand> | undefined;
  #length = 0;
  readonly #onAbandon: (() => void) | undefined;
  readonly #takeBack: ((value: Value) => void) | undefined;

  /**
   * `onAbandon` is called after one has left without what it waited for: those behind it may be able to go on. `takeBack` gets what was
   * given to one that is not there any more.
   */
  constructor({ onAbandon, takeBack }: WaitQueueOptions<Value> = {}) {
    this.#onAbandon = onAbandon;
    this.#takeBack = takeBack;
  }

  get length(): number {
    return this.#length;
  }

  /** The one that has waited longest. */
  get first(): Waiter<Value, Demand> | undefined {
    return this.#first;
  }

  add(joining: Joining<Value, Demand>): void {
    const waiter = new Waiter(this, joining);
    joining.wait.addPlace(waiter);
    waiter.previous = this.#last;
    if (this.#last === undefined) this.#first = waiter;
    else this.#last.next = waiter;
    this.#last = waiter;
    this.#length++;
  }

  /** A wait for this alone. */
  wait(reason: WaitReason, options: WaitOptions | undefined, demand: Demand): Wait<Value> {
    const wait = new Wait<Value>(reason, options, this.#takeBack);
    this.add({ wait, demand });
    return wait.begin();
  }

  /** Gives all of them `value`. */
  succeedAll(value: Value): void {
    for (let waiter = this.#first; waiter !== undefined; waiter = this.#first) waiter.succeed(value);
  }

  remove(waiter: Waiter<Value, Demand>, isAbandoned: boolean): void {
    if (waiter.previous === undefined) this.#first = waiter.next;
    else waiter.previous.next = waiter.next;
    if (waiter.next === undefined) this.#last = waiter.previous;
    else waiter.next.previous = waiter.previous;
    this.#length--;
    if (isAbandoned) this.#onAbandon?.();
  }
}
