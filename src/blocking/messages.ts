/** What a thread and its parent send each other when neither of them is blocked. */

import type { LineMemory } from "../threads/line.ts";
import type { PackedValue } from "../threads/packed-value.ts";

/** What a new thread is told. */
export interface ThreadData {
  readonly module: string;
  readonly line: LineMemory;
  /** Names of the parent's functions; `a.b` is function `b` of object `a`. Calls have their numbers. */
  readonly hostNames: readonly string[];
}

export type ToThread =
  | { readonly type: "ring" }
  /** Calls a function that the module exports. */
  | { readonly type: "call"; readonly id: number; readonly name: string; readonly args: PackedValue }
  /** Nobody waits for the answer to that call any more. */
  | { readonly type: "abandon"; readonly id: number }
  /** To be answered by `pong` from the thread's event loop. */
  | { readonly type: "ping" }
  | { readonly type: "close" };

export type ToParent =
  | { readonly type: "ring" }
  | { readonly type: "pong" }
  /** The module has been loaded, and exports these functions. */
  | { readonly type: "loaded"; readonly names: readonly string[] }
  /** It could not be loaded. */
  | { readonly type: "failed"; readonly error: PackedValue }
  | { readonly type: "returned"; readonly id: number; readonly value: PackedValue }
  | { readonly type: "threw"; readonly id: number; readonly value: PackedValue };

/** Instead of the number of a function: asks for that of the function whose name is the only argument. */
export const RESOLVE_NAME = -1;
