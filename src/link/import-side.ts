/**
 * The JavaScript that the link module calls when it is not sure what a host function has answered.
 *
 * Everything that runs once per call is here and small: a ready answer passes one comparison.
 */

import { SuspendError } from "../coroutine/errors.ts";
import { Suspension } from "../coroutine/suspend.ts";
import { activationOf } from "./activation.ts";
import {
  AWAITED,
  CANCELLABLE,
  CURRENT,
  FLAGS,
  NOT_PENDING,
  PENDING,
  READY,
  STATUS,
  SYNCHRONOUS,
  readWord,
  words,
} from "./switchboard.ts";

/** One imported function that has a shim. */
export interface HostImport {
  readonly module: string;
  readonly name: string;
  readonly results: readonly string[];
  /** Called with the guest's arguments; whatever it returns is an answer. */
  readonly host: (...args: unknown[]) => unknown;
}

/** The answer that JavaScript has given on the way to a suspension which the shim does not hold itself. */
let stash: unknown;

function isObject(answer: unknown): answer is object {
  return (typeof answer === "object" && answer !== null) || typeof answer === "function";
}

/** Whether the guest has to wait for `answer`. */
export function isPending(answer: unknown): answer is PromiseLike<unknown> | Suspension {
  if (!isObject(answer)) return false;
  if (answer instanceof Promise || answer instanceof Suspension) return true;
  return typeof (answer as { then?: unknown }).then === "function";
}

/** Thrown to leave a suspending import without suspending; generated code catches it at once. */
const notPending = new Error("not pending");

/** The functions of `link.*` that shims and entries import, for one instance. */
export class ImportSide {
  readonly #imports: readonly HostImport[];
  readonly #placeholders: readonly unknown[];
  readonly #checks: readonly (((answer: unknown) => unknown) | undefined)[];
  /** Position → the shim's memory of whether the last answer was a promise. Set when the shims exist. */
  awaits: readonly WebAssembly.Global[] = [];

  constructor(imports: readonly HostImport[]) {
    this.#imports = imports;
    this.#placeholders = imports.map(placeholderOf);
    this.#checks = imports.map(checkOf);
  }

  /** `ask.<position>`: calls the host function and classifies its answer. One closure per number of parameters: a rest is slow. */
  ask(position: number, paramCount: number): (...args: never[]) => unknown {
    const { host } = this.#imports[position]!;
    const placeholder = this.#placeholders[position];
    const check = this.#checks[position];
    const classify = (answer: unknown): unknown => {
      if (!isPending(answer)) return check === undefined ? answer : check(answer);
      this.#requireSuspendable(position, answer);
      words[STATUS >> 2] = PENDING;
      stash = answer;
      return placeholder;
    };
    const isChecked = check !== undefined;
    const settle = (answer: unknown): unknown => (isChecked || isObject(answer) ? classify(answer) : answer);
    switch (paramCount) {
      case 0:
        return () => settle(host());
      case 1:
        return (a: unknown) => settle(host(a));
      case 2:
        return (a: unknown, b: unknown) => settle(host(a, b));
      case 3:
        return (a: unknown, b: unknown, c: unknown) => settle(host(a, b, c));
      case 4:
        return (a: unknown, b: unknown, c: unknown, d: unknown) => settle(host(a, b, c, d));
      default:
        return (...args: unknown[]) => settle(host(...args));
    }
  }

  /** `link.settle`: classifies an answer that the shim holds; it is the value, or STATUS becomes PENDING. */
  readonly settle = (answer: unknown, position: number): unknown => {
    if (!isPending(answer)) {
      const check = this.#checks[position];
      return check === undefined ? answer : check(answer);
    }
    this.#requireSuspendable(position, answer);
    words[STATUS >> 2] = PENDING;
    return this.#placeholders[position];
  };

  /** `link.await.<slot>`, to be made suspending: the promise to suspend for. */
  readonly await = (answer: unknown, record: number): unknown => {
    const isCancellable = (words[(record + FLAGS) >> 2]! & CANCELLABLE) !== 0;
    if (answer instanceof Promise && !isCancellable) {
      words[STATUS >> 2] = READY;
      return answer;
    }
    return this.#awaitSlowly(answer, record);
  };

  #awaitSlowly(held: unknown, record: number): unknown {
    const answer = held ?? stash;
    const position = readWord(record, AWAITED) - 1;
    stash = undefined;
    if (!isPending(answer)) {
      // The last answer was a promise and this one is not: the shim asks first again.
      this.awaits[position]!.value = 0;
      words[STATUS >> 2] = NOT_PENDING;
      throw notPending;
    }
    words[STATUS >> 2] = READY;
    const check = this.#checks[position];
    const promise = awaitAnswer(answer, record);
    return check === undefined ? promise : promise.then(check);
  }

  /** `link.refuse`: the engine would not suspend, so a frame of JavaScript is in between. */
  readonly refuse = (position: number): never => {
    words[STATUS >> 2] = READY;
    const { module, name } = this.#imports[position]!;
    throw new SuspendError(
      "javascript-frame",
      `Cannot suspend in import ${module}.${name}: a JavaScript function stands between the guest's frames; ` +
        "let it return before the guest waits, or call the guest back through instance.exports",
    );
  };

  #requireSuspendable(position: number, answer: object): void {
    const record = words[CURRENT >> 2]!;
    if ((words[(record + FLAGS) >> 2]! & SYNCHRONOUS) === 0) return;
    if (answer instanceof Promise) answer.catch(() => {});
    const { module, name } = this.#imports[position]!;
    throw new SuspendError(
      "sync-call",
      `Cannot suspend in import ${module}.${name}: its host function returned a promise, but the guest was entered ` +
        "synchronously; call it through instance.exports or instance.function()",
    );
  }
}

/** What the engine waits for. Never throws: an error has to arrive like that of a promise, after the stack was left. */
function awaitAnswer(answer: object, record: number): Promise<unknown> {
  const activation = activationOf(record);
  try {
    if (activation !== undefined) return activation.await(answer);
    if (answer instanceof Suspension)
      throw new SuspendError("no-coroutine", "Cannot suspend: the guest runs outside a coroutine");
    return Promise.resolve(answer as PromiseLike<unknown>);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** What JavaScript returns to wasm while the answer is pending: nobody looks at it, but it has to convert. */
function placeholderOf({ results }: HostImport): unknown {
  const values = results.map((type) => PLACEHOLDERS.get(type) ?? null);
  return values.length < 2 ? values[0] : values;
}

const PLACEHOLDERS: ReadonlyMap<string, number | bigint> = new Map<string, number | bigint>([
  ["i32", 0],
  ["i64", 0n],
  ["f32", 0],
  ["f64", 0],
]);

const CONVERTS_TO_I64: ReadonlySet<string> = new Set(["bigint", "boolean", "string"]);

/** Names the import when an answer cannot be converted, which the engine's own error does not. */
function checkOf({ module, name, results }: HostImport): ((answer: unknown) => unknown) | undefined {
  const refuse = (wanted: string, answer: unknown): never => {
    throw new TypeError(
      `Cannot return from import ${module}.${name}: expected ${wanted} for ${results.join(", ")}, received ${describe(answer)}`,
    );
  };
  if (results.length > 1) {
    return (answer) => {
      if (typeof (answer as Iterable<unknown> | null)?.[Symbol.iterator] !== "function") refuse("an iterable", answer);
      return answer;
    };
  }
  if (results[0] !== "i64") return undefined;
  return (answer) => (CONVERTS_TO_I64.has(typeof answer) ? answer : refuse("a bigint", answer));
}

function describe(answer: unknown): string {
  if (typeof answer === "object" && answer !== null) return `an object (${Object.prototype.toString.call(answer)})`;
  return typeof answer === "number" ? `the number ${answer}` : typeof answer;
}
