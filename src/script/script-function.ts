/** Functions of scripts in the hands of the host. */

import type { FunctionReference } from "./language.ts";

/**
 * A function of a script: calling it runs the script. It is kept alive until it is disposed of, or collected.
 *
 * It may be passed to scripts of its engine, where it is the function that it was.
 */
export interface ScriptFunction extends Disposable {
  (...args: readonly unknown[]): Promise<unknown>;
  /** What the script calls it. */
  readonly name: string;
}

const references = new WeakMap<object, FunctionReference>();

/** Those that nobody has any more. */
const dropped = new FinalizationRegistry<FunctionReference>((reference) => reference.runtime.release(reference));

export function scriptFunction(
  reference: FunctionReference,
  call: (args: readonly unknown[]) => Promise<unknown>,
): ScriptFunction {
  const callee = (...args: readonly unknown[]): Promise<unknown> => {
    if (references.has(callee)) return call(args);
    return Promise.reject(new TypeError(`Cannot call "${reference.name}": it was disposed of`));
  };
  const made = Object.defineProperties(callee, {
    name: { value: reference.name, configurable: true },
    [Symbol.dispose]: { value: () => dispose(callee) },
  });
  references.set(made, reference);
  dropped.register(made, reference, made);
  // Both properties are those of the interface; the compiler does not follow defineProperties().
  return made as unknown as ScriptFunction;
}

/** What a function stands for; `undefined` if it is one of the host, or was disposed of. */
export function referenceOf(value: unknown): FunctionReference | undefined {
  return typeof value === "function" ? references.get(value) : undefined;
}

function dispose(callee: object): void {
  const reference = references.get(callee);
  if (reference === undefined) return;
  references.delete(callee);
  dropped.unregister(callee);
  reference.runtime.release(reference);
}
