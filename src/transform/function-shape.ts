/**
 * What the compiler knows about one function after analysis.ts has read it.
 *
 * A **site** is a call that may suspend. A **construct** is a block, loop, if or try. A **region** is the body of the
 * function, of a construct or of one arm of it; its **points** are the places in it where a saved frame can continue,
 * in order: sites, and constructs that have sites in them.
 *
 *     block            region 1: point 0 = site 0, point 1 = the loop
 *       call $a          site 0
 *       loop           region 2: point 0 = site 1
 *         call $b        site 1
 *       end
 *     end
 */

import type { FunctionType } from "../binary/extern-types.ts";
import type { Range } from "../binary/instructions.ts";
import type { ValueType } from "../binary/value-types.ts";

/** An operand that lies on the stack below a site or below a construct with sites, and has to come back. */
export interface KeptOperand {
  /** Its type where it is kept: that of the label, behind a conditional branch that would have taken it along. */
  readonly type: ValueType;
  /** Position on the operand stack of the function, 0 at the bottom. */
  readonly stackIndex: number;
  /** Offset behind the instruction that produced it. */
  readonly producedAt: number;
  /** Its type there, `type` or a subtype of it. */
  readonly producedType: ValueType;
  /** The other results of the same instruction, when there is more than one. */
  readonly group: OperandGroup | null;
  /** Local it is a copy of, as long as nothing writes to that local; -1 when there is none. */
  copyOf: number;
  /** The instruction that makes it again. */
  readonly constant: Range | null;
  /** Local that holds it at every site above it; -1 for constants. homes.ts decides. */
  home: number;
}

/** Operands that one instruction, or the start of a construct with parameters, puts on the stack. */
export interface OperandGroup {
  readonly position: number;
  readonly base: number;
  readonly types: readonly ValueType[];
}

export interface Site {
  readonly operation: number;
  /** The operands below the call's own, in the innermost construct. */
  readonly operands: readonly KeptOperand[];
  /** What the call takes, the table index or reference included, and what it leaves. */
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
  /** The innermost construct around it; -1 for none. */
  readonly construct: number;
}

export interface Construct {
  readonly kind: number;
  /** The construct around it; -1 for none. */
  readonly parent: number;
  /** Whether it is a loop or in one. */
  readonly inLoop: boolean;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
  /** Height of the operand stack below its parameters. */
  readonly height: number;
  /** Offset of its first instruction. */
  readonly bodyStart: number;
  /** Operations that start, divide and end it; -1 for no `else`. */
  readonly start: number;
  elseOperation: number;
  endOperation: number;
  /** Sites inside: `[firstSite, endSite)`, those from `elseSite` on in the second arm. */
  readonly firstSite: number;
  elseSite: number;
  endSite: number;
  readonly region: number;
  elseRegion: number;
  /** What lies below it in its parent; only for constructs with sites. */
  operands: readonly KeptOperand[];
  /** Where its parameters are kept; only for constructs with sites and parameters. */
  paramHomes: readonly number[];
}

/** A point is the number of a site, or the complement (`~n`) of the number of a construct. */
export type Point = number;

export interface FunctionShape {
  readonly index: number;
  readonly type: FunctionType;
  /** Locals and code in the bytes of the module. */
  readonly body: Range;
  /** Offset behind the declarations of locals. */
  readonly codeStart: number;
  /** Types of parameters and locals. */
  readonly locals: readonly ValueType[];
  readonly constructs: readonly Construct[];
  readonly regions: readonly (readonly Point[])[];
  readonly sites: readonly Site[];
  readonly keptOperands: readonly KeptOperand[];
  /** Types of the functions for instructions that the resume copy cannot have, by the argument of the operation. */
  readonly outlinedTypes: readonly FunctionType[];
  /** Whether it catches exceptions around a site. */
  readonly hasHandlers: boolean;
}

/** Whether the construct, or the arms of it, have sites. */
export function hasSites(construct: Construct): boolean {
  return construct.endSite > construct.firstSite;
}
