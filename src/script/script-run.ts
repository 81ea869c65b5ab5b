/**
 * One evaluation or call of a script: what it may cost, what it has cost, and how it is stopped.
 *
 * A run that is made by a host function, for the script that called it, belongs to that script's run: what it costs its parent costs, too,
 * and it is stopped with it. Otherwise a script could spend without limit below a callback.
 */

import { nextTurn, timeInTurn } from "../platform/event-loop.ts";
import { Timer } from "../platform/timer.ts";
import { isThenable } from "../threads/answerer.ts";
import { ScriptStoppedError } from "./script-errors.ts";

/** Called with the operations that the run has made so far. What it returns, or fulfils with, stops the script unless it is `undefined`. */
export type OnProgress = (operations: number) => unknown;

export interface RunLimits {
  /** Operations, in the unit of the language, after which a script is stopped. */
  readonly maxOperations?: number | undefined;
  /** Milliseconds, waiting included, after which it is stopped with a `TimeoutError`. */
  readonly timeoutMs?: number | undefined;
  /** Is asked while the script runs; a promise that it returns is waited for, so that it can pause the script. */
  readonly onProgress?: OnProgress | undefined;
}

export interface RunOptions extends RunLimits {
  /** Stops the script, wherever it is, also while it waits: the promise rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds for which a script keeps JavaScript from running. */
const SLICE_MS = 5;

/** What a wait gives when the run was stopped meanwhile. */
export const STOPPED: unique symbol = Symbol("stopped");

export class ScriptRun {
  /** Operations so far. */
  operations = 0;
  /** How many runs it is in, with itself. */
  readonly depth: number;
  readonly #options: RunOptions;
  readonly #parent: ScriptRun | undefined;
  readonly #children = new Set<ScriptRun>();
  #stop: { readonly reason: unknown } | undefined;
  /** Those who have to know when it is stopped: a script waits for one thing at a time, but a job of it may wait beside. */
  readonly #listeners = new Set<() => void>();
  #controller: AbortController | undefined;
  #hasEnded = false;
  readonly #timer: Timer | undefined;
  /** By `performance.now()`: also where no timer can fire, because the script runs in a call that cannot be suspended. */
  readonly #deadline: number = Number.POSITIVE_INFINITY;
  /** What it should have waited for where it could not. */
  #owed: Promise<void> | undefined;
  readonly #onAbort = (): void => this.stop(this.#options.signal?.reason);

  constructor(options: RunOptions, parent?: ScriptRun) {
    this.#options = options;
    this.#parent = parent === undefined || parent.isOver ? undefined : parent;
    this.depth = this.#parent === undefined ? 1 : this.#parent.depth + 1;
    if (this.#parent !== undefined) this.#parent.#children.add(this);
    if (this.#parent?.isStopped === true) this.stop(this.#parent.reason);
    const { signal, timeoutMs } = options;
    if (signal?.aborted === true) this.stop(signal.reason);
    else signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (timeoutMs !== undefined && timeoutMs !== Number.POSITIVE_INFINITY) {
      this.#deadline = performance.now() + timeoutMs;
      this.#timer = new Timer(timeoutMs, () => this.stop(timeoutError(timeoutMs)));
    }
  }

  /** What it may cost at most; `undefined`: anything. */
  get maxOperations(): number | undefined {
    return this.#options.maxOperations;
  }

  /** Whether somebody wants to know what it costs while it runs. */
  get isWatched(): boolean {
    return this.#options.onProgress !== undefined || this.#parent !== undefined;
  }

  get isStopped(): boolean {
    return this.#stop !== undefined;
  }

  /**
   * Whether it has ended by itself. What it has left behind, as a subscription of the host, costs nobody but who is called by it; what a run
   * left behind that was stopped is stopped as well.
   */
  get isOver(): boolean {
    return this.#hasEnded && !this.isStopped;
  }

  /** Why it was stopped. */
  get reason(): unknown {
    return this.#stop?.reason;
  }

  /** Aborts when it is stopped: for what it waits for. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.isStopped) this.#controller.abort(this.reason);
    return this.#controller.signal;
  }

  /** The script ends as soon as it can be reached. Only the first reason counts. */
  stop(reason: unknown): void {
    if (this.isStopped) return;
    this.#stop = { reason };
    for (const child of this.#children) child.stop(reason);
    this.#controller?.abort(reason);
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }

  /** It has ended, and nothing of it is under way. */
  end(): void {
    this.#hasEnded = true;
    if (this.#parent !== undefined) this.#parent.#children.delete(this);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#timer?.clear();
    this.#listeners.clear();
  }

  /**
   * The script has made so many operations more. Afterwards, and after what it returns, `isStopped` says whether it has to end.
   *
   * @param canWait whether the script can be suspended here
   */
  tick(operations: number, canWait: boolean): Promise<void> | undefined {
    this.count(operations);
    const now = performance.now();
    if (now > this.#deadline) this.stop(timeoutError(this.#options.timeoutMs));
    if (this.isStopped) return undefined;
    const answer = this.#report();
    if (isThenable(answer)) this.#owe(this.#pause(answer));
    else if (answer !== undefined) this.#stopWith(answer);
    if (this.isStopped) return undefined;
    if (this.#owed === undefined && timeInTurn(now) >= SLICE_MS) this.#owe(nextTurn());
    return canWait ? this.takeOwed() : undefined;
  }

  /**
   * What it should have waited for where it could not be suspended: `onProgress`, or a turn of the event loop. It does so as soon as it can;
   * otherwise a script that is only ever asked there would never give way.
   */
  takeOwed(): Promise<void> | undefined {
    const owed = this.#owed;
    this.#owed = undefined;
    return owed;
  }

  #owe(wait: Promise<void>): void {
    const before = this.#owed;
    this.#owed = before === undefined ? wait : before.then(() => wait);
  }

  /** Settles as `promise` does, or fulfils with {@link STOPPED} as soon as the run is stopped. */
  waitFor<Value>(promise: PromiseLike<Value>): Promise<Value | typeof STOPPED> {
    return new Promise((resolve, reject) => this.wait(promise, resolve, reject));
  }

  /** The same without a promise: calls one of them, once. */
  wait<Value>(
    promise: PromiseLike<Value>,
    fulfilled: (value: Value | typeof STOPPED) => void,
    rejected: (error: unknown) => void,
  ): void {
    if (this.isStopped) {
      // Nobody is going to look at it.
      Promise.resolve(promise).then(undefined, () => {});
      fulfilled(STOPPED);
      return;
    }
    const listeners = this.#listeners;
    let isOver = false;
    const onStop = (): void => {
      isOver = true;
      fulfilled(STOPPED);
    };
    listeners.add(onStop);
    const isFirst = (): boolean => !isOver && listeners.delete(onStop);
    // One of the host's own may throw instead, or call both.
    Promise.resolve(promise).then(
      (value) => isFirst() && fulfilled(value),
      (error: unknown) => isFirst() && rejected(error),
    );
  }

  /** Counts what it has cost, and stops it if that is too much: for a script that is told of it later. */
  count(operations: number): void {
    this.operations += operations;
    this.#parent?.count(operations);
    const { maxOperations } = this.#options;
    if (maxOperations === undefined || this.operations <= maxOperations) return;
    this.stop(new ScriptStoppedError("operations", `Script made more than ${maxOperations} operations`));
  }

  #report(): unknown {
    const { onProgress } = this.#options;
    if (onProgress === undefined) return undefined;
    try {
      return onProgress(this.operations);
    } catch (error) {
      this.stop(error);
      return undefined;
    }
  }

  async #pause(answer: PromiseLike<unknown>): Promise<void> {
    try {
      const token = await this.waitFor(answer);
      if (token !== STOPPED && token !== undefined) this.#stopWith(token);
    } catch (error) {
      this.stop(error);
    }
  }

  #stopWith(token: unknown): void {
    this.stop(new ScriptStoppedError("progress", "Script was stopped by onProgress", token));
  }
}

function timeoutError(timeoutMs: number | undefined): DOMException {
  return new DOMException(`Script was not done within ${timeoutMs} ms`, "TimeoutError");
}
