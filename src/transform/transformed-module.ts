/** What the compiler makes of a module: transform-module.ts makes it, suspendable-instance.ts runs it, packaged-module.ts keeps it. */

import type { MemoryType } from "../binary/extern-types.ts";
import type { BinaryModule } from "../binary/module.ts";
import type { SuspendableCalls } from "./calls.ts";

/** What a module was made into, as far as running it needs to know. */
export interface TransformedModule {
  /**
   * The module to load instead of the given one; it has its imports, with those of imported-memories.ts, and its exports, with those
   * of abi.ts.
   */
  readonly main: Uint8Array<ArrayBuffer>;
  /** The module of the runtime, when the engine has no multiple memories; see runtime-home.ts. */
  readonly runtime: Uint8Array<ArrayBuffer> | null;
  /** The memories that the guest defines and the first module imports, by name: whoever instantiates it makes them. */
  readonly ownMemories: ReadonlyMap<string, MemoryType>;
  /** The module that continues suspended stacks: all of the resume copies. Made when it is asked for first, then kept. */
  resume(): Uint8Array<ArrayBuffer>;
  /** A module with resume copies of these numbers, in ascending order, at least; `null` when {@link TransformedModule.resume} is to be used. */
  readonly resumeSome: (numbers: readonly number[]) => ResumePart | null;
  /** The module that was compiled: the decoded input, perhaps with its exceptions in another form. */
  readonly module: BinaryModule;
  /** Which functions may suspend. */
  readonly calls: SuspendableCalls;
  /** Functions whose frames are saved, by the number of their resume copy: their indices, ascending. */
  readonly withFrames: readonly number[];
  /** Whether the host has to know which values its functions throw; see thrown-values.ts. */
  readonly asksForExceptions: boolean;
}

/** A module with some of the resume copies. */
export interface ResumePart {
  /** Ascending: places in the resume table. */
  readonly numbers: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}
