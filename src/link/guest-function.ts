/** One exported function of a guest, with what a plain call has no place for. */

import { optionsOf } from "./caller-options.ts";
import { CALL_OPTIONS, requireCallOptions } from "./check-options.ts";
import type { GuestExport } from "./guest-module.ts";
import { requireType } from "./host-function.ts";
import type { HostFunctionType } from "./host-function.ts";
import { typeText } from "./imports.ts";
import type { CallOptions, LinkedGuest } from "./linked-guest.ts";

/** Made by `instance.function()`. */
export class GuestFunction<Params extends readonly unknown[] = unknown[], Result = unknown> {
  readonly name: string;
  /** Its parameters and results; `undefined` when only a compiled module was given. */
  readonly type: HostFunctionType | undefined;
  readonly #linked: LinkedGuest;

  /** @throws {TypeError} when the guest's function is not of type `wanted` */
  constructor(linked: LinkedGuest, { name, type }: GuestExport, wanted: HostFunctionType | undefined) {
    if (wanted !== undefined) requireType(wanted);
    if (wanted !== undefined && type !== undefined && typeText(wanted) !== typeText(type)) {
      throw new TypeError(
        `Cannot get function "${name}" as ${typeText(wanted)}: the guest exports it as ${typeText(type)}`,
      );
    }
    this.#linked = linked;
    this.name = name;
    this.type = type;
  }

  /** Calls it; the event loop goes on while the guest waits. */
  call(args: Params, options?: CallOptions): Promise<Result> {
    if (!Array.isArray(args)) {
      throw new TypeError(`Cannot call "${this.name}": expected an array of its arguments, received ${typeof args}`);
    }
    if (options !== undefined) requireCallOptions(`call "${this.name}"`, options, CALL_OPTIONS);
    // What the guest returns is only known to the user, who says it in the type parameters.
    return this.#linked.call(this.name, args, optionsOf(options)) as Promise<Result>;
  }

  /**
   * Calls it on the stack of the caller.
   *
   * @throws {SuspendError} when the guest would have to wait
   */
  sync(...args: Params): Result {
    return this.#linked.callSync(this.name, args) as Result;
  }
}
