/** Backend `worker`: coroutines whose bodies are plain JavaScript, each blocked in a thread of its own while it is suspended. */

import { Coroutine } from "../coroutine/coroutine.ts";
import { ForcedUnwind } from "../coroutine/errors.ts";
import type { Fiber, SyncRefusal } from "../coroutine/fiber.ts";
import { startCoroutineThreads, takeCoroutineThread } from "../threads/coroutine-thread.ts";
import type { CoroutineThread } from "../threads/coroutine-thread.ts";
import { KIND } from "../threads/line.ts";
import type { Message } from "../threads/mailbox.ts";
import { passable } from "../threads/passable-error.ts";
import { ThreadError } from "../threads/thread-end.ts";
import { COROUTINE_ENTRY } from "./entries.ts";
import type { Yielder } from "./yielder.ts";

export interface WorkerCoroutineOptions {
  /** Milliseconds that a body has to suspend or end when it is unwound; then its thread is ended. 1000 when left out. */
  readonly graceMs?: number | undefined;
  /** Whether errors that leave it say who has resumed it. */
  readonly backtraces?: boolean | undefined;
}

type InputOf<Export> = Export extends (yielder: Yielder<infer Input, never>, ...rest: never[]) => unknown
  ? Input
  : unknown;
type YieldOf<Export> = Export extends (yielder: Yielder<never, infer Yield>, ...rest: never[]) => unknown
  ? Yield
  : unknown;
type ReturnOf<Export> = Export extends (...args: never[]) => infer Return ? Awaited<Return> : unknown;

/**
 * A coroutine whose body is a function that a module exports: `(yielder, input) => value`. It runs in a thread, and suspends from any depth of
 * ordinary calls: in comparators of `sort`, in getters, in functions of other libraries.
 *
 * - Values and errors are cloned on their way.
 * - `resume()` blocks this thread until the body suspends; where that is not allowed, in the main thread of a page, there is `resumeAsync()`.
 * - A thread is taken with the first resume and given back at the end. Modules stay loaded in it, and keep what they keep in variables.
 *
 * @example
 *     // numbers.ts
 *     export function numbers(yielder: Yielder<number, string>, input: number): number {
 *       return [1, 2].reduce((sum, each) => sum + yielder.suspend(`${each} of ${input}`), 0);
 *     }
 *     // main.ts
 *     const coroutine = workerCoroutine<typeof import("./numbers.js"), "numbers">(new URL("./numbers.js", import.meta.url), "numbers");
 *     coroutine.resume(10); // { done: false, value: "1 of 10" }
 *
 * @param module the URL of the module
 */
export function workerCoroutine<Module extends object, Key extends keyof Module & string>(
  module: URL | string,
  exportName: Key,
  { graceMs = GRACE_MS, backtraces }: WorkerCoroutineOptions = {},
): Coroutine<InputOf<Module[Key]>, YieldOf<Module[Key]>, ReturnOf<Module[Key]>> {
  return new Coroutine(new WorkerFiber(String(module), exportName, graceMs), { backtraces });
}

/**
 * Starts threads for coroutines before they are wanted. The first `resume()` is faster then by the 30 ms that a thread takes to start; and in workers
 * of browsers, some of which start no thread for one that blocks, it is what makes it possible.
 */
export function prepareCoroutineThreads(count: number): Promise<void> {
  return startCoroutineThreads(COROUTINE_ENTRY, count);
}

const GRACE_MS = 1000;
/** How often a body may go on after it was told to end. */
const MAX_UNWINDS = 1000;

/** A suspended coroutine that nobody has any more can never go on: its thread is ended. */
const abandoned = new FinalizationRegistry<CoroutineThread>((thread) => void thread.terminate());

class WorkerFiber<Input, Yield, Return> implements Fiber<Input, Yield, Return> {
  readonly signal = undefined;
  readonly #module: string;
  readonly #name: string;
  readonly #graceMs: number;
  #thread: CoroutineThread | undefined;
  /** The call that the body is blocked in. */
  #suspension: Message | undefined;
  /** While the body runs, and this thread does not wait for it. */
  #running: Promise<Message> | undefined;
  #unwinding: ForcedUnwind | undefined;
  hasEnded = false;

  constructor(module: string, name: string, graceMs: number) {
    this.#module = module;
    this.#name = name;
    this.#graceMs = graceMs;
  }

  get syncRefusal(): SyncRefusal | undefined {
    return mayBlock() ? undefined : { backend: "worker", reason: "the main thread of a page must not wait" };
  }

  requireRoom(): void {}

  resume(input: Input): Promise<IteratorResult<Yield, Return>> {
    return this.#step(KIND.returned, input);
  }

  resumeSync(input: Input): IteratorResult<Yield, Return> {
    return this.#stepSync(KIND.returned, input);
  }

  throw(error: unknown): Promise<IteratorResult<Yield, Return>> {
    return this.#step(KIND.threw, passable(error));
  }

  throwSync(error: unknown): IteratorResult<Yield, Return> {
    return this.#stepSync(KIND.threw, passable(error));
  }

  async unwind(reason?: unknown): Promise<void> {
    const unwinding = (this.#unwinding = new ForcedUnwind(undefined, reason === undefined ? {} : { cause: reason }));
    const timer = setTimeout(() => void this.reset(), this.#graceMs);
    try {
      // A step that is under way ends by itself, and says so to whoever waits for it.
      await this.#running?.catch(() => {});
      for (let round = 0; this.#suspension !== undefined && round < MAX_UNWINDS; round++) {
        this.#settle(await this.#exchange(KIND.threw, passable(unwinding)));
      }
    } catch (error) {
      if (!isForcedUnwind(error) && !(error instanceof ThreadError)) throw error;
    } finally {
      clearTimeout(timer);
    }
    await this.reset();
  }

  async reset(): Promise<void> {
    const thread = this.#thread;
    this.#end();
    await thread?.terminate();
  }

  async #step(kind: number, value: unknown): Promise<IteratorResult<Yield, Return>> {
    let message: Message;
    try {
      message = await this.#exchange(kind, value);
    } catch (error) {
      throw this.#failed(error);
    }
    const result = this.#settle(message);
    if (this.#unwinding !== undefined && result.done !== true) throw this.#unwinding;
    return result;
  }

  #stepSync(kind: number, value: unknown): IteratorResult<Yield, Return> {
    let message: Message;
    try {
      message = this.#send(kind, value).receiveSync();
    } catch (error) {
      throw this.#failed(error);
    }
    return this.#settle(message);
  }

  /** Not an async function: what comes is known to whoever has asked first, first. */
  #exchange(kind: number, value: unknown): Promise<Message> {
    const running = this.#send(kind, value).receive();
    this.#running = running;
    const forget = (): void => void (this.#running = undefined);
    running.then(forget, forget);
    return running;
  }

  /** @throws when the value cannot be cloned: the body is where it was */
  #send(kind: number, value: unknown): CoroutineThread {
    if (this.#thread === undefined || this.#suspension === undefined) return this.#begin(value);
    this.#thread.answer(this.#suspension, kind, value);
    this.#suspension = undefined;
    return this.#thread;
  }

  #begin(input: unknown): CoroutineThread {
    const thread = takeCoroutineThread(COROUTINE_ENTRY);
    this.#thread = thread;
    abandoned.register(this, thread, this);
    thread.run([this.#module, this.#name, input]);
    return thread;
  }

  #settle({ kind, value, ...header }: Message): IteratorResult<Yield, Return> {
    if (kind === KIND.call) {
      this.#suspension = { kind, value, ...header };
      return { done: false, value: (value as [Yield])[0] };
    }
    const thread = this.#thread;
    this.#end();
    thread?.release();
    if (kind === KIND.returned) return { done: true, value: value as Return };
    throw this.#unwinding !== undefined && isForcedUnwind(value) ? this.#unwinding : value;
  }

  #failed(error: unknown): unknown {
    if (error instanceof ThreadError && error.reason !== "would-deadlock") this.#end();
    return this.#unwinding ?? error;
  }

  #end(): void {
    this.hasEnded = true;
    this.#suspension = undefined;
    this.#thread = undefined;
    abandoned.unregister(this);
  }
}

function isForcedUnwind(error: unknown): boolean {
  return error instanceof Error && error.name === "ForcedUnwind";
}

/** Browsers let no page wait, only its workers. */
function mayBlock(): boolean {
  return typeof (globalThis as { readonly document?: unknown }).document === "undefined";
}
