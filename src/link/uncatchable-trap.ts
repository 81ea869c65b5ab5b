/** An error that guest code cannot catch. */

import { ModuleBuilder } from "../binary/builder.ts";

let trap: unknown;

/**
 * A real trap, to reject a suspended call with: engines let it through `catch_all` and run no code of the guest on its way.
 *
 * Only a trap that the engine itself has thrown behaves so; a `WebAssembly.RuntimeError` made in JavaScript is an ordinary
 * exception to a guest. (JavaScript API, "throw a trap"; the same object may be thrown again.)
 */
export function uncatchableTrap(): unknown {
  trap ??= makeTrap();
  return trap;
}

/** What a trap was made for: its error. */
const errors = new WeakMap<object, unknown>();

/** A trap of its own that guest code cannot catch either; whoever has called the guest is told `error` instead. */
export function trapFor(error: unknown): unknown {
  const made = makeTrap();
  if (made instanceof Error) errors.set(made, error);
  return made;
}

/**
 * `error` as a trap: an object that looks like it, of its class and with its properties. Guest code cannot catch it, also where it comes
 * from a host function that has called the guest and been told of it.
 */
export function uncatchable<Wanted extends Error>(error: Wanted): Wanted {
  const made = makeTrap();
  if (!(made instanceof Error)) return error;
  Object.setPrototypeOf(made, Object.getPrototypeOf(error) as object);
  Object.defineProperties(made, Object.getOwnPropertyDescriptors(error));
  inDisguise.add(made);
  return made as Wanted; // has all that is to be seen of it; private fields are not needed
}

const inDisguise = new WeakSet<object>();

/** What the trap was made for; any other error itself. */
export function errorBehind(error: unknown): unknown {
  return error instanceof Error && errors.has(error) ? errors.get(error) : error;
}

/** Whether it is one of these traps. */
export function isUncatchable(error: unknown): boolean {
  return error instanceof Error && (error === trap || errors.has(error) || inDisguise.has(error));
}

function makeTrap(): unknown {
  thrower ??= makeThrower();
  try {
    thrower();
  } catch (error) {
    return error;
  }
  throw new Error("Cannot make a trap: unreachable was reached");
}

let thrower: (() => void) | undefined;

/** `(module (func (export "trap") (unreachable)))` */
function makeThrower(): () => void {
  const module = new ModuleBuilder();
  const body = module.addFunction({ params: [], results: [] });
  body.code.unreachable();
  module.export("trap", "function", body.index);
  return new WebAssembly.Instance(new WebAssembly.Module(module.build())).exports["trap"] as () => void;
}
