/**
 * The threads of a program, as the proposal wasi-threads has them: each is an instance of its own on the memory of the program, and one
 * call of its export `wasi_thread_start`. All of them run in this thread of JavaScript; one that waits is suspended.
 *
 * The program ends when its main thread does, or when any thread calls `proc_exit` or fails: no code of the others runs any more.
 */

import { keepWaitsTogether } from "../atomics/guest-atomics.ts";
import type { OwnWaits } from "../atomics/wait-lines.ts";
import { StackExhaustedError } from "../coroutine/errors.ts";
import { withOwner } from "../coroutine/guest-trace.ts";
import type { GuestOwner, GuestTrace } from "../coroutine/guest-trace.ts";
import { defer } from "../link/deferred.ts";
import type { Deferred } from "../link/deferred.ts";
import { wrapAsync } from "../link/host-function.ts";
import type { MakeMemory } from "../link/imports.ts";
import type { Instance } from "../link/instance.ts";
import type { CallOptions } from "../link/linked-guest.ts";
import { uncatchableTrap } from "../link/uncatchable-trap.ts";
import { runInNextTurn } from "../platform/event-loop.ts";
import { ready } from "../tasks/scheduler.ts";
import { WasiExit } from "./exit.ts";
import { makeMemory } from "./program-memory.ts";
import { deadlockOf } from "./thread-deadlock.ts";
import { findThreadStack } from "./thread-stack.ts";

/** wasi-threads: a thread's number has 29 bits, and 0 is none. */
const LAST_ID = 2 ** 29 - 1;
/** What `thread-spawn` answers when there cannot be another one: minus EAGAIN of witx. */
const REFUSED = -6;
/** The module of which programs import `thread-spawn`. */
export const THREADS_MODULE = "wasi";
const THREAD_START = "wasi_thread_start";
/** The module of which programs import tasks of their own: `stackful.h`. */
const TASKS_MODULE = "stackful";

interface Thread {
  readonly id: number;
  readonly controller: AbortController;
  /** Fulfils when it has ended, in whichever way. */
  readonly ended: Promise<void>;
}

export class Threads {
  readonly #maxThreads: number;
  /** Those beside the main one. */
  readonly #threads = new Map<number, Thread>();
  /** Instance of a thread → its number; 0 is the main one. */
  readonly #ids = new Map<unknown, number>();
  /** Of those that have begun, on a backend that tells. */
  readonly #traces = new Map<number, GuestTrace>();
  #main: Instance<object> | undefined;
  /** Those that are being made. */
  #starting = 0;
  #lastId = 0;
  /** The first thread that has ended the program. */
  #failure: Deferred<never> | undefined;
  #hasEnded = false;
  /** Of the memory that was made for the program, if it has no other: then nobody else can wake its threads. */
  #waits: OwnWaits | undefined;
  #memory: WebAssembly.Memory | undefined;
  #isLooking = false;
  /** Whether the host cannot wake a thread by a call of the program. */
  #isAlone = false;
  #spawnFunction: unknown;

  /** @throws {RangeError} when `maxThreads` is not an integer from 0 */
  constructor(maxThreads: number) {
    if (!(Number.isSafeInteger(maxThreads) && maxThreads >= 0)) {
      throw new RangeError(`Cannot make WASI: maxThreads must be an integer from 0, received ${String(maxThreads)}`);
    }
    this.#maxThreads = maxThreads;
  }

  /** What programs import of the module `wasi`; made when it is asked for: there may be ten thousand programs without threads. */
  get imports(): Readonly<Record<string, unknown>> {
    const spawnFunction = (): unknown =>
      (this.#spawnFunction ??= wrapAsync((argument: number) => this.#spawn(argument)));
    return {
      get "thread-spawn"() {
        return spawnFunction();
      },
    };
  }

  /** The one memory of the program, made when its first instance is linked. */
  readonly makeMemory: MakeMemory = (type) => {
    if (type.shared !== true) return undefined;
    if (this.#memory === undefined) {
      this.#memory = makeMemory(type);
      this.#waits = keepWaitsTogether(this.#memory);
    }
    return this.#memory;
  };

  /** Calls the function `name` of the program as its main thread, and ends all others after it. */
  async run(instance: Instance<object>, name: string, options: CallOptions): Promise<void> {
    this.#main = instance;
    this.#ids.set(instance, 0);
    // One thread may be many tasks, of which one waits in memory and another one does not.
    const hasTasks = instance.module.imports.some((entry) => entry.module === TASKS_MODULE);
    this.#isAlone = !instance.module.hasEntries && !hasTasks;
    if (this.#waits !== undefined) this.#waits.onEndless = () => this.#lookForDeadlock();
    const controller = new AbortController();
    const failure = defer<never>();
    this.#failure = failure;
    const signal =
      options.signal === undefined ? controller.signal : AbortSignal.any([options.signal, controller.signal]);
    const main = instance.function(name);
    const ended = withOwner(this.#ownerFor(0), () => main.call([], { ...options, signal }));
    try {
      await Promise.race([ended, failure.promise]);
    } finally {
      controller.abort(uncatchableTrap());
      await Promise.allSettled([ended, this.#endAll()]);
    }
  }

  async #endAll(): Promise<void> {
    this.#hasEnded = true;
    if (this.#waits !== undefined) this.#waits.onEndless = undefined;
    const threads = [...this.#threads.values()];
    for (const { controller } of threads) controller.abort(uncatchableTrap());
    await Promise.all(threads.map(({ ended }) => ended));
    this.#ids.clear();
    this.#traces.clear();
    this.#main = undefined;
  }

  #spawn(argument: number): number | Promise<number> {
    const main = this.#main;
    if (main === undefined || this.#hasEnded || this.#threads.size + this.#starting >= this.#maxThreads) return REFUSED;
    this.#starting++;
    // Threads that only start others give way to the event loop, too.
    return main
      .sibling()
      .then(ready)
      .then(
        (instance) => {
          this.#starting--;
          return this.#hasEnded ? REFUSED : this.#start(instance, argument);
        },
        (error: unknown) => {
          this.#starting--;
          // There is no room for another instance.
          if (!(error instanceof RangeError)) this.#failure?.reject(error);
          return REFUSED;
        },
      );
  }

  #start(instance: Instance<object>, argument: number): number {
    const id = this.#nextId();
    const stack = instance.memory && findThreadStack(instance.memory.buffer, argument);
    if (stack !== undefined) instance.useStack(stack);
    const controller = new AbortController();
    const body = instance.function(THREAD_START);
    const call = withOwner(this.#ownerFor(id), () => body.call([id, argument], { signal: controller.signal }));
    const onEnd = (): void => {
      this.#threads.delete(id);
      this.#ids.delete(instance);
      this.#traces.delete(id);
      // It may have been the last one that could have woken the others.
      this.#lookForDeadlock();
    };
    const ended = call.then(onEnd, (error: unknown) => {
      onEnd();
      if (!this.#hasEnded) this.#failure?.reject(asFailureOf(id, error));
    });
    this.#threads.set(id, { id, controller, ended });
    this.#ids.set(instance, id);
    return id;
  }

  #ownerFor(id: number): GuestOwner {
    return { guestStarted: (trace) => void this.#traces.set(id, trace), guestEnded: () => {} };
  }

  #nextId(): number {
    do this.#lastId = this.#lastId === LAST_ID ? 1 : this.#lastId + 1;
    while (this.#threads.has(this.#lastId));
    return this.#lastId;
  }

  /** Whether all threads wait for another one. */
  get #isStuck(): boolean {
    return this.#isAlone && !this.#hasEnded && this.#starting === 0 && (this.#waits?.endless ?? 0) > this.#threads.size;
  }

  #lookForDeadlock(): void {
    if (this.#isLooking || !this.#isStuck) return;
    this.#isLooking = true;
    // Whoever has been woken goes on before that.
    runInNextTurn(() => {
      const waits = this.#waits;
      if (waits === undefined || !this.#isStuck) {
        this.#isLooking = false;
        return;
      }
      void deadlockOf(waits, this.#ids, this.#traces).then((error) => this.#failure?.reject(error));
    });
  }
}

const LARGER_STACK = "give it a larger one, with pthread_attr_setstacksize()";

/** What becomes of the program when one of its threads ends with `error`: which one it was is said in the message. */
function asFailureOf(id: number, error: unknown): unknown {
  if (error instanceof WasiExit || !(error instanceof Error) || !Object.isExtensible(error)) return error;
  const message =
    error instanceof StackExhaustedError && error.cause instanceof WebAssembly.RuntimeError
      ? `Cannot go on: the stack of thread ${id} has ${error.limit} bytes, and needed ${error.needed}: ${LARGER_STACK}`
      : `${error.message} (in thread ${id})`;
  return Object.defineProperties(error, {
    thread: { value: id, configurable: true, writable: true },
    message: { value: message, configurable: true, writable: true },
  });
}
