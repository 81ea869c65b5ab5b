/** Answers that are there at once or come later, without a promise where none is needed. */

import type { Soon } from "../host/file-system.ts";
import { Errno } from "./errno.ts";

/**
 * Steps of a call: a generator that yields what it waits for. {@link run} goes through them without leaving the stack for as long
 * as everything is there; an `async function` would wait at every `await`.
 *
 * ```ts
 * function* sizeOf(file: OpenFile): Steps<bigint> {
 *   const { size } = yield* soon(file.stat());
 *   return size;
 * }
 * ```
 */
export type Steps<Result> = Generator<PromiseLike<unknown>, Result, unknown>;

/** Waits for `answer` if it is a promise. */
export function* soon<Value>(answer: Soon<Value>): Steps<Value> {
  // What run() sends in is what the promise, which is of this type, was fulfilled with.
  return isPromise(answer) ? ((yield answer) as Value) : answer;
}

/** The result at once, or a promise of it if a step has to wait. */
export function run<Result>(steps: Steps<Result>): Soon<Result> {
  const first = steps.next();
  return first.done === true ? first.value : finish(steps, first.value);
}

async function finish<Result>(steps: Steps<Result>, pending: PromiseLike<unknown>): Promise<Result> {
  let awaited = pending;
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- one step after the other
    const step = await awaited.then(
      (value) => steps.next(value),
      (error: unknown) => steps.throw(error),
    );
    if (step.done === true) return step.value;
    awaited = step.value;
  }
}

/** `then` with what is there at once or comes later. */
export function after<Value, Result>(answer: Soon<Value>, use: (value: Value) => Soon<Result>): Soon<Result> {
  return isPromise(answer) ? answer.then(use) : use(answer);
}

/**
 * {@link after}, for what writes into the program's memory: not when the call is not waited for any more. What its program has there
 * is something else by then.
 */
export function afterCall<Value, Result>(
  call: Cancellable,
  answer: Soon<Value>,
  use: (value: Value) => Result,
): Soon<Result> {
  if (!isPromise(answer)) return use(answer);
  return answer.then((value) => {
    requireWanted(call);
    return use(value);
  });
}

/** @throws {Errno} `ECANCELED`, which nobody gets to see */
export function requireWanted({ signal }: Cancellable): void {
  if (signal?.aborted === true) throw new Errno("ECANCELED");
}

interface Cancellable {
  readonly signal: AbortSignal | undefined;
}

export function isPromise<Value>(answer: Soon<Value>): answer is Promise<Value> {
  return typeof answer === "object" && answer !== null && typeof (answer as { then?: unknown }).then === "function";
}
