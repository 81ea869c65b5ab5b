/** What Lua asks the system for by way of Emscripten: the time. There are no files, no environment, and no other programs. */

import { formatTime, secondsOfLocalTime, writeLocalTime, writeUniversalTime } from "./calendar.ts";

const PAGE_BYTES = 65_536;
const MAX_BYTES = 2 ** 31;
/** Words of a `struct tm`. */
const TIME_WORDS = 11;

// Errors of Emscripten: negative for system calls, positive for those of WASI.
const BAD_DESCRIPTOR = 8;
const NO_ENTRY = 44;

/** Memory grows by as much as it has, up to this, so that it need not be done often. */
const MAX_STEP_BYTES = 16 * 1024 * 1024;

type Imports = Record<string, Record<string, (...args: never[]) => unknown>>;

/** @param memory the guest's, as soon as it calls one of these */
export function emscriptenImports(memory: () => WebAssembly.Memory): Imports {
  const timeAt = (address: number): Int32Array => new Int32Array(memory().buffer, address, TIME_WORDS);
  return {
    env: {
      ...SYSTEM,
      strftime: (target: number, capacity: number, format: number, time: number) =>
        writeText(memory(), formatTime(readText(memory(), format), timeAt(time)), { target, capacity }),
      _localtime_js: (seconds: bigint, time: number) => writeLocalTime(timeAt(time), Number(seconds)),
      _gmtime_js: (seconds: bigint, time: number) => writeUniversalTime(timeAt(time), Number(seconds)),
      _mktime_js: (time: number) => BigInt(Math.floor(secondsOfLocalTime(timeAt(time)) ?? -1)),
      _tzset_js: (offset: number, hasDaylightSaving: number) => writeZone(memory(), offset, hasDaylightSaving),
      emscripten_resize_heap: (bytes: number) => grow(memory(), bytes >>> 0),
    },
    wasi_snapshot_preview1: {
      ...Object.fromEntries(["fd_write", "fd_read", "fd_close", "fd_seek"].map((name) => [name, () => BAD_DESCRIPTOR])),
      environ_sizes_get: (count: number, bytes: number) => {
        const words = new Int32Array(memory().buffer);
        words[count >> 2] = 0;
        words[bytes >> 2] = 0;
        return 0;
      },
      environ_get: () => 0,
    },
  };
}

/** What there is not, and what the guest does by itself. */
const SYSTEM: Imports[string] = {
  ...Object.fromEntries(
    ["openat", "unlinkat", "rmdir", "renameat", "readlinkat"].map((name) => [`__syscall_${name}`, () => -NO_ENTRY]),
  ),
  ...Object.fromEntries(["fcntl64", "ioctl", "dup3"].map((name) => [`__syscall_${name}`, () => -BAD_DESCRIPTOR])),
  // There is no shell.
  system: () => 0,
  abort: () => stop("it has given up"),
  exit: () => stop("it has called exit()"),
  // link/longjmp.ts has put functions of the guest in their place.
  invoke_vii: () => stop("it does not jump by itself"),
  _emscripten_throw_longjmp: () => stop("it does not jump by itself"),
  emscripten_date_now: () => Date.now(),
  _emscripten_get_now_is_monotonic: () => 0,
};

function stop(reason: string): never {
  throw new Error(`Lua cannot go on: ${reason}`);
}

function readText(memory: WebAssembly.Memory, address: number): string {
  const bytes = new Uint8Array(memory.buffer);
  return new TextDecoder().decode(bytes.subarray(address, bytes.indexOf(0, address)));
}

/** With a zero behind; 0 if there is no place for it. */
function writeText(
  memory: WebAssembly.Memory,
  text: string,
  { target, capacity }: { readonly target: number; readonly capacity: number },
): number {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length >= capacity) return 0;
  const destination = new Uint8Array(memory.buffer);
  destination.set(bytes, target);
  destination[target + bytes.length] = 0;
  return bytes.length;
}

/** `timezone`, in seconds west of Greenwich, and `daylight`. */
function writeZone(memory: WebAssembly.Memory, offset: number, hasDaylightSaving: number): void {
  const year = new Date().getFullYear();
  const [january, july] = [0, 6].map((month) => new Date(year, month, 1).getTimezoneOffset());
  const words = new Int32Array(memory.buffer);
  words[offset >> 2] = Math.max(january!, july!) * 60;
  words[hasDaylightSaving >> 2] = Number(january !== july);
}

/** Makes room for so many bytes, and some more: 1 if there is room. */
function grow(memory: WebAssembly.Memory, bytes: number): number {
  const now = memory.buffer.byteLength;
  for (const wanted of [Math.max(bytes, now + Math.min(now, MAX_STEP_BYTES)), bytes]) {
    if (wanted > MAX_BYTES) continue;
    try {
      memory.grow(Math.ceil((wanted - now) / PAGE_BYTES));
      return 1;
    } catch {
      // With less there may be.
    }
  }
  return 0;
}
