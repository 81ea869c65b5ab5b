/**
 * The instructions of a function that the compiler has to know one by one: structure, branches, access to locals, calls
 * that may suspend. Everything between two of them is copied as bytes.
 *
 * One list is reused for all functions of a module, so that analysing a function allocates next to nothing.
 */

import { OPCODES, OPCODE_LIMIT, opcode } from "../binary/opcodes.ts";
import type { OpcodeName } from "../binary/opcodes.ts";

/** Kinds of operations; SIMPLE ones are not in the list. */
export const SIMPLE = 0;
export const BLOCK = 1;
export const LOOP = 2;
export const IF = 3;
export const TRY_TABLE = 4;
/** `try` of the legacy form of exceptions. */
export const TRY = 5;
export const ELSE = 6;
/** `catch` and `catch_all` of the legacy form. */
export const CATCH = 7;
export const END = 8;
/** `delegate`, which ends a legacy `try`. */
export const DELEGATE = 9;
/** What names one label: `br` and `rethrow` never go on, the others may. */
export const BR = 10;
export const RETHROW = 11;
export const BR_TABLE = 12;
export const BR_IF = 13;
export const BR_ON_NULL = 14;
export const BR_ON_NON_NULL = 15;
export const BR_ON_CAST = 16;
export const RETURN = 17;
/** `unreachable`: ends the code without reading a local again. */
export const UNREACHABLE = 18;
/** `throw` and `throw_ref`: go to the handlers around them. */
export const THROW = 19;
export const RETURN_CALL = 20;
/** A tail call inside a try, which the resume copy leaves to a function of its own. */
export const OUTLINED_CALL = 33;
export const LOCAL_GET = 21;
export const LOCAL_SET = 22;
export const LOCAL_TEE = 23;
/** A call; as an operation: one that cannot suspend but may throw to a handler of this function. */
export const CALL = 24;
/** A call that may suspend; its argument is the number of the site. */
export const SITE = 25;
/** Uses a data or element segment, which only the module that has it can. */
export const SEGMENT = 26;
export const REF_FUNC = 27;
/** The remaining kinds only matter for typing. */
export const OPERAND = 28;
export const FIELDS = 29;
export const REFUSED = 30;
/** A value that can be made again: constants, null, immutable globals. */
export const CONSTANT = 31;
/** Pops and pushes what its fixed effect says, but more than one result. */
export const WIDE = 32;

const KINDS: { readonly [Name in OpcodeName]?: number } = {
  block: BLOCK,
  loop: LOOP,
  if: IF,
  try_table: TRY_TABLE,
  try: TRY,
  else: ELSE,
  catch: CATCH,
  catch_all: CATCH,
  end: END,
  delegate: DELEGATE,
  br: BR,
  rethrow: RETHROW,
  br_table: BR_TABLE,
  br_if: BR_IF,
  br_on_null: BR_ON_NULL,
  br_on_non_null: BR_ON_NON_NULL,
  br_on_cast: BR_ON_CAST,
  br_on_cast_fail: BR_ON_CAST,
  return: RETURN,
  unreachable: UNREACHABLE,
  throw: THROW,
  throw_ref: THROW,
  call: CALL,
  call_indirect: CALL,
  call_ref: CALL,
  return_call: RETURN_CALL,
  return_call_indirect: RETURN_CALL,
  return_call_ref: RETURN_CALL,
  "local.get": LOCAL_GET,
  "local.set": LOCAL_SET,
  "local.tee": LOCAL_TEE,
  "memory.init": SEGMENT,
  "data.drop": SEGMENT,
  "table.init": SEGMENT,
  "elem.drop": SEGMENT,
  "array.new_data": SEGMENT,
  "array.new_elem": SEGMENT,
  "array.init_data": SEGMENT,
  "array.init_elem": SEGMENT,
  "ref.func": REF_FUNC,
  "i32.const": CONSTANT,
  "i64.const": CONSTANT,
  "f32.const": CONSTANT,
  "f64.const": CONSTANT,
  "v128.const": CONSTANT,
  "ref.null": CONSTANT,
};

/** Opcode number → kind. */
export const KIND_OF: Uint8Array = new Uint8Array(OPCODE_LIMIT);

for (const entry of OPCODES) {
  if (!entry) continue;
  KIND_OF[entry.number] = KINDS[entry.name] ?? kindByRule(entry.rule, entry.effect?.results.length ?? 0);
}

function kindByRule(rule: string | null, results: number): number {
  if (rule === "operand") return OPERAND;
  if (rule === "fields") return FIELDS;
  if (rule !== null) return REFUSED;
  return results > 1 ? WIDE : SIMPLE;
}

/** Whether the next instruction is not reached from this one. */
export function neverGoesOn(kind: number): boolean {
  return (kind >= BR && kind <= BR_TABLE) || (kind >= RETURN && kind <= RETURN_CALL) || kind === OUTLINED_CALL;
}

export const CALL_OPCODE: number = opcode("call");

/** The operations of one function, as columns. */
export class Operations {
  length = 0;
  kind: Uint8Array = new Uint8Array(1024);
  /** Offsets of the instruction and of the one behind it. */
  start: Int32Array = new Int32Array(1024);
  end: Int32Array = new Int32Array(1024);
  /** Construct, site, local or label, as the kind wants it; -1 for a site that needs nothing (a tail call). */
  argument: Int32Array = new Int32Array(1024);
  /** Constructs around it, the function included. */
  depth: Int32Array = new Int32Array(1024);

  /** Makes room for the operations of a body of this size. */
  reset(bodyBytes: number): void {
    this.length = 0;
    const needed = bodyBytes + 8;
    if (this.kind.length >= needed) return;
    const capacity = needed * 2;
    this.kind = new Uint8Array(capacity);
    this.start = new Int32Array(capacity);
    this.end = new Int32Array(capacity);
    this.argument = new Int32Array(capacity);
    this.depth = new Int32Array(capacity);
  }
}
