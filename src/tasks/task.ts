/** A coroutine or function that runs beside others. */

import { Coroutine } from "../coroutine/coroutine.ts";
import { ForcedUnwind } from "../coroutine/errors.ts";
import type { Pending, Soon } from "../coroutine/pending.ts";
import { driveCoroutine } from "./drive-coroutine.ts";
import { Mailbox } from "./mailbox.ts";
import { Participant, runWithin } from "./participant.ts";
import type { WaitReason } from "./participant.ts";
import { enqueue, requirePriority } from "./scheduler.ts";
import type { Priority } from "./scheduler.ts";
import { promiseOf } from "./soon.ts";
import { requireAllowed } from "./wait.ts";
import type { WaitOptions } from "./wait.ts";
import { WaitQueue } from "./wait-queue.ts";

/**
 * ```text
 * ready ─▶ running ◀─▶ waiting          waiting: for something of this library; whatever else it awaits counts as running
 *   │         ├── returns ─▶ returned
 *   │         ├── throws ──▶ threw
 *   └─────────┴── cancelled, and ended by that ─▶ cancelled
 * ```
 */
export type TaskState = "ready" | "running" | "waiting" | "returned" | "threw" | "cancelled";

/** How a task has ended. */
export type TaskResult<Value> =
  | { readonly state: "returned"; readonly value: Value }
  | { readonly state: "threw"; readonly error: unknown }
  | { readonly state: "cancelled"; readonly reason: unknown };

/** What a task runs: a coroutine, or a function, for instance one that calls an export of a guest. */
export type TaskBody<Value> = Coroutine<unknown, unknown, Value> | ((task: Task) => Value | PromiseLike<Value>);

export interface TaskOptions {
  /** For messages and `dump()`. */
  readonly name?: string | undefined;
  /** Cancels it. */
  readonly signal?: AbortSignal | undefined;
  /** Who is first of those that could run; `"normal"` when left out. */
  readonly priority?: Priority | undefined;
}

let privateParticipantOf: (task: Task) => Participant;
let privateOnEnd: (task: Task, listener: () => void) => () => void;

/** The waiting side of a task. */
export function participantOfTask(task: Task): Participant {
  return privateParticipantOf(task);
}

/**
 * Calls `listener` when the task has ended, before those that join it go on: at once, if it has.
 *
 * @returns what forgets the listener
 */
export function onTaskEnd(task: Task, listener: () => void): () => void {
  return privateOnEnd(task, listener);
}

/** Waits until `task` has ended. Whoever is told meanwhile that this is a deadlock throws that, but not before it has. */
export async function joinToTheEnd(task: Task): Promise<void> {
  try {
    await task.join();
  } finally {
    if (task.result === undefined) await new Promise<void>((onEnd) => void onTaskEnd(task, onEnd));
  }
}

/** The value, or throws what it has ended with. */
export function unwrapResult<Value>(result: TaskResult<Value>): Value {
  if (result.state === "returned") return result.value;
  throw result.state === "threw" ? result.error : result.reason;
}

/** Errors of tasks at which nobody has looked are reported when nobody can any more. */
const unseenErrors = new FinalizationRegistry<{ readonly error: unknown }>(({ error }) => void Promise.reject(error));

/**
 * A task, made by `spawn()`: it starts when those before it have, never inside `spawn()`.
 *
 * - `await task` is its value, or throws its error, or the reason why it was cancelled.
 * - `join()` is the same as a result object. An error at which nobody ever looks is reported as an unhandled rejection when the task is
 *   garbage.
 * - Once cancelled, what it waits for of this library rejects with the reason, and so does whatever it would wait for later, except
 *   inside `shield()`. It has ended when its body has.
 */
export class Task<Value = unknown> implements PromiseLike<Value> {
  readonly #participant: Participant;
  /** Made when somebody waits: many tasks are never waited for, or only when they have ended. */
  #joiners: WaitQueue<TaskResult<unknown>> | undefined;
  readonly #priority: Priority | undefined;
  /** A coroutine, or a function that returns a `Value` or a promise of it. (A type that said so could not be used as a `Task<unknown>`.) */
  #body: Coroutine | ((task: Task) => unknown) | undefined;
  #result: TaskResult<Value> | undefined;
  #isSeen = false;
  #listeners: Set<() => void> | undefined;
  #mailbox: Mailbox | undefined;

  static {
    privateParticipantOf = (task) => task.#participant;
    privateOnEnd = (task, listener) => task.#onEnd(listener);
  }

  /** Made by `spawn()`, not by users. */
  constructor(body: TaskBody<Value>, { name, signal, priority }: TaskOptions = {}) {
    if (typeof body !== "function" && !(body instanceof Coroutine)) {
      const found = isThenable(body) ? "a promise, of something that has begun already" : typeof body;
      throw new TypeError(`Cannot spawn: the body is ${found}, expected a function or a Coroutine`);
    }
    requirePriority(priority);
    // Before anything is made that would have to end: who gives no AbortSignal is told so here.
    if (signal !== undefined && typeof signal.addEventListener !== "function") {
      throw new TypeError(`Cannot spawn: signal is ${typeof signal}, expected an AbortSignal`);
    }
    this.#participant = new Participant(name);
    this.#participant.isSequential = body instanceof Coroutine;
    this.#body = body;
    this.#priority = priority;
    if (signal !== undefined) this.#listenTo(signal);
    // The reaction of a promise runs in the asynchronous context of whoever has added it: that of the caller. Taking a snapshot of
    // the context costs Node several times as much.
    void new Promise<void>((start) => enqueue(start, priority)).then(() => this.#start());
  }

  get id(): number {
    return this.#participant.id;
  }

  get name(): string {
    return this.#participant.name;
  }

  get state(): TaskState {
    if (this.#result !== undefined) return this.#result.state;
    if (!this.#participant.hasStarted) return "ready";
    return this.#participant.firstWait === undefined ? "running" : "waiting";
  }

  get priority(): Priority {
    return this.#priority ?? "normal";
  }

  /** How it has ended; `undefined` before. */
  get result(): TaskResult<Value> | undefined {
    this.#see();
    return this.#result;
  }

  /** Aborts when it is cancelled: for what it calls that is not of this library. */
  get signal(): AbortSignal {
    return this.#participant.signal;
  }

  /** What others have sent it. */
  get mailbox(): Mailbox {
    if (this.#mailbox === undefined) {
      this.#mailbox = new Mailbox({ name: `of ${this.name}` });
      if (this.#result !== undefined) this.#mailbox.close();
    }
    return this.#mailbox;
  }

  /** Waits until it has ended, and says how. Rejects only if whoever waits is cancelled meanwhile. */
  join(options?: WaitOptions): Promise<TaskResult<Value>> {
    try {
      return promiseOf(this.joinSoon(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** {@link Task.join} for host functions of guests: where it has ended the guest goes on at once. */
  joinSoon(options?: WaitOptions): Soon<TaskResult<Value>> {
    this.#see();
    if (this.#result !== undefined) return this.#result;
    requireAllowed(options);
    this.#joiners ??= new WaitQueue();
    const result = this.#joiners.wait(new JoinReason(this.#participant), options, undefined);
    return result as Pending<unknown> as Pending<TaskResult<Value>>; // only #end() tells them, with one of these
  }

  // oxlint-disable-next-line unicorn/no-thenable -- a task is awaitable
  then<Fulfilled = Value, Rejected = never>(
    onFulfilled?: ((value: Value) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.join().then(unwrapResult).then(onFulfilled, onRejected);
  }

  /** Cancels it: an `AbortError` if there is no `reason`. Does nothing when it has ended or was cancelled before. */
  cancel(reason: unknown = new DOMException(`${this.name} was cancelled`, "AbortError")): void {
    if (this.#participant.cancellation !== undefined || this.#result !== undefined) return;
    this.#participant.cancel(reason);
    if (this.#participant.hasStarted) return;
    // It never will start, and lets go of what its body holds.
    if (this.#body instanceof Coroutine) void this.#body.reset();
    this.#end({ state: "cancelled", reason });
  }

  #start(): void {
    const body = this.#body;
    this.#body = undefined;
    if (this.#result !== undefined || body === undefined) return;
    this.#participant.hasStarted = true;
    try {
      const answer = runWithin(this.#participant, () =>
        typeof body === "function" ? body(this) : driveCoroutine(body, this.#participant, this.#priority),
      ) as Value | PromiseLike<Value>; // see #body
      if (!isThenable(answer)) this.#end({ state: "returned", value: answer });
      else {
        Promise.resolve(answer).then(
          (value) => this.#end({ state: "returned", value }),
          (error: unknown) => this.#threw(error),
        );
      }
    } catch (error) {
      this.#threw(error);
    }
  }

  #threw(error: unknown): void {
    const { cancellation } = this.#participant;
    const isCancelled = cancellation !== undefined && (error === cancellation.reason || error instanceof ForcedUnwind);
    this.#end(isCancelled ? { state: "cancelled", reason: cancellation.reason } : { state: "threw", error });
  }

  #end(result: TaskResult<Value>): void {
    this.#result = result;
    this.#participant.end();
    this.#mailbox?.close();
    const listeners = this.#listeners;
    this.#listeners = undefined;
    for (const listener of listeners ?? []) listener();
    this.#joiners?.succeedAll(result);
    if (result.state === "threw" && !this.#isSeen) unseenErrors.register(this, { error: result.error }, this);
  }

  /** Somebody looks at how it has ended, or will. */
  #see(): void {
    if (!this.#isSeen && this.#result?.state === "threw") unseenErrors.unregister(this);
    this.#isSeen = true;
  }

  #onEnd(listener: () => void): () => void {
    this.#see();
    if (this.#result === undefined) (this.#listeners ??= new Set()).add(listener);
    else listener();
    return () => void this.#listeners?.delete(listener);
  }

  #listenTo(signal: AbortSignal): void {
    if (signal.aborted) {
      this.cancel(signal.reason);
      return;
    }
    const onAbort = (): void => this.cancel(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    (this.#listeners ??= new Set()).add(() => signal.removeEventListener("abort", onAbort));
  }
}

class JoinReason implements WaitReason {
  readonly isExternal = false;
  readonly #participant: Participant;

  constructor(participant: Participant) {
    this.#participant = participant;
  }

  describe(): string {
    return `the end of ${this.#participant.name}`;
  }

  holders(): Iterable<Participant> {
    return [this.#participant];
  }
}

function isThenable<Value>(answer: Value | PromiseLike<Value>): answer is PromiseLike<Value> {
  return typeof (answer as { then?: unknown } | null | undefined)?.then === "function";
}
