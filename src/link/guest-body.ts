/** A coroutine's body: an activation of a guest, on any backend. */

import type { Coroutine } from "../coroutine/coroutine.ts";
import { ForcedUnwind, SuspendError } from "../coroutine/errors.ts";
import type { SyncRefusal } from "../coroutine/fiber.ts";
import { currentResumer, keepContexts } from "./activation-context.ts";
import { Activation } from "./activation.ts";
import type { Waiter } from "./activation.ts";
import { cancellationSignal } from "./cancellation.ts";
import { defer } from "./deferred.ts";
import type { Deferred } from "./deferred.ts";
import type { CallOptions, FiberBody, FiberOptions, GuestFiber } from "./linked-guest.ts";
import { requireNativeStack } from "./native-stack.ts";
import { uncatchableTrap } from "./uncatchable-trap.ts";

type Step = IteratorResult<unknown, unknown>;
/** How a body has ended. */
type Outcome = { readonly step: Step } | { readonly error: unknown };

/** The end of a body that does not just return to whoever resumed it. */
interface BodyEnd {
  /** What may end it from outside. */
  listener: SignalListener | undefined;
  isReset: boolean;
  /** How it has ended if nobody was waiting for it: told to whoever resumes it next. */
  outcome: Outcome | undefined;
  /** The error that it ended with, if that is not the one it was ended with. */
  failure: { readonly error: unknown } | undefined;
  /** Whoever waits for its end. */
  reached: Deferred<void> | undefined;
}

/** To what its signal says. */
interface SignalListener {
  readonly signal: AbortSignal;
  stop: (() => void) | undefined;
}

/** Who is told what a resume came to. */
interface Resumption {
  resolve(step: Step): void;
  reject(reason: unknown): void;
}

/** What enters bodies: the guest of a backend. */
export interface BodyRunner {
  /** Enters `body` with its first input; the body is told how it has ended. */
  startBody(body: GuestBody, input: unknown): void;
  /** Why the stack cannot be resumed on that of the caller; `undefined` if it can. */
  syncRefusal(activation: Activation): SyncRefusal | undefined;
}

const NO_OPTIONS: CallOptions = {};

/** Whether its activation needs nothing of them: one of a million need not keep them. */
function isPlain({ stack, onEnter, onLeave, owner }: CallOptions): boolean {
  return stack === undefined && onEnter === undefined && onLeave === undefined && owner === undefined;
}

/** Tells `body` how the activation has ended that `start` enters. */
export function endWith(body: GuestBody, ended: Promise<unknown>): void {
  ended.then(
    (value) => body.resolve(value),
    (error: unknown) => body.reject(error),
  );
}

export class GuestBody extends Activation<CallOptions> implements GuestFiber, Waiter {
  readonly #function: FiberBody;
  /** Let go of when it starts. */
  #args: readonly unknown[] | undefined;
  readonly #runner: BodyRunner;
  /** What the pending resume is told. */
  #step: Resumption | undefined;
  /** Where the pending `suspend()` gets its result from, and the activation that waits for it: the body's, or one inside it. */
  #input: Waiter | undefined;
  #holder: Activation | undefined;
  #hasEnded = false;
  /** Made when there is something to it: there are a million suspended bodies, and most just return. */
  #end: BodyEnd | undefined;

  constructor(runner: BodyRunner, body: FiberBody, options: FiberOptions) {
    super(isPlain(options) ? NO_OPTIONS : options);
    this.#runner = runner;
    this.#function = body;
    this.#args = options.args;
    const signal = cancellationSignal(this, options);
    if (signal !== undefined) this.#ending.listener = { signal, stop: undefined };
    keepContexts();
  }

  /** Whoever looks for the body of a coroutine asks its fiber, which need not be the body itself. */
  get activation(): Activation {
    return this;
  }

  /** The name of the exported function. */
  get name(): string {
    return this.#function.name;
  }

  /** Its arguments, to be asked for once: one input is one of them, or all in an array where it has several. */
  takeArguments(input: unknown): readonly unknown[] {
    const args = this.#args;
    this.#args = undefined;
    if (args !== undefined) return args;
    const paramCount = this.#function.type?.params.length;
    if (paramCount === 0) return [];
    if (Array.isArray(input) && paramCount !== 1) return input;
    return input === undefined && paramCount === undefined ? [] : [input];
  }

  get signal(): AbortSignal | undefined {
    return this.#end?.listener?.signal;
  }

  get syncRefusal(): SyncRefusal | undefined {
    return this.#runner.syncRefusal(this);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  requireRoom(): void {
    requireNativeStack();
  }

  attach(coroutine: Coroutine): void {
    this.coroutine = coroutine;
    const listener = this.#end?.listener;
    if (listener === undefined) return;
    const { signal } = listener;
    const onAbort = (): void => {
      const isAwaited = coroutine.state === "running";
      const ended = coroutine.unwind(signal.reason);
      // Whoever awaits the pending resume is told how the body ended: it must not be reported as an unhandled rejection, too.
      if (isAwaited) ended.catch(() => {});
    };
    signal.addEventListener("abort", onAbort, { once: true });
    listener.stop = () => signal.removeEventListener("abort", onAbort);
  }

  resume(input: unknown): Promise<Step> {
    const step = defer<Step>();
    this.#step = step;
    this.#resume(input);
    return step.promise;
  }

  throw(error: unknown): Promise<Step> {
    const step = defer<Step>();
    this.#step = step;
    this.#resumeThrowing(error);
    return step.promise;
  }

  resumeSync(input: unknown): Step {
    const step = new SyncStep();
    const holder = this.#beginSync(step);
    try {
      this.#resume(input);
    } finally {
      this.#endSync(holder);
    }
    return step.isSettled ? step.take() : this.#refuseToWait();
  }

  throwSync(error: unknown): Step {
    const step = new SyncStep();
    const holder = this.#beginSync(step);
    try {
      this.#resumeThrowing(error);
    } finally {
      this.#endSync(holder);
    }
    return step.isSettled ? step.take() : this.#refuseToWait();
  }

  /** Who goes on: an activation inside the body, if that one has suspended it. */
  #beginSync(step: Resumption): Activation {
    const holder = this.#holder ?? this;
    this.#step = step;
    this.isResumedSynchronously = true;
    holder.isResumedSynchronously = true;
    return holder;
  }

  #endSync(holder: Activation): void {
    this.isResumedSynchronously = false;
    holder.isResumedSynchronously = false;
  }

  #refuseToWait(): never {
    this.#step = undefined;
    const refusal = new SuspendError(
      "sync-call",
      "Cannot resume synchronously: the body has to wait, for a stack or for an inner coroutine; use resumeAsync()",
    );
    this.cancel(refusal);
    throw refusal;
  }

  #resume(value: unknown): void {
    const outcome = this.#end?.outcome;
    if (outcome !== undefined) {
      this.#settle(outcome);
      return;
    }
    const input = this.#input;
    const holder = this.#holder;
    if (input === undefined || holder === undefined) {
      this.#runner.startBody(this, value);
      return;
    }
    this.#input = undefined;
    this.#holder = undefined;
    // On the stack of the resumer, nothing outside the body can be suspended from within it.
    this.noteResumer(this.isResumedSynchronously ? "nobody" : currentResumer());
    // Nobody takes it if the holder has ended meanwhile: the body goes on with what it has awaited of that.
    if (holder.takesInput(input)) input.resolve(value);
    this.release();
  }

  #resumeThrowing(error: unknown): void {
    const outcome = this.#end?.outcome;
    if (outcome !== undefined) {
      this.#settle(outcome);
      return;
    }
    const input = this.#input;
    const holder = this.#holder;
    this.#input = undefined;
    this.#holder = undefined;
    this.noteResumer(this.isResumedSynchronously ? "nobody" : currentResumer());
    this.release();
    if (input !== undefined && holder?.takesInput(input) === true) input.reject(error);
    else this.interrupt(error);
  }

  unwind(reason?: unknown): Promise<void> {
    return this.#endWith(new ForcedUnwind(undefined, reason === undefined ? undefined : { cause: reason }));
  }

  reset(): Promise<void> {
    this.#ending.isReset = true;
    return this.#endWith(uncatchableTrap());
  }

  #endWith(error: unknown): Promise<void> {
    const input = this.#input;
    const holder = this.#holder;
    this.#input = undefined;
    this.#holder = undefined;
    this.#end?.listener?.stop?.();
    this.cancel(error);
    // The input may be awaited by an inner coroutine, on top of this one: that one is unwound with it.
    if (input !== undefined && holder?.takesInput(input) === true) input.reject(error);
    const end = this.#ending;
    if (end.failure !== undefined) return Promise.reject(end.failure.error);
    if (this.#hasEnded) return Promise.resolve();
    return (end.reached ??= defer()).promise;
  }

  get #ending(): BodyEnd {
    return (this.#end ??= {
      listener: undefined,
      isReset: false,
      outcome: undefined,
      failure: undefined,
      reached: undefined,
    });
  }

  protected override take(value: unknown, holder: Activation, input: Waiter): void {
    const step = this.#step;
    if (step === undefined) {
      throw new SuspendError("no-coroutine", "Cannot suspend coroutine: it is suspended already, expected running");
    }
    this.#input = input;
    this.#holder = holder;
    this.#step = undefined;
    step.resolve({ done: false, value });
  }

  /** It has returned `value`. */
  resolve(value: unknown): void {
    this.#finish();
    if (this.isCancelled) this.#settle({ error: this.#endReason() });
    else this.#settle({ step: { done: true, value } });
  }

  /** It has thrown `error`. */
  reject(error: unknown): void {
    const isExpected = this.isEnding(error);
    if (!isExpected) this.#ending.failure = { error };
    this.#finish();
    this.#settle({ error: isExpected ? this.#endReason() : error });
  }

  #settle(outcome: Outcome): void {
    const pending = this.#step;
    this.#step = undefined;
    if (pending === undefined) this.#ending.outcome = outcome;
    else if ("step" in outcome) pending.resolve(outcome.step);
    else pending.reject(outcome.error);
  }

  #finish(): void {
    this.#hasEnded = true;
    this.#end?.listener?.stop?.();
    this.end();
    const end = this.#end;
    if (end?.failure === undefined) end?.reached?.resolve();
    else end.reached?.reject(end.failure.error);
  }

  /** What a pending resume is told about a body that was ended from outside. */
  #endReason(): unknown {
    if (this.#end?.isReset === true) return new ForcedUnwind("The coroutine was reset");
    return this.signal?.aborted === true ? this.signal.reason : this.cancellation;
  }
}

/** What a resume came to on the stack of the caller. */
class SyncStep implements Resumption {
  isSettled = false;
  #step: Step | undefined;
  #error: unknown;

  resolve(step: Step): void {
    this.isSettled = true;
    this.#step = step;
  }

  reject(error: unknown): void {
    this.isSettled = true;
    this.#error = error;
  }

  take(): Step {
    if (this.#step === undefined) throw this.#error;
    return this.#step;
  }
}
