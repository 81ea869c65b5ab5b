/** What JavaScript keeps of one activation, if there is more to it than its record: a coroutine, a signal, hooks. */

import { fiberOf } from "../coroutine/coroutine.ts";
import type { Coroutine } from "../coroutine/coroutine.ts";
import { SuspendError } from "../coroutine/errors.ts";
import { Pending } from "../coroutine/pending.ts";
import { Suspension } from "../coroutine/suspend.ts";
import { REFUEL_MODULE } from "../preemption/counter.ts";
import { ActivationEnd } from "./activation-end.ts";
import type { Deadline } from "./activation-end.ts";
import { Gate } from "./gate.ts";
import { Pause } from "./pause.ts";
import {
  AWAITED,
  CANCELLABLE,
  CURRENT,
  FLAGS,
  GENERATION,
  GUEST,
  HOOKED,
  INSIDE,
  readWord,
  words,
  writeWord,
} from "./switchboard.ts";
import { Abandoning, Once } from "./waiter.ts";
import type { Waiter } from "./waiter.ts";

/** Called whenever an activation's stack is entered and left; always in pairs. They must not throw. */
export interface ActivationHooks {
  /** Called when it starts, and whenever it goes on. */
  readonly onEnter?: (() => void) | undefined;
  /** Called whenever it waits, and when it ends. */
  readonly onLeave?: (() => void) | undefined;
  /** @internal Whose call it is. */
  readonly owner?: object | undefined;
}

/** Block of a record → its activation. Most calls have none. Records are numbered without gaps, and an array is what is found fastest. */
const activations: (Activation | undefined)[] = [];
const BLOCK_SHIFT = 6;

/** The activation whose guest code, or host function, is running. */
export function currentActivation(): Activation | undefined {
  return activations[words[CURRENT >> 2]! >> BLOCK_SHIFT];
}

export function activationOf(record: number): Activation | undefined {
  return activations[record >> BLOCK_SHIFT];
}

export type { Waiter } from "./waiter.ts";

/** Who has started or resumed an activation: another one, nobody that runs in a guest, or somebody of whom that is not known. */
export type Resumer = Activation | "nobody" | "unknown";

/** The activation that is the body of `coroutine`. (A weak map of a million costs its garbage collection seconds.) */
function bodyOf(coroutine: Coroutine): Activation | undefined {
  const fiber: object = fiberOf(coroutine);
  return "activation" in fiber && fiber.activation instanceof Activation ? fiber.activation : undefined;
}

/** Forgets whichever activation had this record: one without an object is about to start on it. */
export function forgetActivation(record: number): void {
  const block = record >> BLOCK_SHIFT;
  if (block < activations.length) activations[block] = undefined;
}

export class Activation<Options extends ActivationHooks = ActivationHooks> {
  /** The coroutine that this is the body of. */
  coroutine: Coroutine | undefined;
  readonly options: Options;
  #record = 0;
  /** Tells its record from the same record when another has it. */
  #generation = 0;
  /** Names of its guest's imports that can be waited in, by their position. */
  #importNames: readonly string[] = [];
  /** Made when there is something to it: there are a million suspended activations, and hardly one is ended from outside. */
  #end: ActivationEnd | undefined;
  /** `undefined`: open, as most are all the time. */
  #gate: Gate<Activation> | undefined;
  /** Whether it waits for a promise and nothing has told the engine yet to continue it. */
  #isWaiting = false;
  /** Who waits for what it awaits. */
  #interrupt: Waiter | undefined;
  /** Whose host function has started or resumed it last. */
  #resumer: Resumer = "nobody";
  /** The input that it waits for. */
  #input: Waiter | undefined;
  /** Whether whoever has resumed it waits on the native stack: it may suspend its coroutine, but not wait for a promise. */
  isResumedSynchronously = false;

  constructor(options: Options) {
    this.options = options;
  }

  /** Binds it to the record that it starts on. */
  start(record: number, importNames: readonly string[]): void {
    this.#record = record;
    this.#generation = readWord(record, GENERATION);
    this.#importNames = importNames;
    const { onEnter, onLeave } = this.options;
    const isHooked = onEnter !== undefined || onLeave !== undefined;
    writeWord(record, FLAGS, readWord(record, FLAGS) | CANCELLABLE | (isHooked ? HOOKED : 0));
    const block = record >> BLOCK_SHIFT;
    while (activations.length < block) activations.push(undefined);
    activations[block] = this;
  }

  /** The import that it waits in, as `module.name`; `undefined` while it does not. */
  get awaitedImport(): string | undefined {
    if (this.guest === 0 || this.#interrupt === undefined) return undefined;
    const name = this.#importNames[readWord(this.#record, AWAITED) - 1];
    return name?.startsWith(`${REFUEL_MODULE}.`) === true ? undefined : name;
  }

  /** The record that it is on, or was on last. */
  get record(): number {
    return this.#record;
  }

  /** Block of the guest that it is an activation of; 0 before it starts and after its end. */
  get guest(): number {
    const isOn = activationOf(this.#record) === this && readWord(this.#record, GENERATION) === this.#generation;
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
    return (this.#gate ??= new Gate()).runOnTop(this, activation, body);
  }

  /** Forgets it; its record may already belong to another. */
  end(): void {
    this.#interrupt = undefined;
    this.#resumer = "nobody";
    if (activationOf(this.#record) === this) activations[this.#record >> BLOCK_SHIFT] = undefined;
  }

  /** When it has to be over, and what to do then. */
  setDeadline(deadline: Deadline): void {
    this.#ending.deadline = deadline;
  }

  /** Aborts when it is cancelled. */
  get cancelSignal(): AbortSignal {
    return this.#ending.signal;
  }

  get isCancelled(): boolean {
    return this.#end?.isBegun === true;
  }

  /** The error that it is being ended with. */
  get cancellation(): unknown {
    return this.#end?.error;
  }

  /** Whether `error` is what it was ended with, or the trap that finished a body which would not stop. */
  isEnding(error: unknown): boolean {
    return this.#end?.isWith(error) === true;
  }

  /** Throws `error` at its suspension point, now or when it comes to one, and at every further one. */
  cancel(error: unknown): void {
    this.#ending.begin(error);
    this.#gate?.top?.cancel(error);
    this.release();
    this.interrupt(error);
  }

  /** The error to throw where it is interrupted while it runs, if any. */
  interruption(now: number): { readonly error: unknown } | undefined {
    return this.#end?.atInterruption(now);
  }

  /** Throws `error` where it waits now, if it does. */
  interrupt(error: unknown): void {
    this.#whenGateOpens(() => {
      const interrupt = this.#interrupt;
      this.#interrupt = undefined;
      this.#input = undefined;
      if (interrupt !== undefined) this.#end?.noteTold();
      interrupt?.reject(error);
    });
  }

  /** Remembers who starts or resumes it: that one is around it until it suspends. */
  noteResumer(resumer: Resumer): void {
    // One that resumes itself is refused elsewhere.
    this.#resumer = resumer === this ? "nobody" : resumer;
  }

  /** The activation whose host function has started or resumed it last, if there was one and it is known. */
  get resumer(): Activation | undefined {
    return typeof this.#resumer === "string" ? undefined : this.#resumer;
  }

  /** Whether it still waits for this input; not any more, from now on. */
  takesInput(input: Waiter): boolean {
    if (this.#input !== input) return false;
    this.#input = undefined;
    this.#interrupt = undefined;
    return true;
  }

  /** Lets it go on after its coroutine was suspended by an activation inside it. */
  release(): void {
    this.#gate?.release();
  }

  /** {@link Activation.wait} with a promise. `check` looks at every value but a suspension, and may throw. */
  await(answer: unknown, check: (value: unknown) => unknown = keep): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const onValue = (value: unknown): void => {
        try {
          resolve(check(value));
        } catch (error) {
          reject(error);
        }
      };
      this.wait(answer, { resolve: onValue, reject });
    });
  }

  /**
   * Tells `waiter` what `answer` settles with, or what it is cancelled with, whichever comes first. Suspensions go to the coroutine, also
   * those that a promise resolves to; the waiter is told the next input then.
   */
  wait(answer: unknown, waiter: Waiter): void {
    if (this.isCancelled && !(answer instanceof Pause)) {
      waiter.reject(this.#refusal(answer));
      return;
    }
    if (answer instanceof Suspension) {
      this.#suspend(answer, waiter);
      return;
    }
    const once = answer instanceof Pending ? new Abandoning(waiter, answer) : new Once(waiter);
    this.#isWaiting = true;
    this.#interrupt = once;
    const resolve = (value: unknown): void => {
      if (value instanceof Suspension && !this.isCancelled) this.#suspend(value, once);
      else this.#goOn(once, () => once.resolve(value));
    };
    const reject = (reason: unknown): void => this.#goOn(once, () => once.reject(reason));
    if (answer instanceof Pending) answer.subscribe({ resolve, reject });
    else Promise.resolve(answer as PromiseLike<unknown>).then(resolve, reject);
  }

  /** Ends the wait of `waiter`. Cancelled from now on, it is told where it is interrupted next. */
  #goOn(waiter: Waiter, settle: () => void): void {
    this.#whenGateOpens(() => {
      if (this.#interrupt === waiter) this.#interrupt = undefined;
      settle();
    });
  }

  #whenGateOpens(goOn: () => void): void {
    if (this.#gate === undefined) {
      this.#isWaiting = false;
      goOn();
    } else {
      this.#gate.whenOpen(() => {
        this.#isWaiting = false;
        goOn();
      });
    }
  }

  #suspend(suspension: Suspension, input: Waiter): void {
    try {
      this.#suspendBody(suspension, input);
    } catch (error) {
      input.reject(error);
    }
  }

  /** @throws {SuspendError} when there is no coroutine to take it */
  #suspendBody({ coroutine = this.coroutine, value }: Suspension, input: Waiter): void {
    const body = coroutine === this.coroutine ? this : coroutine && bodyOf(coroutine);
    if (coroutine === undefined || body === undefined) throw outsideCoroutine();
    if (coroutine.state !== "running") {
      throw new SuspendError("no-coroutine", `Cannot suspend coroutine: it is ${coroutine.state}, expected running`);
    }
    if (!this.#isWithin(body)) {
      throw new SuspendError(
        "no-coroutine",
        "Cannot suspend coroutine: it is not around the guest that called; " +
          "expected the one that runs it, or one whose host function has resumed that and waits for it",
      );
    }
    body.take(value, this, input);
    this.#input = input;
    this.#interrupt = input;
    if (body !== this) (body.#gate ??= new Gate()).hold();
  }

  /**
   * Suspends its coroutine: takes the value of a `suspend()` and who waits for the next input, on behalf of `holder`, which is this
   * activation or one inside it. Only a body has a coroutine: guest-body.ts.
   *
   * @throws {SuspendError} when it is suspended already
   */
  protected take(_value: unknown, _holder: Activation, _input: Waiter): void {
    throw outsideCoroutine();
  }

  /**
   * Whether it is `body`, or was resumed by an activation inside it. Where the platform has no asynchronous context a resumer is only
   * known if it has not awaited before; whoever waits is believed to be it then.
   */
  #isWithin(body: Activation): boolean {
    if (body === this) return true;
    if (this.#resumer === "nobody") return false;
    return this.#resumer === "unknown" ? body.canCarry : this.#resumer.#isWithin(body);
  }

  hook(isEntering: boolean): void {
    const flags = readWord(this.#record, FLAGS);
    if (isEntering === ((flags & INSIDE) !== 0)) return;
    writeWord(this.#record, FLAGS, flags ^ INSIDE);
    if (isEntering) this.options.onEnter?.();
    else this.options.onLeave?.();
  }

  #refusal(answer: unknown): unknown {
    // Nobody will ever look at how the host function ends: it must not be reported as an unhandled rejection.
    if (answer instanceof Pending) answer.abandon();
    else if (!(answer instanceof Suspension)) Promise.resolve(answer as PromiseLike<unknown>).catch(() => {});
    return this.#ending.atWait();
  }

  get #ending(): ActivationEnd {
    return (this.#end ??= new ActivationEnd());
  }
}

/** Calls the hooks of an activation. One that throws must not leave the guest half switched: it is reported like an unhandled rejection. */
export function runHook(record: number, isEntering: number): void {
  try {
    activationOf(record)?.hook(isEntering !== 0);
  } catch (error) {
    void Promise.reject(error);
  }
}

function outsideCoroutine(): SuspendError {
  return new SuspendError("no-coroutine", "Cannot suspend: the guest runs outside a coroutine");
}

const keep = (value: unknown): unknown => value;
