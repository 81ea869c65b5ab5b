/**
 * The JavaScript that a guest's shims and its link module call when they are not sure what a host function has answered.
 *
 * Everything that runs once per call is here and small: a ready answer passes one comparison.
 */

import { SuspendError } from "../coroutine/errors.ts";
import { Pending } from "../coroutine/pending.ts";
import { Suspension, isSuspendUsed } from "../coroutine/suspend.ts";
import { REFUEL_MODULE } from "../preemption/counter.ts";
import { activationOf } from "./activation.ts";
import type { Activation } from "./activation.ts";
import { askerFor, withPromise } from "./answer-tests.ts";
import type { HostFunction } from "./answer-tests.ts";
import { conversionCheck, conversionFailure } from "./conversion.ts";
import type { Check } from "./conversion.ts";
import { MARK, crossingOf } from "./import-shims.ts";
import { AWAITED, CURRENT, FLAGS, GUEST, OUTER, SYNCHRONOUS, readWord, words } from "./switchboard.ts";

/** The engine's class, which TypeScript's library does not know: thrown when it will not suspend. */
const { SuspendError: EngineSuspendError } = WebAssembly as { readonly SuspendError?: new () => Error };

/** One imported function that has a shim. */
export interface HostImport {
  readonly module: string;
  readonly name: string;
  readonly results: readonly string[];
  /** Called with the guest's arguments; whatever it returns is an answer. */
  readonly host: HostFunction;
  /** Whether it is known to answer with a promise of the platform every time. */
  readonly alwaysAwaits: boolean;
}

function isObject(answer: unknown): answer is object {
  return (typeof answer === "object" && answer !== null) || typeof answer === "function";
}

/** Whether the guest has to wait for `answer`. */
export function isPending(answer: unknown): answer is PromiseLike<unknown> | Suspension {
  if (!isObject(answer)) return false;
  if (answer instanceof Promise || answer instanceof Suspension) return true;
  return typeof (answer as { then?: unknown }).then === "function";
}

/** Whether the engine has refused to suspend. */
export function isEngineRefusal(error: unknown): boolean {
  return EngineSuspendError !== undefined && error instanceof EngineSuspendError;
}

/** Thrown to leave a suspending import without suspending; generated code catches it at once. */
const notPending = new Error("not pending");

/** After so many surprises a shim always asks first: its import answers with promises and with values. */
const MAX_SURPRISES = 8;

/** The functions of `link.*` that shims and entries import, for one instance. */
export class ImportSide {
  readonly #imports: readonly HostImport[];
  readonly #placeholders: readonly unknown[];
  readonly #checks: readonly (Check | undefined)[];
  /** Position → how often the shim expected a promise and got none, which costs an exception: 700 ns. */
  readonly #surprises: number[];
  /** What generated code has to wait for, until it asks for it, which it does at once. */
  #pending: unknown = null;
  /**
   * Answers that were no promises, until generated code asks for them. A hook that runs in between may call the guest, which puts
   * its own on top and takes it away again.
   */
  readonly #surprising: unknown[] = [];
  /** Whether a suspending import has just found that there is nothing to wait for. */
  #isSurprise = false;
  /** Block of the guest whose imports these are. Set when it has one. */
  guest = 0;
  /** Position → what its shim expects: 1 a promise, 0 a value, -1 either. Set when the shims exist. */
  expects: readonly WebAssembly.Global[] = [];

  constructor(imports: readonly HostImport[]) {
    this.#imports = imports;
    this.#placeholders = imports.map(placeholderOf);
    this.#surprises = imports.map(() => 0);
    this.#checks = imports.map(conversionCheck);
  }

  /** `module.name` of each import. */
  get names(): readonly string[] {
    return this.#imports.map(({ module, name }) => `${module}.${name}`);
  }

  /** The function that the guest imports: the host function, whose answer has its {@link Crossing}. */
  ask(position: number, paramCount: number): HostFunction {
    const { host, results } = this.#imports[position]!;
    const crossing = crossingOf(results);
    if (crossing === "integer") return host;
    if (crossing === "values") {
      return askerFor(results)(host, paramCount, (answer) => this.#classify(position, answer));
    }
    return askerFor(results)(host, paramCount, (answer) => {
      if (!isPending(answer)) return null;
      this.#requireSuspendable(position, answer);
      return answer;
    });
  }

  /** `await-host.<position>`, to be made suspending: calls the host function, whose answer is expected to be a promise. */
  awaitHost(position: number, paramCount: number): HostFunction {
    const { host, results, alwaysAwaits } = this.#imports[position]!;
    // What a number is made of can be told from the engine's error afterwards, without a detour on the way.
    const check = refusesSuspensions(results) ? undefined : this.#checks[position];
    if (alwaysAwaits && refusesSuspensions(results)) return host;
    const prepare = (answer: unknown): unknown => {
      if (!isPending(answer)) this.#expectNoPromise(position, answer);
      return awaitAnswer(answer, undefined, check);
    };
    return check === undefined ? withPromise(host, paramCount, prepare) : (...args) => prepare(host(...args));
  }

  /** `link.failed`: looks at what a suspending import threw, at once or when it was resumed. */
  readonly failed = (exception: unknown, position: number): void => {
    if (exception === notPending) {
      this.#isSurprise = false;
      return;
    }
    if (isEngineRefusal(exception)) {
      this.#refuse(position);
      return;
    }
    throw conversionFailure(this.#imports[position]!, exception) ?? exception;
  };

  /** `link.settle`: classifies an answer that generated code holds. */
  readonly settle = (answer: unknown, position: number): unknown => this.#classify(position, answer);

  /** The values of `answer`; if it is pending, what announces it, and {@link ImportSide.pending} is it. */
  #classify(position: number, answer: unknown): unknown {
    if (!isPending(answer)) {
      const check = this.#checks[position];
      return check === undefined ? answer : check(answer);
    }
    this.#requireSuspendable(position, answer);
    this.#pending = answer;
    return this.#placeholders[position];
  }

  /** `link.pending`: what has just been announced, or null. */
  readonly pending = (): unknown => {
    const answer = this.#pending;
    this.#pending = null;
    return answer;
  };

  /** `link.surprise`: the answer that was no promise. */
  readonly surprise = (): unknown => this.#surprising.pop();

  /** `link.await.<slot>`, to be made suspending: the promise to suspend for. */
  readonly await = (answer: unknown, record: number): unknown => {
    const position = readWord(record, AWAITED) - 1;
    if (!isPendingOrFails(answer)) this.#expectNoPromise(position, answer);
    return awaitAnswer(answer, activationOf(record), this.#checks[position]);
  };

  /** The last answer was a promise and this one is not: the shim asks first again, and no stack is left for it. */
  #expectNoPromise(position: number, answer: unknown): never {
    const surprises = ++this.#surprises[position]!;
    this.expects[position]!.value = surprises < MAX_SURPRISES ? 0 : -1;
    this.#surprising.push(answer);
    this.#isSurprise = true;
    throw notPending;
  }

  /**
   * `link.was-left`: whether a suspending import threw `exception` when it was resumed, and not at once. If it did at once,
   * whoever is around the record is current. (What the host function did before is no sign: V8 13.6 calls it, and then refuses.)
   */
  readonly wasLeft = (exception: unknown, record: number): number => {
    if (exception === notPending) return 0;
    return isEngineRefusal(exception) && readWord(record, OUTER) === words[CURRENT >> 2] ? 0 : 1;
  };

  /** `link.not-left`: the engine would not suspend, unless the answer was no promise. */
  readonly notLeft = (answer: unknown, position: number): void => {
    if (this.#isSurprise) {
      this.#isSurprise = false;
      return;
    }
    ignore(answer);
    this.#refuse(position);
  };

  /** Returns when the guest need not wait: it goes on then, and nothing else has happened. */
  #refuse(position: number): void {
    const { module, name } = this.#imports[position]!;
    if (module === REFUEL_MODULE) return;
    throw new SuspendError(
      "javascript-frame",
      `Cannot suspend in import ${module}.${name}: a JavaScript function stands between the guest's frames; ` +
        "let it return before the guest waits, or call the guest back through instance.exports",
    );
  }

  #requireSuspendable(position: number, answer: object): void {
    const record = words[CURRENT >> 2]!;
    if ((words[(record + FLAGS) >> 2]! & SYNCHRONOUS) === 0) {
      if (words[(record + GUEST) >> 2] === this.guest) return;
      ignore(answer);
      this.#refuse(position);
    }
    ignore(answer);
    const { module, name } = this.#imports[position]!;
    throw new SuspendError(
      "sync-call",
      `Cannot suspend in import ${module}.${name}: its host function has the guest wait, but the guest was entered ` +
        "synchronously; call it through instance.exports or instance.function()",
    );
  }
}

/** What the engine waits for. Never throws: an error has to arrive like that of a promise, after the stack was left. */
function awaitAnswer(answer: unknown, activation: Activation | undefined, check: Check | undefined): Promise<unknown> {
  try {
    if (activation !== undefined) return activation.await(answer, check);
    const promise =
      answer instanceof Pending ? answer.promise : Promise.resolve(Suspension.refuse(answer) as PromiseLike<unknown>);
    if (check !== undefined) return promise.then(check);
    return isSuspendUsed() ? promise.then(Suspension.refuse) : promise;
  } catch (error) {
    return Promise.reject(error);
  }
}

/** An answer whose `then` cannot even be read fails when it is awaited: after the stack was left, as it should. */
function isPendingOrFails(answer: unknown): boolean {
  try {
    return isPending(answer);
  } catch {
    return true;
  }
}

/** Nobody will look at how `answer` ends: it must not be reported as an unhandled rejection. */
export function ignore(answer: unknown): void {
  if (answer instanceof Pending) answer.abandon();
  else if (isPending(answer) && !(answer instanceof Suspension)) Promise.resolve(answer).catch(() => {});
}

/** Whether the engine converts what a promise resolves to into a number, which a suspension refuses to become. */
function refusesSuspensions(results: readonly string[]): boolean {
  return results.length === 1 && isNumber(results[0]!);
}

function isNumber(type: string): boolean {
  return type === "i32" || type === "f32" || type === "f64";
}

/** What JavaScript returns to wasm while the answer is pending: the first value tells, all of them have to convert. */
function placeholderOf({ results }: HostImport): unknown {
  const values = results.map((type) => PLACEHOLDERS.get(type) ?? null);
  return values.length < 2 ? values[0] : values;
}

const PLACEHOLDERS: ReadonlyMap<string, number | bigint> = new Map<string, number | bigint>([
  ["i32", MARK],
  ["i64", BigInt(MARK)],
  ["f32", MARK],
  ["f64", MARK],
  ["externref", MARK],
]);
