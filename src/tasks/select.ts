/** The first of several things to happen. */

import type { Soon } from "../coroutine/pending.ts";
import type { WaitReason } from "./participant.ts";
import { SelectCase } from "./select-case.ts";
import { checkMs, endAfter } from "./sleep.ts";
import { promiseOf, readySoon } from "./soon.ts";
import { Task } from "./task.ts";
import { joinPromise, pollPromise, requirePromise } from "./until.ts";
import { Wait, requireAllowed } from "./wait.ts";
import type { WaitOptions } from "./wait.ts";
import type { Joining } from "./wait-queue.ts";

/** By the names under which the result says which one it was. */
// With PromiseLike<unknown>, TypeScript would take `unknown` for what a `promise.then(…)` that is written among the cases results in.
// oxlint-disable-next-line typescript/no-explicit-any -- nothing is done with it: ValueOf has the type of each case
export type SelectCases = Readonly<Record<string, SelectCase<unknown> | PromiseLike<any>>>;

type ValueOf<Case> =
  Case extends SelectCase<infer Value> ? Value : Case extends PromiseLike<infer Value> ? Value : never;

/** Which case it was, and its value. */
export type Selected<Cases extends SelectCases> = {
  readonly [Key in keyof Cases & string]: { readonly key: Key; readonly value: ValueOf<Cases[Key]> };
}[keyof Cases & string];

export interface SelectOptions extends WaitOptions {
  /** Of several that are ready the first one listed is taken; otherwise any, so that none is always passed over. */
  readonly inOrder?: boolean | undefined;
}

/** A case that is ready after that many milliseconds, counted from the `select()`. */
export function after(ms: number): SelectCase<void> {
  checkMs(ms);
  return new TimerCase(ms);
}

class TimerCase extends SelectCase<void> {
  override readonly isExternal = true;
  readonly #ms: number;

  constructor(ms: number) {
    super();
    this.#ms = ms;
  }

  describe(): string {
    return "a timer";
  }

  poll(): undefined {
    return undefined;
  }

  join({ wait, asResult }: Joining<void, undefined>): void {
    endAfter(wait, this.#ms, () => wait.succeed(asResult?.(undefined)));
  }
}

class SelectReason implements WaitReason {
  readonly isExternal: boolean;
  readonly #cases: SelectCases;

  constructor(cases: SelectCases) {
    this.#cases = cases;
    this.isExternal = Object.values(cases).some((each) => !(each instanceof SelectCase) || each.isExternal);
  }

  describe(): string {
    return Object.values(this.#cases)
      .map((each) => (each instanceof SelectCase ? each.describe() : "a promise"))
      .join(" or ");
  }

  holders(): undefined {
    return undefined;
  }
}

/**
 * Waits for the first of several channel operations, timers and promises, and does that one alone: the others have not happened, and
 * leave nothing behind. A task is awaitable, and so a case. Rejects with the error of what is first, for instance of a closed channel,
 * and with a `TypeError` if one of them is no case.
 *
 * ```ts
 * const first = await select({ job: jobs.receiving(), idle: after(1000), stopped: task });
 * if (first.key === "job") work(first.value);
 * ```
 */
export function select<const Cases extends SelectCases>(
  cases: Cases,
  options?: SelectOptions,
): Promise<Selected<Cases>> {
  try {
    return promiseOf(selectSoon(cases, options));
  } catch (error) {
    return Promise.reject(error);
  }
}

/**
 * {@link select} for host functions of guests: where a case is ready the guest goes on at once.
 *
 * @throws the error of a case, if that is first and at once
 */
export function selectSoon<const Cases extends SelectCases>(
  cases: Cases,
  options?: SelectOptions,
): Soon<Selected<Cases>> {
  requireAllowed(options);
  const giveBack = ({ key, value }: Selected<Cases>): void => {
    const each = cases[key];
    if (each instanceof SelectCase) each.giveBack(value);
  };
  const entries = Object.entries(cases);
  requireCases(entries);
  const taken = pollCases<Cases>(entries, options?.inOrder === true);
  if (taken !== undefined) return readySoon(taken, giveBack);
  const wait = new Wait<Selected<Cases>>(new SelectReason(cases), options, giveBack);
  for (const [key, each] of entries) {
    const joining = { wait, demand: undefined, asResult: (value: unknown) => ({ key, value }) };
    if (each instanceof SelectCase) each.join(joining);
    else joinPromise(each, joining);
  }
  return wait.begin();
}

type Entries = readonly (readonly [key: string, each: SelectCases[string]])[];

/** @throws {TypeError} when there are none, or one is neither a case nor a promise */
function requireCases(entries: Entries): void {
  if (entries.length === 0) throw new TypeError("Cannot select: there are no cases, expected one at least");
  for (const [key, each] of entries) if (!(each instanceof SelectCase)) requirePromise(each, `case ${key}`);
}

/** Does what is ready, if there is such a case. */
function pollCases<Cases extends SelectCases>(entries: Entries, inOrder: boolean): Selected<Cases> | undefined {
  const start = inOrder ? 0 : Math.floor(Math.random() * entries.length);
  for (let i = 0; i < entries.length; i++) {
    const [key, each] = entries[(start + i) % entries.length]!;
    const taken =
      each instanceof SelectCase ? each.poll() : pollPromise(each, each instanceof Promise || each instanceof Task);
    // Of the type that the case has under this key.
    if (taken !== undefined) return { key, value: taken.value } as Selected<Cases>;
  }
  return undefined;
}
