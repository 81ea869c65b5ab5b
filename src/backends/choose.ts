/** The one place that knows all backends: which this runtime has, which one to use, and how it links a guest. */

import { BackendUnavailableError } from "../coroutine/errors.ts";
import { NATIVE_STACKS } from "../link/admission.ts";
import type { GuestModule } from "../link/guest-module.ts";
import type { HostImports } from "../link/imports.ts";
import type { LinkOptions, LinkedGuest } from "../link/linked-guest.ts";
import { UntypedJspiGuest } from "./jspi-untyped.ts";
import { JspiGuest, jspiRefusal, prepareForJspi } from "./jspi.ts";
import type { CacheOption } from "./transformed-guest.ts";
import { TransformGuest, prepareForTransform, transformRefusal } from "./transform.ts";

/** A way to leave a guest's stack and come back. */
export type BackendName = "jspi" | "transform";

/** What this runtime says about one backend. */
export interface BackendReport {
  readonly name: BackendName;
  readonly available: boolean;
  /** Why it is not available; `undefined` if it is. */
  readonly reason: string | undefined;
  /** Whether a coroutine can be resumed on the stack of the caller. */
  readonly syncResume: boolean;
}

/** What somebody wants to do with a guest; a backend that cannot do it is not chosen. */
export interface BackendNeeds {
  /** Whether coroutines have to be resumed on the stack of the caller: `coroutine.resume()`. */
  readonly syncResume?: boolean | undefined;
  /** Calls that may be in flight. */
  readonly maxLive?: number | undefined;
  /** Whether the guest's bytes are at hand, and not only what the engine has compiled of them. */
  readonly hasBytes: boolean;
}

interface Backend {
  readonly name: BackendName;
  readonly syncResume: boolean;
  /** Why this runtime cannot use it. */
  readonly refusal: () => string | undefined;
  /** Why it cannot do what is wanted. */
  readonly shortcoming: (needs: BackendNeeds) => string | undefined;
  /** Does what {@link Backend.link} needs done once for a guest. */
  readonly prepare: (module: GuestModule, cache: CacheOption | undefined) => Promise<unknown>;
  readonly link: (module: GuestModule, imports: HostImports, options: LinkOptions) => Promise<LinkedGuest>;
}

const BACKENDS: readonly Backend[] = [
  {
    name: "jspi",
    syncResume: false,
    refusal: jspiRefusal,
    shortcoming: ({ syncResume = false, maxLive = 0 }) => {
      if (syncResume) return "the engine resumes its stacks from the microtask queue, never synchronously";
      const { largestMaxLive } = NATIVE_STACKS;
      return maxLive > largestMaxLive ? `the engine has stacks for ${largestMaxLive} calls in flight` : undefined;
    },
    prepare: prepareForJspi,
    link: (module, imports, options) => {
      const guest = module.prepared === undefined ? UntypedJspiGuest : JspiGuest;
      return guest.link(module, imports, options);
    },
  },
  {
    name: "transform",
    syncResume: true,
    refusal: transformRefusal,
    shortcoming: ({ hasBytes }) => (hasBytes ? undefined : "only a compiled module was given: its bytes are needed"),
    prepare: prepareForTransform,
    link: (module, imports, options) => TransformGuest.link(module, imports, options),
  },
];

/** Every backend, in the order of preference, and why this runtime cannot use it, if so. */
export function backends(): readonly BackendReport[] {
  return BACKENDS.map(({ name, syncResume, refusal }) => {
    const reason = refusal();
    return { name, available: reason === undefined, reason, syncResume };
  });
}

/**
 * The backend to use: `wanted`, or the first that can do what is needed.
 *
 * @throws {TypeError} when there is no backend of that name
 * @throws {BackendUnavailableError} when this runtime has none that will do
 */
export function chooseBackend(
  wanted: BackendName | "auto" = "auto",
  needs: BackendNeeds = { hasBytes: true },
): Backend {
  const candidates = wanted === "auto" ? BACKENDS : BACKENDS.filter(({ name }) => name === wanted);
  if (candidates.length === 0) {
    const names = BACKENDS.map(({ name }) => name).join(", ");
    throw new TypeError(`Cannot use backend "${wanted}": expected auto, ${names}`);
  }
  const tried: { backend: string; reason: string }[] = [];
  for (const candidate of candidates) {
    const reason = candidate.refusal() ?? candidate.shortcoming(needs);
    if (reason === undefined) return candidate;
    tried.push({ backend: candidate.name, reason });
  }
  throw new BackendUnavailableError("Cannot run guest: this runtime has no backend for it", tried);
}
