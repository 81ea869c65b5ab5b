/**
 * What the two snapshots of WASI differ in: preview 1, and the one before it, `wasi_unstable`, to which programs were compiled in 2019.
 * All the rest is the same in both. (witx: `phases/old/snapshot_0`)
 */

import { FILESTAT, FILESTAT_UNSTABLE, SUBSCRIPTION, SUBSCRIPTION_UNSTABLE, WHENCE } from "./layout.ts";

export interface Snapshot {
  /** What programs import. */
  readonly module: "wasi_snapshot_preview1" | "wasi_unstable";
  readonly filestat: typeof FILESTAT | typeof FILESTAT_UNSTABLE;
  readonly subscription: typeof SUBSCRIPTION | typeof SUBSCRIPTION_UNSTABLE;
  /** Its numbers for `whence` → those of preview 1. */
  readonly whences: readonly number[];
}

export const PREVIEW_1: Snapshot = {
  module: "wasi_snapshot_preview1",
  filestat: FILESTAT,
  subscription: SUBSCRIPTION,
  whences: [WHENCE.set, WHENCE.cur, WHENCE.end],
};

export const UNSTABLE: Snapshot = {
  module: "wasi_unstable",
  filestat: FILESTAT_UNSTABLE,
  subscription: SUBSCRIPTION_UNSTABLE,
  whences: [WHENCE.cur, WHENCE.end, WHENCE.set],
};
