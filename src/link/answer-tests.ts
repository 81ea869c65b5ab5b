/**
 * The functions between a guest and the host's: each calls a host function and has its answer cross, see {@link Crossing}.
 *
 * V8 keeps type feedback for each function literal. With one literal for all, a call of a host function has seen many of them
 * and is no longer inlined; with one for each kind of answer and number of parameters that is rarer, and the test is one
 * comparison. Rest parameters cost 20 ns. One that is inlined costs nothing; one that is not costs a JavaScript call, 3 ns.
 */

import { isSuspendUsed } from "../coroutine/suspend.ts";

/** A function that a guest imports: called with its arguments. */
export type HostFunction = (...args: unknown[]) => unknown;

/** Makes a function that calls `host`, which has `paramCount` parameters, and passes on to `other` what is not the usual answer. */
type Asker = (host: HostFunction, paramCount: number, other: (answer: unknown) => unknown) => HostFunction;

/** For imports with these results. */
export function askerFor(results: readonly string[]): Asker {
  if (results.length === 0) return askForNothing;
  if (results.length > 1) return askForOthers;
  if (results[0] === "i64") return askForBigint;
  if (results[0] === "f32" || results[0] === "f64") return askForNumber;
  return results[0] === "externref" ? askForReference : askForOthers;
}

const askForOthers: Asker = (host, _, other) => {
  return (...args) => other(host(...args));
};

const askForNothing: Asker = (host, paramCount, other) => {
  const settle = (answer: unknown): unknown => (answer === undefined ? null : other(answer));
  if (paramCount === 0) return () => settle(host());
  if (paramCount === 1) return (a) => settle(host(a));
  if (paramCount === 2) return (a, b) => settle(host(a, b));
  if (paramCount === 3) return (a, b, c) => settle(host(a, b, c));
  return (...args) => settle(host(...args));
};

const askForNumber: Asker = (host, paramCount, other) => {
  const settle = (answer: unknown): unknown => (typeof answer === "number" ? answer : other(answer));
  if (paramCount === 0) return () => settle(host());
  if (paramCount === 1) return (a) => settle(host(a));
  if (paramCount === 2) return (a, b) => settle(host(a, b));
  if (paramCount === 3) return (a, b, c) => settle(host(a, b, c));
  return (...args) => settle(host(...args));
};

const askForBigint: Asker = (host, paramCount, other) => {
  const settle = (answer: unknown): unknown => (typeof answer === "bigint" ? answer : other(answer));
  if (paramCount === 0) return () => settle(host());
  if (paramCount === 1) return (a) => settle(host(a));
  if (paramCount === 2) return (a, b) => settle(host(a, b));
  if (paramCount === 3) return (a, b, c) => settle(host(a, b, c));
  return (...args) => settle(host(...args));
};

const askForReference: Asker = (host, paramCount, other) => {
  const settle = (answer: unknown): unknown => {
    if (answer === null || (typeof answer !== "object" && typeof answer !== "function")) return answer;
    // The one look at an object that tells promises, thenables and suspensions from all others.
    return (answer as { then?: unknown }).then === undefined ? answer : other(answer);
  };
  if (paramCount === 0) return () => settle(host());
  if (paramCount === 1) return (a) => settle(host(a));
  if (paramCount === 2) return (a, b) => settle(host(a, b));
  if (paramCount === 3) return (a, b, c) => settle(host(a, b, c));
  return (...args) => settle(host(...args));
};

/** For imports that are expected to answer with a promise. One that may resolve to a suspension is not the usual answer. */
export const withPromise: Asker = (host, paramCount, other) => {
  const settle = (answer: unknown): unknown => (answer instanceof Promise && !isSuspendUsed() ? answer : other(answer));
  if (paramCount === 0) return () => settle(host());
  if (paramCount === 1) return (a) => settle(host(a));
  if (paramCount === 2) return (a, b) => settle(host(a, b));
  if (paramCount === 3) return (a, b, c) => settle(host(a, b, c));
  return (...args) => settle(host(...args));
};
