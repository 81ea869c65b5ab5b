/** Traps: failures of a guest that the engine raises and that guest code cannot catch. */

/** What went wrong, in words that do not depend on the engine. `"other"`: the engine's message is not known here. */
export type TrapKind =
  | "unreachable"
  | "memory-out-of-bounds"
  | "table-out-of-bounds"
  | "array-out-of-bounds"
  | "divide-by-zero"
  | "integer-overflow"
  | "invalid-conversion"
  | "indirect-call"
  | "null-reference"
  | "bad-cast"
  | "unaligned-atomic"
  | "stack-overflow"
  | "other";

/**
 * Messages of V8, SpiderMonkey and JavaScriptCore, in this order in each row where they differ. The specification names no
 * texts, and no engine offers a code. The first row that matches counts: the specific ones stand before the general ones.
 */
const MESSAGES: readonly (readonly [TrapKind, RegExp])[] = [
  ["unreachable", /^unreachable/i],
  ["stack-overflow", /call stack size exceeded|too much recursion|stack overflow/i],
  ["array-out-of-bounds", /array element access|array.*(out of bounds|too large)|out of bounds array/i],
  ["table-out-of-bounds", /table.*out of bounds|element segment|out of bounds (table|call_indirect)/i],
  ["memory-out-of-bounds", /memory access out|data segment|out of bounds memory|index out of bounds/i],
  ["divide-by-zero", /(divide|remainder|division) by zero/i],
  ["invalid-conversion", /unrepresentable in integer range|invalid conversion to integer|trunc/i],
  ["integer-overflow", /divide result unrepresentable|integer overflow/i],
  ["indirect-call", /signature mismatch|null function|indirect call|call_indirect/i],
  ["null-reference", /null pointer|null (reference|value)|to null/i],
  ["bad-cast", /illegal cast|bad cast|cast (failure|failed)|ref\.cast/i],
  ["unaligned-atomic", /unaligned/i],
];

/**
 * A trap, as the engine threw it: the object keeps its identity and gets a `kind`.
 *
 * `error instanceof Trap` holds for every trap that left a guest through this library. That is mostly a
 * `WebAssembly.RuntimeError`, but the exhausted call stack is a `RangeError` in V8 and an `InternalError` in SpiderMonkey,
 * which is why the test is a brand and not the prototype.
 */
export class Trap extends WebAssembly.RuntimeError {
  declare readonly kind: TrapKind;
  /** The number of the thread that it ended with; of a WASI program with threads, if it was not the main one. */
  declare readonly thread?: number;
  /** The name of the task that it ended; of a program with tasks of its own, if it was not the main one. */
  declare readonly task?: string;

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && traps.has(value);
  }
}

const traps = new WeakSet<object>();

/** Marks `error` as a {@link Trap} if the engine raised it for guest code. */
export function markTrap(error: unknown): void {
  if (!(error instanceof Error) || traps.has(error)) return;
  const kind = kindOf(error);
  // Other RangeErrors come from host functions; a RuntimeError comes from the engine, whatever it says.
  if (!(error instanceof WebAssembly.RuntimeError) && kind !== "stack-overflow") return;
  if (!Object.isExtensible(error)) return;
  Object.defineProperty(error, "kind", { value: kind ?? "other", configurable: true, writable: true });
  traps.add(error);
}

function kindOf({ message }: Error): TrapKind | undefined {
  try {
    return MESSAGES.find(([, pattern]) => pattern.test(message))?.[0];
  } catch {
    // Regular expressions take some of the native stack when they are compiled, and there was too little left.
    return "stack-overflow";
  }
}
