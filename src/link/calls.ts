/**
 * Starts the activations of one guest: at once, when their turn comes, or on top of the activation that called for them.
 *
 * A guest that has only one stack runs its calls one after the other. A call that a host function makes on behalf of the running
 * activation cannot wait for that: it runs on top of it, on the same stack, and the activation below it is held until it has
 * ended, so that the stack is always left in the order in which it was entered.
 */

import { areContextsWatched, currentResumer, keepContexts, runInContext } from "./activation-context.ts";
import { Activation, forgetActivation } from "./activation.ts";
import type { Admission } from "./admission.ts";
import { watchCancellation } from "./cancellation.ts";
import type { CallOptions } from "./linked-guest.ts";
import { requireNativeStack } from "./native-stack.ts";
import type { StackPool } from "./stacks.ts";
import { CURRENT, words } from "./switchboard.ts";

/** Enters the function of a call on `record`; its promise settles when the activation has ended. Never throws. */
export type Run = (record: number) => Promise<unknown>;

const NONE: readonly string[] = [];

export class Calls {
  readonly #stacks: StackPool;
  readonly #admission: Admission;
  readonly #importNames: readonly string[];

  /** `importNames`: the imports that can be waited in, by their position. */
  constructor(stacks: StackPool, admission: Admission, importNames: readonly string[] = []) {
    this.#stacks = stacks;
    this.#importNames = importNames;
    this.#admission = admission;
    // To know on whose behalf a call is made, also after an `await` of the host function that makes it.
    if (stacks.isSingle) keepContexts();
  }

  /** Calls that wait for their turn. */
  get waiting(): number {
    return this.#admission.waiting;
  }

  /**
   * The record for a call without options that may start now, and of which nothing is kept; 0: it has to be {@link Calls.start}ed, as
   * one that a host function makes.
   */
  admitPlain(): number {
    if (areContextsWatched() || this.#stacks.isSingle) return 0;
    const record = this.#admission.admitUnknown();
    if (record !== 0) forgetActivation(record);
    return record;
  }

  /** One call, of which nothing is kept unless somebody may ask. */
  start(run: Run, options: CallOptions | undefined): Promise<unknown> {
    try {
      requireNativeStack();
    } catch (error) {
      return Promise.reject(error);
    }
    if (options !== undefined) return this.#startWatched(run, options);
    const record = this.admitPlain();
    return record === 0 ? this.#startKnown(run) : run(record);
  }

  /** The record for the body of `activation`, which may start now, on the stack of the caller; 0: it has to be started as others are. */
  admitNow(activation: Activation, { stack }: Pick<CallOptions, "stack">): number {
    if (stack !== undefined || this.#stacks.isSingle || areContextsWatched()) return 0;
    const record = this.#admission.admit(words[CURRENT >> 2] !== 0);
    if (record !== 0) activation.start(record, this.#stacks.isShared ? NONE : this.#importNames);
    return record;
  }

  /** The body of `activation`, which its owner cancels and ends. */
  startActivation(
    run: Run,
    activation: Activation,
    { stack, isCancellable = true }: Pick<CallOptions, "stack"> & { readonly isCancellable?: boolean },
  ): Promise<unknown> {
    if (this.#admission.isFilling) keepContexts();
    activation.noteResumer(currentResumer());
    const enter: Run = (record) => {
      forgetActivation(record);
      // A guest that it has called on its own stack may be the one that waits, for an import of its own.
      activation.start(record, this.#stacks.isShared ? NONE : this.#importNames);
      return runInContext(activation, () => run(record));
    };
    if (stack !== undefined) {
      this.#admission.requireRoom();
      const ended = enter(stack.use(this.#stacks));
      // As long as it is on the stack, its owner may drop that.
      return ended.finally(() => stack.inUse);
    }
    const below = this.#stacks.isSingle ? this.#carrierOf(activation) : undefined;
    if (below !== undefined) {
      this.#admission.requireRoom();
      return below.runOnTop(activation, () => this.#stacks.runNested(enter));
    }
    const isNested = words[CURRENT >> 2] !== 0 || activation.resumer?.canCarry === true;
    const record = this.#admission.admit(isNested);
    if (record !== 0) return enter(record);
    // Whoever it is nested in waits for it: it must not wait for that one to end.
    if (isNested) this.#admission.requireRoom();
    return this.#admission.wait(enter, isCancellable ? activation.cancelSignal : undefined);
  }

  /** The innermost activation of this guest that this one is nested in, maybe with some of other guests in between. */
  #carrierOf(activation: Activation): Activation | undefined {
    for (let below = activation.resumer; below !== undefined; below = below.resumer) {
      if (below.guest === this.#stacks.guest && below.canCarry) return below;
    }
    return undefined;
  }

  /** One call that others may be nested in; a signal for it would cost more than all the rest. */
  async #startKnown(run: Run): Promise<unknown> {
    const activation = new Activation({});
    try {
      return await this.startActivation(run, activation, { isCancellable: false });
    } finally {
      activation.end();
    }
  }

  async #startWatched(run: Run, options: CallOptions): Promise<unknown> {
    const activation = new Activation(options);
    const watch = watchCancellation(activation, options);
    try {
      const result = await this.startActivation(run, activation, options);
      watch.throwIfCancelled();
      return result;
    } catch (error) {
      throw watch.errorFor(error);
    } finally {
      watch.stop();
      activation.end();
    }
  }
}
