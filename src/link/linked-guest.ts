/**
 * The contract between an `Instance` and the backend that runs its guest.
 *
 * A backend links a guest: it makes an instance in which the imports may suspend, and enters its exports. How it leaves a stack
 * and comes back is its own affair; what a caller sees is the same on all, and `test/conformance` checks it.
 */

import type { Coroutine } from "../coroutine/coroutine.ts";
import type { Fiber } from "../coroutine/fiber.ts";
import type { ActivationHooks } from "./activation.ts";
import type { GuestExport } from "./guest-module.ts";
import type { Stack, StackOptions, StackPool } from "./stacks.ts";

/** How to run one activation. */
export interface CallOptions extends ActivationHooks {
  /** Aborting it unwinds the guest; the call then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the guest is unwound; the call then rejects with a `TimeoutError`. */
  readonly timeoutMs?: number | undefined;
  /** Runs it on this stack instead of one from the pool. */
  readonly stack?: Stack | undefined;
}

/** How to run the body of a fiber. */
export interface FiberOptions extends CallOptions {
  /** Arguments of the body; when left out, they are made of the first input. */
  readonly args?: readonly unknown[] | undefined;
}

/** The exported function that is the body of a fiber. */
export type FiberBody = Pick<GuestExport, "name" | "type">;

/** What a guest is linked with, beside its imports. */
export interface LinkOptions {
  /** Calls in flight; as many as the backend recommends when left out. */
  readonly maxLive?: number | undefined;
  readonly stacks: StackOptions;
  /** Whether it is for one thread of a program that has others: its one call brings its own stack along. */
  readonly isThread?: boolean | undefined;
  /** What callers of host functions are shown as the guest's exports; filled when the instance exists. */
  readonly exports: Readonly<Record<string, unknown>>;
}

/** A fiber that is told its coroutine before it is resumed for the first time. */
export interface GuestFiber extends Fiber<unknown, unknown, unknown> {
  attach(coroutine: Coroutine): void;
}

export interface LinkedGuest {
  readonly backend: string;
  readonly raw: WebAssembly.Instance;
  /** The guest's first memory, exported or not. */
  readonly memory: WebAssembly.Memory | undefined;
  readonly stacks: StackPool;
  /** Calls that wait because too many stacks are live, or this guest has no further one. */
  readonly waiting: number;
  /** Calls the exported function `name`. Rejects, never throws. */
  call(name: string, args: readonly unknown[], options?: CallOptions): Promise<unknown>;
  /** Calls it on the caller's stack. @throws {SuspendError} when the guest would have to wait */
  callSync(name: string, args: readonly unknown[]): unknown;
  /** A fiber whose body is an exported function. */
  fiber(body: FiberBody, options: FiberOptions): GuestFiber;
}
