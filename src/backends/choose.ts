/** The one place that knows all backends: which this runtime has, and which one to use. */

import { BackendUnavailableError } from "../coroutine/errors.ts";
import { jspiRefusal } from "./jspi.ts";

/** A way to leave a guest's stack and come back. */
export type BackendName = "jspi";

/** What this runtime says about one backend. */
export interface BackendReport {
  readonly name: BackendName;
  readonly available: boolean;
  /** Why it is not available; `undefined` if it is. */
  readonly reason: string | undefined;
  /** Whether a coroutine can be resumed on the stack of the caller. */
  readonly syncResume: boolean;
}

const BACKENDS: readonly {
  readonly name: BackendName;
  readonly syncResume: boolean;
  readonly refusal: () => string | undefined;
}[] = [{ name: "jspi", syncResume: false, refusal: jspiRefusal }];

/** Every backend, in the order of preference, and why this runtime cannot use it, if so. */
export function backends(): readonly BackendReport[] {
  return BACKENDS.map(({ name, syncResume, refusal }) => {
    const reason = refusal();
    return { name, available: reason === undefined, reason, syncResume };
  });
}

/**
 * The backend to use: `wanted`, or the first that is available.
 *
 * @throws {TypeError} when there is no backend of that name
 * @throws {BackendUnavailableError} when this runtime has none that will do
 */
export function chooseBackend(wanted: BackendName | "auto" = "auto"): BackendName {
  const all = backends();
  const candidates = wanted === "auto" ? all : all.filter(({ name }) => name === wanted);
  if (candidates.length === 0) {
    throw new TypeError(`Cannot use backend "${wanted}": expected auto, ${all.map(({ name }) => name).join(", ")}`);
  }
  const chosen = candidates.find(({ available }) => available);
  if (chosen !== undefined) return chosen.name;
  const tried = candidates.map(({ name, reason = "" }) => ({ backend: name, reason }));
  throw new BackendUnavailableError("Cannot run guests: this runtime has no usable backend", tried);
}
