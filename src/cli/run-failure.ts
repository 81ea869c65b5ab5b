/** How `stackful run` says that a program did not come to its own end, and with which exit code. */

import { FuelExhaustedError, StackExhaustedError, SuspendError } from "../coroutine/errors.ts";
import { SpawnError } from "../guest-tasks/spawn-error.ts";
import { guestFrames } from "../link/guest-frames.ts";
import { Trap } from "../link/trap.ts";
import type { TrapKind } from "../link/trap.ts";
import { DeadlockError } from "../tasks/deadlock.ts";
import { Stopped } from "./stopped.ts";
import { count } from "./transform-report.ts";

/** As Wasmtime has it, and a shell for a program that has called abort(): 128 + SIGABRT. */
const TRAP_EXIT = 134;

export interface Failure {
  readonly exitCode: number;
  /** Without `error: ` before it; empty when there is nothing to say. */
  readonly message: string;
  /** The functions that were running, the innermost first. */
  readonly frames: readonly string[];
}

/** What became of a program that has ended with `error`; `undefined` if that is nothing that programs do. */
export function failureOf(error: unknown): Failure | undefined {
  if (error instanceof Stopped) return { exitCode: error.exitCode, message: error.message, frames: [] };
  const message = messageFor(error);
  if (message === undefined) return undefined;
  const place = error instanceof StackExhaustedError ? error.cause : error;
  // Where it is when its fuel ends is of no meaning.
  const hasPlace = place instanceof Error && !(place instanceof FuelExhaustedError || place instanceof DeadlockError);
  return { exitCode: TRAP_EXIT, message, frames: hasPlace ? guestFrames(place.stack ?? "") : [] };
}

function messageFor(error: unknown): string | undefined {
  if (error instanceof FuelExhaustedError) return `the program has used up its fuel of ${error.limit}`;
  if (error instanceof StackExhaustedError) return stackMessage(error);
  const saysAll = error instanceof SuspendError || error instanceof DeadlockError || error instanceof SpawnError;
  if (saysAll) return error.message;
  if (error instanceof Trap) return `the program was ended by a trap${inPart(error)}: ${TRAPS[error.kind]}`;
  // Its own doing: what ends it from outside is a Stopped.
  if (error instanceof DOMException && error.name === "AbortError") return "the program has cancelled its main task";
  const { Exception } = WebAssembly as { readonly Exception?: Function };
  const isException = Exception !== undefined && error instanceof Exception;
  return isException ? "the program has thrown an exception that it does not catch" : undefined;
}

/** A command runs on the stack that its linker has given it, in its memory; what it needs to wait lies elsewhere. */
function stackMessage(error: StackExhaustedError & { readonly thread?: number; readonly task?: string }): string {
  const { limit, message, cause, thread, task } = error;
  if (!(cause instanceof WebAssembly.RuntimeError)) return `the program has exhausted its stack: ${message}`;
  if (task !== undefined) {
    return `${task} has exhausted its stack of ${count(limit)} bytes: give tasks larger ones, such as '--task-stack ${16 * TASK_STACK_KIB}K'`;
  }
  if (thread !== undefined) {
    return `thread ${thread} has exhausted its stack of ${count(limit)} bytes: give it a larger one, with pthread_attr_setstacksize()`;
  }
  return `the program has exhausted its stack of ${count(limit)} bytes: link it with a larger one, such as '-Wl,-z,stack-size=${16 * limit}'`;
}

/** What a task has when nothing else is said. */
const TASK_STACK_KIB = 64;

/** Of a program that has several. */
function inPart({ thread, task }: { readonly thread?: number; readonly task?: string }): string {
  if (task !== undefined) return ` in ${task}`;
  return thread === undefined ? "" : ` in thread ${thread}`;
}

const TRAPS: Readonly<Record<TrapKind, string>> = {
  unreachable: "it has executed 'unreachable', as abort() and panics do",
  "memory-out-of-bounds": "it has accessed memory that it does not have",
  "table-out-of-bounds": "it has used an index beyond the end of a table",
  "array-out-of-bounds": "it has used an index beyond the end of an array",
  "divide-by-zero": "it has divided by zero",
  "integer-overflow": "the result of a division is too large for an integer",
  "invalid-conversion": "it has converted a number to an integer that cannot hold it",
  "indirect-call": "it has called a function through a pointer that leads to none, or to one of another type",
  "null-reference": "it has used a null reference",
  "bad-cast": "it has cast a reference to a type that it does not have",
  "unaligned-atomic": "it has accessed memory atomically at an address that is not aligned",
  "stack-overflow": "its calls are nested too deeply",
  other: "the engine does not say why",
};

/** For standard error. */
export function failureText({ message, frames }: Failure, label = ""): string {
  if (message === "") return "";
  return `${[`error: ${label}${message}`, ...frames.map((frame) => `    at ${frame}`)].join("\n")}\n`;
}
