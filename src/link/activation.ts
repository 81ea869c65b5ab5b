/** What JavaScript keeps of one activation, if there is more to it than its record: a coroutine, a signal, hooks. */

import type { Coroutine } from "../coroutine/coroutine.ts";
import { ForcedUnwind, SuspendError } from "../coroutine/errors.ts";
import { Suspension } from "../coroutine/suspend.ts";
import { makeAsyncContext } from "./async-context.ts";
import type { AsyncContext } from "./async-context.ts";
import {
  AWAITED,
  CANCELLABLE,
  CURRENT,
  FLAGS,
  GENERATION,
  GUEST,
  HOOKED,
  readWord,
  words,
  writeWord,
} from "./switchboard.ts";
import { uncatchableTrap } from "./uncatchable-trap.ts";

/** Called whenever an activation's stack is entered and left; always in pairs. They must not throw. */
export interface ActivationHooks {
  readonly onEnter?: (() => void) | undefined;
  readonly onLeave?: (() => void) | undefined;
}

/** How often a body is sent a {@link ForcedUnwind} before it is ended by a trap. */
export const MAX_UNWINDS = 1000;

/** Record → its activation. Most calls have none. */
const activations = new Map<number, Activation>();

/** The activation whose guest code, or host function, is running. */
export function currentActivation(): Activation | undefined {
  return activations.get(words[CURRENT >> 2]!);
}

/** Set when there are values that belong to activations; every call has an {@link Activation} then. */
let isContextWatched = false;
let asyncContext: AsyncContext<Activation> | undefined;

/** From now on {@link currentContext} is wanted. */
export function watchContexts(): void {
  if (isContextWatched) return;
  isContextWatched = true;
  asyncContext = makeAsyncContext();
}

export function areContextsWatched(): boolean {
  return isContextWatched;
}

/** Runs `body`, which starts `activation`, so that {@link currentContext} finds it also after an `await` of its host functions. */
export function runInContext<Result>(activation: Activation, body: () => Result): Result {
  return asyncContext === undefined ? body() : asyncContext.run(activation, body);
}

/**
 * The activation on whose behalf JavaScript is running.
 *
 * Where there is an asynchronous context it alone decides: after a trap {@link currentActivation} still names the activation that
 * was cut off, until its rejection is handled, and code outside any guest may run in between.
 */
export function currentContext(): Activation | undefined {
  return asyncContext === undefined ? currentActivation() : asyncContext.getStore();
}

export function activationOf(record: number): Activation | undefined {
  return activations.get(record);
}

/** Where the next input of a coroutine arrives, when it has suspended. */
export interface PendingInput {
  readonly promise: Promise<unknown>;
  readonly resolve: (input: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

/** Takes the value of a `suspend()`. */
type Yield = (value: unknown) => PendingInput;

const yields = new WeakMap<Coroutine, Yield>();

/** Forgets whichever activation had this record: one without an object is about to start on it. */
export function forgetActivation(record: number): void {
  if (activations.size > 0) activations.delete(record);
}

export class Activation {
  /** The coroutine that this is the body of. */
  coroutine: Coroutine | undefined;
  readonly #hooks: ActivationHooks;
  #record = 0;
  /** Tells its record from the same record when another has it. */
  #generation = 0;
  /** Names of its guest's imports that can be waited in, by their position. */
  #importNames: readonly string[] = [];
  #isInside = false;
  #abortController: AbortController | undefined;
  /** What is thrown at every suspension point from now on. */
  #cancellation: unknown;
  #isCancelled = false;
  /** All that it was cancelled with: a body may still be ending with the first when the second comes. */
  #sent: readonly unknown[] = [];
  #unwinds = 0;
  /** The activation on top of it, on a stack that they share. */
  #top: Activation | undefined;
  /** Settles when the last activation on top of it has ended. */
  #onTop: Promise<void> | undefined;
  /** Whether it waits for a promise and nothing has told the engine yet to continue it. */
  #isWaiting = false;
  /** Rejects what it awaits. */
  #interrupt: ((reason: unknown) => void) | undefined;

  constructor(hooks: ActivationHooks = {}) {
    this.#hooks = hooks;
  }

  /** Binds it to the record that it starts on. */
  start(record: number, importNames: readonly string[]): void {
    this.#record = record;
    this.#generation = readWord(record, GENERATION);
    this.#importNames = importNames;
    const isHooked = this.#hooks.onEnter !== undefined || this.#hooks.onLeave !== undefined;
    writeWord(record, FLAGS, readWord(record, FLAGS) | CANCELLABLE | (isHooked ? HOOKED : 0));
    activations.set(record, this);
  }

  /** The import that it waits in, as `module.name`; `undefined` while it does not. */
  get awaitedImport(): string | undefined {
    if (this.guest === 0 || this.#interrupt === undefined) return undefined;
    return this.#importNames[readWord(this.#record, AWAITED) - 1];
  }

  /** Block of the guest that it is an activation of; 0 before it starts and after its end. */
  get guest(): number {
    const isOn = activations.get(this.#record) === this && readWord(this.#record, GENERATION) === this.#generation;
    return isOn ? readWord(this.#record, GUEST) : 0;
  }

  /** Whether another may run on top of it: while a host function of its own is running, or it waits for one. */
  get canCarry(): boolean {
    return this.guest !== 0 && (this.#isWaiting || words[CURRENT >> 2] === this.#record);
  }

  /**
   * Runs `body`, an activation on top of this one, when the others on top of it have ended: at once if there is none. This one
   * does not continue before it has ended.
   */
  runOnTop<Result>(activation: Activation, body: () => Promise<Result>): Promise<Result> {
    const begin = (): Promise<Result> => {
      // The one below may be cancelled while others wait to be on top of it: they would keep it from ending.
      const cancelled = [activation, this].find(({ isCancelled }) => isCancelled);
      if (cancelled !== undefined) return Promise.reject(cancelled.cancellation);
      this.#top = activation;
      return body();
    };
    const isFirst = this.#onTop === undefined;
    const turn = this.#onTop === undefined ? begin() : this.#onTop.then(begin);
    const ended = turn.then(
      () => {},
      () => {},
    );
    this.#onTop = ended;
    void ended.then(() => {
      if (this.#onTop === ended) this.#onTop = undefined;
    });
    return isFirst ? turn : untilAborted(turn, activation);
  }

  /** Forgets it; its record may already belong to another. */
  end(): void {
    this.#interrupt = undefined;
    if (activations.get(this.#record) === this) activations.delete(this.#record);
  }

  /** Aborts when it is cancelled. */
  get signal(): AbortSignal {
    this.#abortController ??= new AbortController();
    if (this.#isCancelled) this.#abortController.abort(reasonOf(this.#cancellation));
    return this.#abortController.signal;
  }

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  /** The error that it is being ended with. */
  get cancellation(): unknown {
    return this.#cancellation;
  }

  /** Whether `error` is what it was ended with, or the trap that finished a body which would not stop. */
  isEnding(error: unknown): boolean {
    return this.#isCancelled && (this.#sent.includes(error) || error === uncatchableTrap());
  }

  /** Throws `error` at its suspension point, now or when it comes to one, and at every further one. */
  cancel(error: unknown): void {
    this.#cancellation = error;
    this.#isCancelled = true;
    this.#sent = [...this.#sent, error];
    this.#abortController?.abort(reasonOf(error));
    this.#top?.cancel(error);
    this.#whenOnTop(() => {
      const interrupt = this.#interrupt;
      this.#interrupt = undefined;
      interrupt?.(error);
    });
  }

  /** Makes it the body of `coroutine`, whose suspensions go to `take`. */
  becomeBody(coroutine: Coroutine, take: Yield): void {
    this.coroutine = coroutine;
    yields.set(coroutine, take);
  }

  /**
   * What it awaits instead of `answer`: the same, but it can be cancelled. Suspensions go to the coroutine, also those that a
   * promise resolves to. `check` looks at every other value, and may throw.
   *
   * @throws {SuspendError} when there is no coroutine to take a suspension
   */
  await(answer: unknown, check: (value: unknown) => unknown = keep): Promise<unknown> {
    if (this.#isCancelled) return this.#refuse(answer);
    if (answer instanceof Suspension) return this.#suspend(answer);
    this.#isWaiting = true;
    return new Promise((resolve, reject) => {
      this.#interrupt = reject;
      const onValue = (value: unknown): void => {
        if (value instanceof Suspension && !this.#isCancelled) this.#suspend(value).then(resolve, reject);
        else this.#whenOnTop(() => resolveChecked(value));
      };
      const resolveChecked = (value: unknown): void => {
        try {
          resolve(check(value));
        } catch (error) {
          reject(error);
        }
      };
      Promise.resolve(answer as PromiseLike<unknown>)
        .then(onValue)
        .catch((reason: unknown) => this.#whenOnTop(() => reject(reason)));
    });
  }

  /** Goes on when no activation is on top of this one. */
  #whenOnTop(goOn: () => void): void {
    if (this.#onTop === undefined) {
      this.#isWaiting = false;
      goOn();
    } else void this.#onTop.then(() => this.#whenOnTop(goOn));
  }

  #suspend({ coroutine = this.coroutine, value }: Suspension): Promise<unknown> {
    const take = coroutine === undefined ? undefined : yields.get(coroutine);
    if (coroutine === undefined || take === undefined) {
      throw new SuspendError("no-coroutine", "Cannot suspend: the guest runs outside a coroutine");
    }
    if (coroutine.state !== "running") {
      throw new SuspendError("no-coroutine", `Cannot suspend coroutine: it is ${coroutine.state}, expected running`);
    }
    const input = take(value);
    this.#interrupt = input.reject;
    return input.promise;
  }

  hook(isEntering: boolean): void {
    if (isEntering === this.#isInside) return;
    this.#isInside = isEntering;
    if (isEntering) this.#hooks.onEnter?.();
    else this.#hooks.onLeave?.();
  }

  #refuse(answer: unknown): Promise<never> {
    // Nobody will ever look at how the host function ends: it must not be reported as an unhandled rejection.
    Promise.resolve(answer as PromiseLike<unknown>).catch(() => {});
    const isStubborn = this.#cancellation instanceof ForcedUnwind && ++this.#unwinds > MAX_UNWINDS;
    return Promise.reject(isStubborn ? uncatchableTrap() : this.#cancellation);
  }
}

/** `turn`, or the cancellation of `activation` if that comes first: its call need not wait for its turn to be told. */
function untilAborted<Result>(turn: Promise<Result>, activation: Activation): Promise<Result> {
  return new Promise((resolve, reject) => {
    activation.signal.addEventListener("abort", () => reject(activation.cancellation), { once: true });
    turn.then(resolve, reject);
  });
}

/** What a host function is told: why, rather than how. */
function reasonOf(cancellation: unknown): unknown {
  return cancellation instanceof ForcedUnwind && cancellation.cause !== undefined ? cancellation.cause : cancellation;
}

function keep(value: unknown): unknown {
  return value;
}
