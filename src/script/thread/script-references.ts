/**
 * What the two threads of an engine have of each other, by numbers: functions of the host and errors that it has thrown, numbered there, and
 * functions of scripts, numbered here.
 */

import type { FunctionReference, HostFunction } from "../language.ts";
import { ScriptError } from "../script-errors.ts";

export class ScriptReferences {
  readonly #release: (hostNumber: number) => void;
  /** What stands for a function of the host → its number. */
  readonly #hostNumbers = new WeakMap<object, number>();
  readonly #hostFunctions = new Map<number, WeakRef<HostFunction>>();
  readonly #hostErrorNumbers = new WeakMap<object, number>();
  /** What stands for a function of a script → which one. */
  readonly #references = new WeakMap<object, FunctionReference>();
  readonly #scriptFunctions = new Map<number, HostFunction>();
  readonly #collected = new FinalizationRegistry<number>((number) => {
    this.#hostFunctions.delete(number);
    this.#release(number);
  });
  #last = 0;

  /** `release` is called with the numbers of the host that are not needed any more. */
  constructor(release: (hostNumber: number) => void) {
    this.#release = release;
  }

  hostFunction(number: number): HostFunction {
    const known = this.#hostFunctions.get(number)?.deref();
    if (known !== undefined) return known;
    // Never called: whoever has it asks for its number.
    const made: HostFunction = () => undefined;
    this.#hostNumbers.set(made, number);
    this.#hostFunctions.set(number, new WeakRef(made));
    this.#collected.register(made, number);
    return made;
  }

  isOfHost(callee: HostFunction): boolean {
    return this.#hostNumbers.has(callee);
  }

  /** @throws {TypeError} when it is not what stands for a function of the host */
  numberOfHostFunction(callee: HostFunction): number {
    const number = this.#hostNumbers.get(callee);
    if (number === undefined)
      throw new TypeError(`Cannot pass function "${callee.name}" to the host: it is none of a script`);
    return number;
  }

  /** What stands in this thread for an error of the host. */
  hostError(number: number): object {
    const stand = {};
    this.#hostErrorNumbers.set(stand, number);
    this.#collected.register(stand, number);
    return stand;
  }

  /** An error that has crossed from the host: as it leaves, it is known to have been there. */
  asHostError(error: ScriptError): Error {
    const number = this.numberOfHostError(error);
    const { message, errors } = error as ScriptError & { readonly errors?: unknown };
    const thrown = Object.assign(
      Array.isArray(errors) ? new AggregateError(errors, message) : new Error(message),
      error,
    );
    Object.defineProperty(thrown, "name", { value: error.scriptName });
    if (number === undefined) return thrown;
    this.#hostErrorNumbers.set(thrown, number);
    // The number is needed as long as one of the two is there.
    Object.defineProperty(thrown, "cause", { value: error.cause });
    return thrown;
  }

  /** Number of the host's error that `error` is, or began as. */
  numberOfHostError(error: unknown): number | undefined {
    for (let at = error; typeof at === "object" && at !== null; at = (at as { readonly cause?: unknown }).cause) {
      const number = this.#hostErrorNumbers.get(at);
      if (number !== undefined) return number;
      // That one has its own.
      if ((at as { readonly cause?: unknown }).cause instanceof ScriptError) return undefined;
    }
    return undefined;
  }

  makeScriptFunction(reference: FunctionReference): HostFunction {
    const made: HostFunction = () => undefined;
    this.#references.set(made, reference);
    return made;
  }

  referenceOf(value: unknown): FunctionReference | undefined {
    return typeof value === "function" ? this.#references.get(value) : undefined;
  }

  /** For one that goes to the host: a reference whose `id` is a number for it. */
  keepScriptFunction(value: unknown): FunctionReference | undefined {
    const reference = this.referenceOf(value);
    if (reference === undefined) return undefined;
    this.#scriptFunctions.set(++this.#last, value as HostFunction);
    return { ...reference, id: this.#last };
  }

  scriptFunction(number: number): HostFunction {
    const known = this.#scriptFunctions.get(number);
    if (known === undefined) throw new TypeError("Cannot call function of script: it was disposed of");
    return known;
  }

  releaseScriptFunction(number: number): void {
    const reference = this.referenceOf(this.#scriptFunctions.get(number));
    this.#scriptFunctions.delete(number);
    reference?.runtime.release(reference);
  }
}
