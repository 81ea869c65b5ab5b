/** What a program asked its host for: events for whoever wants to see that. */

import type { Caller } from "../../link/caller.ts";
import type { Soon } from "../host/file-system.ts";
import { errnoName } from "./errno.ts";
import { GuestMemory } from "./guest-memory.ts";
import { FDSTAT, PRESTAT, SUBSCRIPTION_CLOCK_ABSTIME } from "./layout.ts";
import { SIGNATURES } from "./signature-table.ts";
import type { ParameterKind, ResultKind, SyscallName, SyscallSignature } from "./signature-table.ts";
import { MAX_PATH_BYTES } from "./resolve-path.ts";
import { PREVIEW_1 } from "./snapshot.ts";
import type { Snapshot } from "./snapshot.ts";
import { isPromise } from "./soon.ts";

/** Buffers of the program. */
export interface SyscallBuffers {
  readonly buffers: number;
  readonly bytes: number;
}

/** One thing that `poll_oneoff` waits for. Times are in nanoseconds. */
export type SyscallSubscription =
  | { readonly type: "clock"; readonly clock: string; readonly timeout: bigint; readonly isAbsolute: boolean }
  | { readonly type: "fd_read" | "fd_write"; readonly fd: number };

/** `null`: what could not be read, because a pointer leads out of the program's memory. */
export type SyscallValue = number | bigint | string | SyscallBuffers | readonly SyscallSubscription[] | null;

/** One call of the program, after it has ended. */
export interface SyscallEvent {
  /** As in witx: `"fd_write"`. */
  readonly name: string;
  /** Names as in witx → descriptors and sizes as numbers, 64-bit numbers as bigint, paths as text, flags as their names: `"creat|trunc"`. */
  readonly args: Readonly<Record<string, SyscallValue>>;
  /** What the call has given the program, if it succeeded. */
  readonly results: Readonly<Record<string, SyscallValue>>;
  /** `"ESUCCESS"`, `"ENOENT"`, …; `undefined` if the call never returned: the program has exited in it, or was unwound. */
  readonly errno: string | undefined;
  /** What the host has failed with, if it has: the error of a stream, a file system or a network, which the program knows as `errno` only. */
  readonly cause?: unknown;
  /** Milliseconds that the program was suspended; 0 if the call was answered at once. */
  readonly suspendedMs: number;
}

/** Is told of a call right after it. What it throws is an error of the host, and ends the program. */
export type SyscallObserver = (event: SyscallEvent) => void;

type HostFunction = (caller: Caller, ...params: unknown[]) => Soon<number>;

/** The host function for the call `name`, with `observe` told of each call of it. `make` makes it for one call, which tells what it fails with. */
export function observed(
  name: string,
  make: (onFailure: (error: unknown) => void) => HostFunction,
  observe: SyscallObserver,
  snapshot: Snapshot = PREVIEW_1,
): HostFunction {
  const signature = SIGNATURES[name as SyscallName] as SyscallSignature | undefined;
  if (signature === undefined) return make(() => {});
  return (caller, ...params) => {
    const reader = new ParameterReader(caller, params, snapshot);
    const args = reader.arguments(signature);
    let failure: { readonly cause: unknown } | undefined;
    const body = make((cause) => (failure = { cause }));
    const tell = (number: number | undefined, suspendedMs: number): void => {
      const results = number === 0 ? reader.results(signature) : {};
      const errno = number === undefined ? undefined : errnoName(number);
      observe({ name, args, results, errno, ...failure, suspendedMs });
    };
    let answer: Soon<number>;
    try {
      answer = body(caller, ...params);
    } catch (error) {
      tell(undefined, 0);
      throw error;
    }
    if (!isPromise(answer)) {
      tell(answer, 0);
      return answer;
    }
    return tellLater(answer, tell);
  };
}

async function tellLater(
  answer: Promise<number>,
  tell: (errno: number | undefined, suspendedMs: number) => void,
): Promise<number> {
  const started = performance.now();
  let errno: number | undefined;
  try {
    errno = await answer;
    return errno;
  } finally {
    tell(errno, performance.now() - started);
  }
}

const CLOCKS = ["realtime", "monotonic", "process_cputime_id", "thread_cputime_id"];

/** Kind → names of its values. */
const VALUES: Partial<Record<ParameterKind, readonly string[]>> = {
  clockid: CLOCKS,
  advice: ["normal", "sequential", "random", "willneed", "dontneed", "noreuse"],
  whence: ["set", "cur", "end"],
};

/** Kind → names of its bits. */
const BITS: Partial<Record<ParameterKind | ResultKind, readonly string[]>> = {
  fdflags: ["append", "dsync", "nonblock", "rsync", "sync"],
  lookupflags: ["symlink_follow"],
  oflags: ["creat", "directory", "excl", "trunc"],
  fstflags: ["atim", "atim_now", "mtim", "mtim_now"],
  riflags: ["recv_peek", "recv_waitall"],
  roflags: ["recv_data_truncated"],
  sdflags: ["rd", "wr"],
};

const FILE_TYPES = [
  "unknown",
  "block_device",
  "character_device",
  "directory",
  "regular_file",
  "socket_dgram",
  "socket_stream",
  "symbolic_link",
];

/** How many parameters a kind takes. */
function widthOf(kind: ParameterKind): number {
  return kind === "path" || kind === "data" || kind === "buffer" ? 2 : 1;
}

/** More of them are not shown. */
const MAX_SUBSCRIPTIONS = 1024;

/** Makes sense of the parameters of one call. */
class ParameterReader {
  readonly #caller: Caller;
  readonly #params: readonly unknown[];
  readonly #snapshot: Snapshot;

  constructor(caller: Caller, params: readonly unknown[], snapshot: Snapshot) {
    this.#caller = caller;
    this.#params = params;
    this.#snapshot = snapshot;
  }

  arguments({ params }: SyscallSignature): Record<string, SyscallValue> {
    const values: Record<string, SyscallValue> = {};
    let position = 0;
    for (const [name, kind] of params) {
      if (kind !== "pointer") values[name] = this.#argument(kind, position);
      position += widthOf(kind);
    }
    return values;
  }

  results({ params, results }: SyscallSignature): Record<string, SyscallValue> {
    const values: Record<string, SyscallValue> = {};
    let position = params.reduce((sum, [, kind]) => sum + widthOf(kind), 0);
    for (const [name, kind] of results) {
      const pointer = this.#u32(position++);
      values[name] = this.#readable((memory) => resultAt(memory, pointer, { kind, snapshot: this.#snapshot }));
    }
    return values;
  }

  #argument(kind: ParameterKind, position: number): SyscallValue {
    switch (kind) {
      case "u64":
      case "rights":
        return BigInt.asUintN(64, this.#params[position] as bigint);
      case "s64":
        return this.#params[position] as bigint;
      case "path":
        return this.#readable((memory) => pathAt(memory, this.#u32(position), this.#u32(position + 1)));
      case "data":
        return this.#readable((memory) => buffersAt(memory, this.#u32(position), this.#u32(position + 1)));
      case "buffer":
        return { buffers: 1, bytes: this.#u32(position + 1) };
      case "subscriptions":
        return this.#readable((memory) =>
          Array.from({ length: Math.min(this.#u32(position + 2), MAX_SUBSCRIPTIONS) }, (_, index) =>
            subscriptionAt(memory, this.#u32(position), { index, snapshot: this.#snapshot }),
          ),
        );
      case "whence":
        return named(kind, this.#snapshot.whences[this.#u32(position)] ?? this.#u32(position));
      default:
        return named(kind, this.#u32(position));
    }
  }

  /** i32 come as signed numbers. */
  #u32(position: number): number {
    return (this.#params[position] as number) >>> 0;
  }

  #readable<Value extends SyscallValue>(read: (memory: GuestMemory) => Value): Value | null {
    try {
      return read(new GuestMemory(this.#caller.memory));
    } catch {
      // The call itself says what is wrong with the pointer.
      return null;
    }
  }
}

function named(kind: ParameterKind | ResultKind, value: number): number | string {
  const names = VALUES[kind as ParameterKind];
  if (names !== undefined) return names[value] ?? value;
  const bits = BITS[kind];
  if (bits === undefined) return value;
  const set = bits.filter((_, bit) => (value & (1 << bit)) !== 0);
  const unknown = value >>> bits.length;
  if (unknown !== 0) set.push(`0x${(unknown * 2 ** bits.length).toString(16)}`);
  return set.length === 0 ? "0" : set.join("|");
}

const decoder = new TextDecoder();

/** What is too long for a path is shown as far as it could be one. */
function pathAt(memory: GuestMemory, pointer: number, length: number): string {
  memory.require(pointer, length);
  return decoder.decode(memory.copy(pointer, Math.min(length, MAX_PATH_BYTES)));
}

function buffersAt(memory: GuestMemory, pointer: number, count: number): SyscallBuffers {
  return { buffers: count, bytes: memory.vectors(pointer, count).total };
}

function subscriptionAt(
  memory: GuestMemory,
  pointer: number,
  { index, snapshot: { subscription } }: { readonly index: number; readonly snapshot: Snapshot },
): SyscallSubscription {
  const at = pointer + index * subscription.bytes;
  const tag = memory.u8(at + subscription.tag);
  if (tag !== 0) return { type: tag === 1 ? "fd_read" : "fd_write", fd: memory.u32(at + subscription.descriptor) };
  const clock = memory.u32(at + subscription.clock);
  const flags = memory.u16(at + subscription.clockFlags);
  return {
    type: "clock",
    clock: CLOCKS[clock] ?? String(clock),
    timeout: memory.u64(at + subscription.timeout),
    isAbsolute: (flags & SUBSCRIPTION_CLOCK_ABSTIME) !== 0,
  };
}

function resultAt(
  memory: GuestMemory,
  pointer: number,
  { kind, snapshot }: { readonly kind: ResultKind; readonly snapshot: Snapshot },
): SyscallValue {
  switch (kind) {
    case "u64":
      return memory.u64(pointer);
    case "roflags":
      return named(kind, memory.u16(pointer));
    case "fdstat":
      return fileType(memory.u8(pointer + FDSTAT.type));
    case "filestat":
      return `${fileType(memory.u8(pointer + snapshot.filestat.type))}, ${memory.u64(pointer + snapshot.filestat.size)} bytes`;
    case "prestat":
      return `dir, ${memory.u32(pointer + PRESTAT.nameLength)} bytes of name`;
    default:
      return memory.u32(pointer);
  }
}

function fileType(number: number): string {
  return FILE_TYPES[number] ?? String(number);
}
