/** What a call of preview 1 is: its program, its memory, and an error number at its end. */

import { neverAborts } from "../../link/caller.ts";
import type { Caller } from "../../link/caller.ts";
import type { Clock } from "../host/clock.ts";
import type { Soon } from "../host/file-system.ts";
import type { Random } from "../host/random.ts";
import type { DescriptorTable } from "./descriptor-table.ts";
import { ESUCCESS, Errno, errnoOf } from "./errno.ts";
import { GuestMemory } from "./guest-memory.ts";
import type { Snapshot } from "./snapshot.ts";
import { isPromise } from "./soon.ts";

/** One running program, as its calls see it. */
export interface Program {
  /** UTF-8, each ending with a zero. */
  readonly args: readonly Uint8Array[];
  /** `NAME=value`, like {@link Program.args}. */
  readonly env: readonly Uint8Array[];
  readonly clock: Clock;
  readonly random: Random;
  readonly descriptors: DescriptorTable;
  /** The one that its calls come from; a program may use both. */
  readonly snapshot: Snapshot;
  /** What ends the guest's stack without any more code of the guest; thrown by `proc_exit` and `proc_raise`. */
  exit(code: number): unknown;
}

/** One call. */
export interface Syscall {
  readonly program: Program;
  readonly memory: GuestMemory;
  /** Aborts when the call is not waited for any more; `undefined`: never. */
  readonly signal: AbortSignal | undefined;
  /** Whether it may answer later at all. To be looked at before it does. */
  readonly canWait: boolean;
}

/**
 * What a call does: with its parameters as the engine gives them, i32 as signed numbers and i64 as signed bigints. It throws what
 * {@link errnoOf} has a number for.
 */
export type SyscallBody = (call: Syscall, ...params: never[]) => Soon<void>;

/** Calls by their names in witx. */
export type Syscalls = Readonly<Record<string, SyscallBody>>;

class CallOfGuest implements Syscall {
  readonly program: Program;
  readonly memory: GuestMemory;
  readonly #caller: Caller;

  constructor(program: Program, memory: GuestMemory, caller: Caller) {
    this.program = program;
    this.memory = memory;
    this.#caller = caller;
  }

  get signal(): AbortSignal | undefined {
    const { signal } = this.#caller;
    return signal === neverAborts ? undefined : signal;
  }

  get canWait(): boolean {
    return this.#caller.canWait;
  }
}

/**
 * The host function for a call: it answers with an error number, and never throws but to exit.
 *
 * @param onFailure is told of what the host has failed with: not of what a call itself finds wrong
 */
export function hostFunction(
  program: Program,
  body: SyscallBody,
  onFailure?: (error: unknown) => void,
): (caller: Caller, ...params: unknown[]) => Soon<number> {
  const call = body as (call: Syscall, ...params: unknown[]) => Soon<void>;
  const fail = onFailure === undefined ? errnoOfFailure : tellingFailure(onFailure);
  let memory: GuestMemory | undefined;
  // Nine parameters are the most there are (path_open); those that a call does not have are undefined, which costs less than an array.
  // oxlint-disable-next-line max-params
  return (caller, a, b, c, d, e, f, g, h, i) => {
    try {
      const current = memoryOf(caller);
      if (memory?.isOf(current) !== true) memory = new GuestMemory(current);
      const answer = call(new CallOfGuest(program, memory, caller), a, b, c, d, e, f, g, h, i);
      return isPromise(answer) ? answer.then(succeed, fail) : ESUCCESS;
    } catch (error) {
      return fail(error);
    }
  };
}

/** No pointer leads into it. Made only when somebody needs it: a memory takes address space. */
let noMemory: WebAssembly.Memory | undefined;

/** A program without a memory can exit all the same, and close what it has. */
function memoryOf(caller: Caller): WebAssembly.Memory {
  try {
    return caller.memory;
  } catch {
    return (noMemory ??= new WebAssembly.Memory({ initial: 0 }));
  }
}

function succeed(): number {
  return ESUCCESS;
}

/** Thrown through {@link hostFunction} as it is. */
export class Exit {
  readonly trap: unknown;

  constructor(trap: unknown) {
    this.trap = trap;
  }
}

function errnoOfFailure(error: unknown): number {
  if (error instanceof Exit) throw error.trap;
  return errnoOf(error);
}

function tellingFailure(onFailure: (error: unknown) => void): (error: unknown) => number {
  return (error) => {
    const errno = errnoOfFailure(error);
    if (!(error instanceof Errno)) onFailure(error);
    return errno;
  };
}
