/**
 * Thread-local variables of tasks, in guests that were compiled for threads: where they lie is a global of the instance (`__tls_base`
 * of LLVM), which a task has to find as it was when it goes on, and to leave as it was for whoever runs without being a task.
 */

import type { ActivationHooks } from "../link/activation.ts";
import type { GuestModule } from "../link/guest-module.ts";
import type { Instance } from "../link/instance.ts";
import { isPlainFunction } from "../link/plain-function.ts";
import { SpawnError } from "./spawn-error.ts";

/** What `stackful.h` exports then. */
const [READ, WRITE] = ["stackful_tls", "stackful_set_tls"] as const;

interface ThreadLocalExports {
  readonly [READ]?: () => number;
  readonly [WRITE]?: (block: number) => void;
}

const NONE: ActivationHooks = {};

const known = new WeakMap<GuestModule, boolean>();

/**
 * They are called while stacks are switched, where a guest can neither wait nor be interrupted.
 *
 * @throws {SpawnError} when they do something else than to read and write a global
 */
function requirePlain(module: GuestModule): void {
  let isFit = known.get(module);
  if (isFit === undefined) known.set(module, (isFit = [READ, WRITE].every((name) => isPlainFunction(module, name))));
  if (isFit) return;
  throw new SpawnError(`the guest's ${READ} and ${WRITE} are none of stackful.h: they call, branch or compute`);
}

/**
 * For the call of one task; `fail` is told if they trap.
 *
 * @throws {SpawnError} when the guest exports something else by their names
 */
export function threadLocalHooks({ raw, module }: Instance, fail: (error: unknown) => void): ActivationHooks {
  const { [READ]: read, [WRITE]: write } = raw.exports as ThreadLocalExports;
  if (read === undefined || write === undefined) return NONE;
  requirePlain(module);
  let outer = 0;
  /** `undefined`: it has not begun, and makes its own. */
  let own: number | undefined;
  // An error must not leave it while stacks are switched.
  const attempt = (body: () => void) => (): void => {
    try {
      body();
    } catch (error) {
      fail(error);
    }
  };
  return {
    onEnter: attempt(() => {
      outer = read();
      if (own !== undefined) write(own);
    }),
    onLeave: attempt(() => {
      own = read();
      write(outer);
    }),
  };
}
