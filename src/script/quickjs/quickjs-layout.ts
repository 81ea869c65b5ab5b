/**
 * Where QuickJS keeps what it has no functions for. Nothing here is known of a release: it is found by having the engine do something and
 * looking which word has changed, and checked by doing it again.
 *
 *     JSValue (8 bytes)    payload: i32 | tag: i32       a double if the tag is none of the known ones
 *     JSRuntime            … current_stack_frame … stack_limit … current_exception (a JSValue) … malloc_gc_threshold …
 *
 * `current_stack_frame` is the innermost frame of the script that runs, and points to the one around it. When several scripts are under way
 * each has to find its own. `stack_limit` is the lowest address that a script's stack may reach. `current_exception` is what was thrown
 * last, until somebody takes it: each has to find its own there, too. `malloc_gc_threshold` says after how much QuickJS looks for garbage.
 */

import type { QuickJSFunctions } from "./quickjs-functions.ts";
import type { QuickJSMemory } from "./quickjs-memory.ts";

/** Offsets into a `JSRuntime`. */
export interface RuntimeLayout {
  readonly stackFrame: number;
  readonly stackLimit: number;
  readonly exception: number;
  /** `undefined` where it is not found: QuickJS then looks when it sees fit. */
  readonly gcThreshold: number | undefined;
}

/** Bytes of a `JSRuntime` that are looked at. */
const RUNTIME_BYTES = 1024;
/** What QuickJS sets its threshold to: when that is over it becomes a half more than there is. */
const FIRST_GC_BYTES = 256 * 1024;
/** Two sizes that no other field is likely to have. */
const LARGER_BYTES = 0x12_3450;
const SMALLER_BYTES = 0x2_3450;

export interface Probe {
  readonly functions: QuickJSFunctions;
  readonly memory: QuickJSMemory;
  readonly runtime: number;
  /** Evaluates a script in which `probe` is a function of the host that calls `look`. */
  evaluate(source: string, look: () => void): void;
  /** Evaluates a script that throws, and takes the exception after `look` was called. */
  evaluateThrowing(source: string, look: () => void): void;
}

/** @throws {Error} when it is not what it has always been */
export function findRuntimeLayout(probe: Probe): RuntimeLayout {
  return {
    gcThreshold: findGcThreshold(probe),
    stackFrame: findStackFrame(probe),
    stackLimit: findStackLimit(probe),
    exception: findException(probe),
  };
}

/** The word that is 0 while nothing runs, and otherwise begins a chain of as many frames as there are calls. */
function findStackFrame(probe: Probe): number {
  const idle = offsetsWhere((offset) => probe.memory.read(probe.runtime + offset) === 0);
  const lengths = (source: string): Map<number, number> => {
    const found = new Map<number, number>();
    probe.evaluate(source, () => {
      for (const offset of idle) found.set(offset, chainLength(probe.memory, probe.runtime + offset));
    });
    return found;
  };
  const shallow = lengths("probe()");
  const deep = lengths("(() => (() => probe())())()");
  const candidates = idle.filter((offset) => {
    const length = shallow.get(offset)!;
    return length > 0 && deep.get(offset) === length + 2;
  });
  return only(candidates, "its innermost frame");
}

/** The word that is 256 KiB at the beginning, and something else when it was made 0 and an object was made. */
function findGcThreshold(probe: Probe): number | undefined {
  const { memory, runtime } = probe;
  const found = offsetsWhere((offset) => memory.read(runtime + offset) === FIRST_GC_BYTES);
  const [offset] = found;
  if (offset === undefined || found.length > 1) return undefined;
  memory.write(runtime + offset, 0);
  probe.evaluate("probe({})", () => {});
  if (memory.read(runtime + offset) > 0) return offset;
  memory.write(runtime + offset, FIRST_GC_BYTES);
  return undefined;
}

/** The word that is what was thrown last, which is a small number here. */
function findException(probe: Probe): number {
  const [larger, smaller] = [LARGER_BYTES, SMALLER_BYTES].map((thrown) => {
    let found: number[] = [];
    probe.evaluateThrowing(`throw ${thrown}`, () => {
      found = offsetsWhere((offset) => probe.memory.read(probe.runtime + offset) === thrown);
    });
    return found;
  });
  return only(
    larger!.filter((offset) => smaller!.includes(offset)),
    "what was thrown last",
  );
}

/** How many words point to each other, each lower in memory than the one it points to, until one is 0; -1 if they do not. */
function chainLength(memory: QuickJSMemory, start: number): number {
  const end = memory.words.byteLength;
  let length = 0;
  let before = 0;
  for (let at = memory.read(start); at !== 0; at = memory.read(at)) {
    if (at <= before || at % 4 !== 0 || at >= end || length > 100) return -1;
    before = at;
    length++;
  }
  return length;
}

/** The word that goes down by as much as the size of the stack goes up. */
function findStackLimit({ functions, memory, runtime }: Probe): number {
  const wordsWith = (size: number): Int32Array => {
    functions.QTS_RuntimeSetMaxStackSize(runtime, size);
    return memory.words.slice(runtime >> 2, (runtime + RUNTIME_BYTES) >> 2);
  };
  const larger = wordsWith(LARGER_BYTES);
  const smaller = wordsWith(SMALLER_BYTES);
  functions.QTS_RuntimeSetMaxStackSize(runtime, 0);
  const difference = (offset: number): number => smaller[offset >> 2]! - larger[offset >> 2]!;
  const found = offsetsWhere((offset) => difference(offset) === LARGER_BYTES - SMALLER_BYTES);
  return only(found, "the end of its stack");
}

/** @throws {Error} when there is none, or several */
export function only(found: readonly number[], what: string): number {
  const [first, ...others] = found;
  if (first !== undefined && others.length === 0) return first;
  throw new Error(`Cannot start QuickJS: it does not tell where it keeps ${what}, so this release cannot be used`);
}

function offsetsWhere(test: (offset: number) => boolean): number[] {
  return Array.from({ length: RUNTIME_BYTES / 4 }, (_, index) => index * 4).filter(test);
}
