/**
 * What an engine on its own thread and the thread of its host send each other: commands of scripts, and replies. Each command has a number,
 * so that replies may come in any order.
 */

import type { RuntimeOptions, ScriptLanguageOrigin, SourceOptions } from "../language.ts";
import type { WireValue } from "../wire.ts";

/** What the thread is started with. */
export interface ThreadData {
  readonly origin: ScriptLanguageOrigin;
  readonly options: Pick<RuntimeOptions, "backend" | "maxMemoryBytes" | "stackBytes">;
  readonly canLoadModules: boolean;
}

/** How something has ended. */
export interface Outcome {
  readonly isFulfilled: boolean;
  readonly value: WireValue;
}

/** What a run in the thread has to keep to. */
export interface RunOrder {
  readonly run: number;
  readonly maxOperations: number | undefined;
  /** Whether the host wants to be asked how it goes on. */
  readonly isWatched: boolean;
}

export type ToThread =
  | { readonly type: "define"; readonly path: readonly string[]; readonly callee: number }
  | ({ readonly type: "evaluate"; readonly source: string; readonly options: SourceOptions } & RunOrder)
  | ({ readonly type: "call"; readonly callee: readonly string[] | number; readonly args: WireValue } & RunOrder)
  | { readonly type: "stop"; readonly run: number }
  | { readonly type: "release"; readonly reference: number }
  | ({ readonly type: "reply"; readonly command: number } & Outcome)
  | { readonly type: "measure"; readonly run: number }
  | { readonly type: "close" };

/** A command of a script: the thread waits for the reply. */
export type Command =
  | { readonly kind: "call"; readonly run: number; readonly callee: number; readonly args: WireValue }
  | { readonly kind: "progress"; readonly run: number; readonly operations: number }
  | { readonly kind: "load"; readonly name: string };

export type ToHost =
  | { readonly type: "started" }
  | { readonly type: "command"; readonly command: number; readonly order: Command }
  /** `operations`: those that the host has not been told of. */
  | ({ readonly type: "done"; readonly run: number; readonly operations: number } & Outcome)
  | { readonly type: "print"; readonly text: string }
  /** What was collected there. */
  | { readonly type: "release"; readonly reference: number };
