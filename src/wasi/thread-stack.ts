/**
 * Where the stack of a thread is: `pthread_create` takes it from the heap, and tells the host nothing of it.
 *
 * In musl, and so in wasi-libc, the new thread's `struct pthread` lies above its stack, in its thread-local storage, and has among its
 * members (pthread_impl.h):
 *
 *     map_base   map_size   stack   stack_size          what was allocated; where the stack begins, and how far down it goes
 *
 *     map_base                                                                                  map_base + map_size
 *        |  guard, if any  |  … frames grow downwards …  | stack, what wasi_thread_start is given, struct pthread … |
 *
 * `wasi_thread_start` is given the address of a few words at the top of the stack, or has that top as the first of them. Four words
 * that fit all that are no accident. Where there are none, as in another C library or with a stack of the program's own
 * (`pthread_attr_setstack`), the thread runs without a guard.
 */

/** How far above its stack the description of a thread is looked for: thread-local variables may lie before it. */
const SEARCHED_BYTES = 65_536;
const WORD_BYTES = 4;
/** What libraries put between the stack and the address that they start the thread with, and round off. */
const NEAR_BYTES = 64;
const ALIGNMENT_BYTES = 16;

/** Addresses in bytes. */
export interface ThreadStack {
  /** The lowest byte that belongs to it. */
  readonly low: number;
  /** Where it begins. */
  readonly top: number;
}

/** The stack of the thread that is to be started with `argument`, if it can be told. */
export function findThreadStack(memory: ArrayBufferLike, argument: number): ThreadStack | undefined {
  const address = argument >>> 0;
  if (address % WORD_BYTES !== 0 || address + WORD_BYTES > memory.byteLength) return undefined;
  const bytes = Math.min(SEARCHED_BYTES, memory.byteLength - address);
  const words = new Uint32Array(memory, address, Math.floor(bytes / WORD_BYTES));
  const named = words[0]!;
  for (let at = 2; at + 1 < words.length; at++) {
    const top = words[at]!;
    if (top !== named && Math.abs(top - address) > NEAR_BYTES) continue;
    const stack = stackOf({ base: words[at - 2]!, size: words[at - 1]! }, top, words[at + 1]!);
    if (stack !== undefined) return stack;
  }
  return undefined;
}

/** If a stack of `stackBytes` that begins at `top` is within what was allocated. */
function stackOf(map: { base: number; size: number }, top: number, stackBytes: number): ThreadStack | undefined {
  if (map.base === 0 || stackBytes === 0 || map.size < stackBytes || top > map.base + map.size) return undefined;
  // Its beginning was rounded down after its size was taken.
  const low = top - stackBytes;
  return low < map.base - ALIGNMENT_BYTES ? undefined : { low: Math.max(low, map.base), top };
}
