/**
 * Runs several bodies at once in one instance, each on a native and a shadow stack of its own, and goes from one to another
 * at every call of the host.
 */

import type { Outcome } from "#src/transform/suspended-stack";
import type { SuspendingGuest, Waiting } from "./guest.ts";
import type { HostFunction } from "./observation.ts";

/** A call of an export that a body asks for; it is answered with the result. */
export interface ExportCall {
  readonly name: string;
  readonly parameters: readonly unknown[];
}

/** Yields the calls that may suspend, and returns what is to be compared. */
export type Body = Generator<ExportCall, string, unknown>;

/** Runs a body by itself. */
export function runAlone(body: Body, exports: WebAssembly.Exports): string {
  let step = body.next();
  while (!step.done) {
    const { name, parameters } = step.value;
    step = body.next((exports[name] as HostFunction)(...parameters));
  }
  return step.value;
}

/** The shadow stack of C. */
export interface StackPointer {
  get(): number;
  set(address: number): void;
}

/**
 * What a call of the host does to the body that made it, other than being answered: enters the guest through a table, and is
 * answered with what `answer` returns when that has ended, or with what it throws.
 */
export interface TableCall {
  readonly entry: HostFunction;
  readonly parameters: readonly unknown[];
  /** Given what the entry threw, or null. */
  answer(thrown: { readonly error: unknown } | null): unknown;
}

export interface InterleavingOptions {
  readonly stackPointer: StackPointer;
  /** For each body, the end of memory of its own that it may use as a stack. */
  readonly stackEnds: readonly number[];
  /** Decides who goes on; gives integers that are not negative. */
  readonly random: () => number;
  /** Whether the guest is not to be left at such a call, as in the middle of its allocator: it suspends, but goes on next. */
  readonly isAtomic?: (name: string) => boolean;
  /** For calls of the host that have to enter the guest again on the stack of the caller. */
  readonly asTableCall?: (name: string, parameters: readonly unknown[]) => TableCall | null;
}

/** One body: the calls that it is in, the innermost last. */
class Task {
  readonly body: Body;
  stackPointer: number;
  result: string | undefined;
  readonly waiting: { outer: Waiting; call: TableCall }[] = [];
  current: Waiting | undefined;

  constructor(body: Body, stackPointer: number) {
    this.body = body;
    this.stackPointer = stackPointer;
  }
}

export class Interleaving {
  readonly #guest: SuspendingGuest;
  readonly #options: InterleavingOptions;
  /** How often another body went on than the one before. */
  switches = 0;

  constructor(guest: SuspendingGuest, options: InterleavingOptions) {
    this.#guest = guest;
    this.#options = options;
  }

  /** Returns what the bodies return. */
  run(bodies: readonly Body[]): string[] {
    const { stackPointer, stackEnds, random } = this.#options;
    const own = stackPointer.get();
    const tasks = bodies.map((body, index) => new Task(body, stackEnds[index]!));
    let running = tasks;
    let last: Task | undefined;
    while (running.length > 0) {
      const task = running[random() % running.length]!;
      if (task !== last) this.switches++;
      last = task;
      stackPointer.set(task.stackPointer);
      this.#step(task);
      task.stackPointer = stackPointer.get();
      running = running.filter(({ result }) => result === undefined);
    }
    stackPointer.set(own);
    return tasks.map(({ result }) => result!);
  }

  /** Runs until the next call of the host. */
  #step(task: Task): void {
    if (task.current) this.#answer(task, task.current);
    else this.#advance(task, undefined);
  }

  #advance(task: Task, answer: unknown): void {
    const step = task.body.next(answer);
    if (step.done) task.result = step.value;
    else this.#follow(task, () => this.#guest.start(step.value.name, ...step.value.parameters));
  }

  #answer(task: Task, waiting: Waiting): void {
    const { name, parameters } = this.#guest.callOf(waiting);
    const call = this.#options.asTableCall?.(name, parameters);
    if (!call) {
      this.#follow(task, () => this.#guest.answer(waiting));
      return;
    }
    task.waiting.push({ outer: waiting, call });
    this.#follow(task, () => this.#guest.startFunction(call.entry, ...call.parameters));
  }

  #skipAtomic(came: Outcome): Outcome {
    let outcome = came;
    while (!outcome.done && this.#options.isAtomic?.(this.#guest.callOf(outcome).name)) {
      outcome = this.#guest.answer(outcome);
    }
    return outcome;
  }

  /** What becomes of the task when the innermost of its calls goes on. */
  #follow(task: Task, goOn: () => Outcome): void {
    task.current = undefined;
    const { outcome, thrown } = attempt(() => this.#skipAtomic(goOn()));
    if (outcome && !outcome.done) {
      task.current = outcome;
      return;
    }
    const around = task.waiting.pop();
    if (around) {
      this.#follow(task, () => this.#guest.resume(around.outer, () => around.call.answer(thrown)));
      return;
    }
    if (!outcome) throw thrown?.error;
    this.#advance(task, outcome.values[0]);
  }
}

interface Attempt {
  readonly outcome: Outcome | null;
  readonly thrown: { readonly error: unknown } | null;
}

function attempt(goOn: () => Outcome): Attempt {
  try {
    return { outcome: goOn(), thrown: null };
  } catch (error) {
    return { outcome: null, thrown: { error } };
  }
}
