/** Tasks that end before the code does that has started them. */

import { Timer } from "../platform/timer.ts";
import { currentContext, onCancelAround } from "./participant.ts";
import { shieldOf } from "./shield.ts";
import { checkMs } from "./sleep.ts";
import { Task, joinToTheEnd, onTaskEnd, unwrapResult } from "./task.ts";
import type { TaskBody, TaskOptions } from "./task.ts";
import { requireAllowed } from "./wait.ts";

export interface ScopeOptions {
  /** For messages and `dump()`. */
  readonly name?: string | undefined;
  /** Cancels it, and all that is in it. */
  readonly signal?: AbortSignal | undefined;
  /** Cancels it after that many milliseconds, with a `TimeoutError`. */
  readonly timeoutMs?: number | undefined;
}

/** What has to be ended with the scope: a child, or a cleanup. */
type Entry = Task | (() => unknown);

/** Given to the body of `scope()`. */
export class Scope {
  readonly #entries = new Set<Entry>();
  #body: Task | undefined;
  #failure: { readonly error: unknown } | undefined;
  #teardown: Promise<void> | undefined;
  #cancellation: { readonly reason: unknown } | undefined;
  #isOver = false;
  /** The task in whose code it is, which waits for all of it. */
  readonly #owner = currentContext()?.participant;

  /** Aborts when the body is cancelled, also because a child has thrown: for what it calls that is not of this library. */
  get signal(): AbortSignal {
    if (this.#body === undefined) throw new Error("Cannot give signal: the scope has not begun");
    return this.#body.signal;
  }

  /**
   * Starts a child. If it throws, the scope fails with its error.
   *
   * @throws {Error} when the scope is ending; when it was cancelled, the reason
   */
  spawn<Value>(body: TaskBody<Value>, options?: TaskOptions): Task<Value> {
    if (this.#cancellation !== undefined) throw this.#cancellation.reason;
    if (this.#teardown !== undefined)
      throw new Error(`Cannot spawn: the scope ${this.#isOver ? "has ended" : "is ending"}`);
    const task = new Task(body, options);
    this.#entries.add(task);
    onTaskEnd(task, () => {
      this.#entries.delete(task);
      if (task.result?.state === "threw") this.#fail(task.result.error);
    });
    return task;
  }

  /**
   * Has `cleanup` called when the scope ends, in turn with its children: what came last is ended first. Also when it is ending
   * already, so that whoever has just opened something can still have it closed. A scope that is cancelled does not wait for its body
   * before: closing what that waits for may be what ends it.
   *
   * @throws {Error} when the scope has ended
   */
  defer(cleanup: () => unknown): void {
    if (this.#isOver) throw new Error("Cannot defer: the scope has ended");
    // A function of its own: one that is given twice is called twice.
    this.#entries.add(() => cleanup());
  }

  /** Waits until all its children have ended by themselves, also those that are spawned meanwhile. */
  async join(): Promise<void> {
    // What is added while a set is walked is walked as well.
    for (const entry of this.#entries) if (entry instanceof Task) await entry.join();
  }

  /** Cancels the body and all children; the scope ends with `reason`. */
  cancel(reason: unknown = new DOMException("The scope was cancelled", "AbortError")): void {
    this.#cancellation ??= { reason };
    this.#body?.cancel(reason);
    void this.#end(reason);
  }

  /** @internal Runs `body`, then ends what is left. */
  async run<Value>(body: (scope: Scope) => Value | PromiseLike<Value>, name: string | undefined): Promise<Value> {
    const task = new Task(() => body(this), { name: name ?? "scope" });
    this.#body = task;
    await shieldOf(this.#owner, () => this.#join(task));
    // Errors of cleanups come later, and are not the cause.
    if (task.result?.state === "threw") this.#failure ??= { error: task.result.error };
    const reason = new DOMException("The scope has ended", "AbortError");
    await this.#end(reason);
    // What the body has deferred since, if it was cancelled and took its time.
    if (this.#entries.size > 0) await shieldOf(this.#owner, () => this.#endEntries(reason));
    this.#isOver = true;
    if (this.#failure !== undefined) throw this.#failure.error;
    const value = unwrapResult(task.result!);
    // Also if the body has taken no notice, or was over: whoever has cancelled it does not expect a value.
    if (this.#cancellation !== undefined) throw this.#cancellation.reason;
    return value;
  }

  /** Only the first error counts; that of each child is also in its result. */
  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.cancel(error);
  }

  #end(reason: unknown): Promise<void> {
    // Set before it begins: what it cancels may come back here.
    this.#teardown ??= shieldOf(this.#owner, () => this.#endEntries(reason));
    return this.#teardown;
  }

  /** In reverse order, one after the other: what came first may be in use by what came later. */
  async #endEntries(reason: unknown): Promise<void> {
    // Those that end together with the scope may do so before they are cancelled; and #teardown is set first.
    await Promise.resolve();
    // Again for what is deferred meanwhile.
    while (this.#entries.size > 0) {
      for (const entry of [...this.#entries].toReversed()) await this.#endEntry(entry, reason);
    }
  }

  async #endEntry(entry: Entry, reason: unknown): Promise<void> {
    if (!this.#entries.delete(entry)) return; // has ended meanwhile
    if (entry instanceof Task) {
      entry.cancel(reason);
      await this.#join(entry);
    } else await this.#attempt(entry);
  }

  #join(task: Task): Promise<void> {
    return this.#attempt(() => joinToTheEnd(task));
  }

  /** An error must not keep it from ending what is left. */
  async #attempt(body: () => unknown): Promise<void> {
    try {
      await body();
    } catch (error) {
      this.#failure ??= { error };
    }
  }
}

/**
 * Runs `body`, and ends all children that it has spawned before it ends itself: those that still run then are cancelled, the last one
 * first, each when the one after it has ended.
 *
 * - If a child throws, the body and the other children are cancelled, and the scope rejects with that error.
 * - If the task around it is cancelled, so is the scope; it is waited for.
 *
 * ```ts
 * const total = await scope(async (scope) => {
 *   const parts = files.map((file) => scope.spawn(() => count(file)));
 *   return sum(await Promise.all(parts));
 * });
 * ```
 */
export async function scope<Value>(
  body: (scope: Scope) => Value | PromiseLike<Value>,
  options: ScopeOptions = {},
): Promise<Value> {
  const { name, signal, timeoutMs } = options;
  if (timeoutMs !== undefined) checkMs(timeoutMs);
  requireAllowed(options);
  const made = new Scope();
  const forget = cancelWith(made, signal);
  const timer =
    timeoutMs === undefined
      ? undefined
      : new Timer(timeoutMs, () => made.cancel(new DOMException(`It took more than ${timeoutMs} ms`, "TimeoutError")));
  try {
    return await made.run(body, name);
  } finally {
    timer?.clear();
    forget();
  }
}

/** Cancels the scope with the task around it, and by its signal; returns what stops that. */
function cancelWith(made: Scope, signal: AbortSignal | undefined): () => void {
  const forgetTask = onCancelAround((reason) => made.cancel(reason));
  const onAbort = (): void => made.cancel(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  return () => {
    forgetTask();
    signal?.removeEventListener("abort", onAbort);
  };
}

/** Runs `body`, cancels it after that many milliseconds, and then rejects with a `TimeoutError` when it has ended. */
export function timeout<Value>(
  ms: number,
  body: (scope: Scope) => Value | PromiseLike<Value>,
  options?: Omit<ScopeOptions, "timeoutMs">,
): Promise<Value> {
  return scope(body, { name: "timeout", ...options, timeoutMs: ms });
}
