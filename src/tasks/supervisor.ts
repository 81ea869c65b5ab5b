/** Tasks that are started again when they fail. */

import { Mailbox } from "./mailbox.ts";
import { scope } from "./scope.ts";
import type { ScopeOptions } from "./scope.ts";
import { shield } from "./shield.ts";
import { sleep } from "./sleep.ts";
import { Task, joinToTheEnd, onTaskEnd } from "./task.ts";

/** Which children are started again when one fails: it, all of them, or it and those that were listed after it. */
export type RestartStrategy = "one-for-one" | "one-for-all" | "rest-for-one";

export interface SupervisedChild {
  readonly name: string;
  readonly run: (task: Task) => unknown;
  /** When it is started again: however it ends, when it fails (when left out), or never, also when it is ended for another one. */
  readonly restart?: "permanent" | "transient" | "temporary" | undefined;
}

export interface SupervisorOptions {
  /** `"one-for-one"` when left out. */
  readonly strategy?: RestartStrategy | undefined;
  /** More restarts than that, within `withinMs`, end the supervisor; 3 in 5,000 ms when left out. */
  readonly maxRestarts?: number | undefined;
  readonly withinMs?: number | undefined;
  /** How long it waits before a restart; not at all when left out. */
  readonly backoff?: Backoff | undefined;
}

export interface Backoff {
  /** Before the first restart within `withinMs`. */
  readonly initialMs: number;
  readonly maxMs: number;
  /** From one restart to the next; 2 when left out. */
  readonly factor?: number | undefined;
}

const STRATEGIES: readonly RestartStrategy[] = ["one-for-one", "one-for-all", "rest-for-one"];
const RESTARTS = ["permanent", "transient", "temporary"] as const;

function requireOneOf(what: string, value: string, allowed: readonly string[]): void {
  if (allowed.includes(value)) return;
  throw new TypeError(`Cannot supervise: ${what} is ${value}, expected ${allowed.join(", ")}`);
}

/** A child has failed too often. */
export class RestartLimitError extends Error {
  override readonly name = "RestartLimitError";
  /** The child that has failed last; with what: `cause`. */
  readonly child: string;

  constructor(child: string, maxRestarts: number, options?: ErrorOptions) {
    super(`Cannot restart ${child}: there were ${maxRestarts} restarts already, the limit`, options);
    this.child = child;
  }
}

/** A child, and the task that runs it now. */
interface Slot {
  readonly child: SupervisedChild;
  task: Task | undefined;
}

/** What a supervisor runs now. */
interface Running {
  readonly slots: readonly Slot[];
  /** Those whose tasks have ended. */
  readonly ended: Mailbox<Slot>;
  /** Where there is no asynchronous context nothing else says that it is cancelled. */
  readonly signal: AbortSignal;
}

/**
 * Runs children, and starts them again when they fail.
 *
 * ```ts
 * const supervisor = new Supervisor([{ name: "listener", run: listen }, { name: "clock", run: tick }], { strategy: "rest-for-one" });
 * await supervisor.run({ signal });
 * ```
 */
export class Supervisor {
  readonly #children: readonly SupervisedChild[];
  readonly #strategy: RestartStrategy;
  readonly #maxRestarts: number;
  readonly #withinMs: number;
  readonly #backoff: Backoff | undefined;

  constructor(children: readonly SupervisedChild[], options: SupervisorOptions = {}) {
    const { strategy = "one-for-one", maxRestarts = 3, withinMs = 5000, backoff } = options;
    requireOneOf("strategy", strategy, STRATEGIES);
    for (const { name, run, restart = "transient" } of children) {
      if (typeof run !== "function")
        throw new TypeError(`Cannot supervise ${name}: run is ${typeof run}, expected a function`);
      requireOneOf(`restart of ${name}`, restart, RESTARTS);
    }
    this.#children = children;
    this.#strategy = strategy;
    this.#maxRestarts = maxRestarts;
    this.#withinMs = withinMs;
    this.#backoff = backoff;
  }

  /**
   * Starts the children in their order. Ends when none is left to run; when it is cancelled, or a child has failed too often
   * ({@link RestartLimitError}), it ends the children first, the last one first.
   */
  run(options: ScopeOptions = {}): Promise<void> {
    return scope(
      async (scope) => {
        const slots = this.#children.map((child): Slot => ({ child, task: undefined }));
        const ended = new Mailbox<Slot>({ name: "of supervisor" });
        scope.defer(() => stop(slots));
        for (const slot of slots) start(slot, ended);
        await this.#watch({ slots, ended, signal: scope.signal });
      },
      { name: "supervisor", ...options },
    );
  }

  async #watch(running: Running): Promise<void> {
    const { slots, ended, signal } = running;
    const restarts: number[] = [];
    while (slots.some(({ task }) => task !== undefined)) {
      const slot = await ended.receive({ signal });
      const { task, child } = slot;
      // It may have been ended for another one, and started again, since.
      if (task?.result === undefined) continue;
      slot.task = undefined;
      if (!isRestarted(child, task)) continue;
      const now = performance.now();
      while (restarts.length > 0 && now - restarts[0]! > this.#withinMs) restarts.shift();
      if (restarts.length >= this.#maxRestarts) {
        throw new RestartLimitError(child.name, this.#maxRestarts, { cause: failureOf(task) });
      }
      restarts.push(now);
      await this.#restart(slot, running, this.#delayMs(restarts.length));
    }
  }

  async #restart(failed: Slot, { slots, ended, signal }: Running, delayMs: number): Promise<void> {
    const others = this.#restartedWith(failed, slots).filter(({ task }) => task !== undefined);
    await stop(others);
    if (delayMs > 0) await sleep(delayMs, { signal });
    // It may have been cancelled while it stopped the others.
    signal.throwIfAborted();
    const isBack = (slot: Slot): boolean =>
      slot === failed || (others.includes(slot) && slot.child.restart !== "temporary");
    for (const slot of slots) if (isBack(slot)) start(slot, ended);
  }

  #restartedWith(failed: Slot, slots: readonly Slot[]): readonly Slot[] {
    if (this.#strategy === "one-for-one") return [];
    return this.#strategy === "one-for-all" ? slots : slots.slice(slots.indexOf(failed) + 1);
  }

  #delayMs(restarts: number): number {
    if (this.#backoff === undefined) return 0;
    const { initialMs, maxMs, factor = 2 } = this.#backoff;
    return Math.min(maxMs, initialMs * factor ** (restarts - 1));
  }
}

function start(slot: Slot, ended: Mailbox<Slot>): void {
  const task = new Task((task: Task) => slot.child.run(task), { name: slot.child.name });
  slot.task = task;
  onTaskEnd(task, () => {
    if (slot.task === task) ended.send(slot);
  });
}

/** The last one first, each when the one after it has ended. An error, as that of a deadlock, is thrown when all have ended. */
async function stop(slots: readonly Slot[]): Promise<void> {
  let failure: { readonly error: unknown } | undefined;
  for (const slot of slots.toReversed()) {
    const { task } = slot;
    slot.task = undefined;
    task?.cancel();
    try {
      // Also if the supervisor is cancelled meanwhile: it must not end before its children.
      if (task !== undefined) await shield(() => joinToTheEnd(task));
    } catch (error) {
      failure ??= { error };
    }
  }
  if (failure !== undefined) throw failure.error;
}

function isRestarted({ restart = "transient" }: SupervisedChild, { result }: Task): boolean {
  if (restart === "temporary") return false;
  return restart === "permanent" || result?.state !== "returned";
}

function failureOf({ result }: Task): unknown {
  if (result === undefined || result.state === "returned") return undefined;
  return result.state === "threw" ? result.error : result.reason;
}
