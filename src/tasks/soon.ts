/** Answers for guests, which need no promise, and the promises that are made of them for everybody else. */

import { Pending } from "../coroutine/pending.ts";
import type { Soon, Waiter } from "../coroutine/pending.ts";
import { continueWithin, currentContext } from "./participant.ts";
import { afterTurn, isSliceOver } from "./scheduler.ts";

const nothing = Promise.resolve();

/** What is there, or comes, as a promise. */
export function promiseOf<Value>(soon: Soon<Value>): Promise<Value> {
  if (soon instanceof Pending) return soon.promise;
  // Most operations have no value. It is a promise of that type then.
  return soon === undefined ? (nothing as Promise<Value>) : Promise.resolve(soon);
}

/**
 * The answer of an operation that is ready: at once, or after a turn of the event loop. `takeBack` gets the value if nobody is there any
 * more to be given it.
 */
export function readySoon<Value>(value: Value, takeBack?: (value: Value) => void): Soon<Value> {
  return isSliceOver() ? new Late(value, takeBack) : value;
}

/** An answer that is there, and is given after a turn of the event loop. */
class Late<Value> extends Pending<Value> {
  readonly #value: Value;
  readonly #takeBack: ((value: Value) => void) | undefined;
  readonly #context = currentContext();
  #isTold = false;

  constructor(value: Value, takeBack: ((value: Value) => void) | undefined) {
    super();
    this.#value = value;
    this.#takeBack = takeBack;
  }

  override get promise(): Promise<Value> {
    return new Promise((resolve) => {
      afterTurn(() => resolve(this.#value));
    });
  }

  override subscribe(waiter: Waiter): void {
    afterTurn(() => {
      if (this.#isTold) return;
      this.#isTold = true;
      continueWithin(this.#context, () => waiter.resolve(this.#value));
    });
  }

  override abandon(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#takeBack?.(this.#value);
  }
}
