/** What the `try` constructs of the legacy form of exceptions have in their catch blocks. */

import type { FunctionType } from "../binary/extern-types.ts";
import type { InstructionReader, Range } from "../binary/instructions.ts";
import { opcode } from "../binary/opcodes.ts";
import type { ValueType } from "../binary/value-types.ts";
import * as op from "./operations.ts";
import type { TypingRules } from "./typing-rules.ts";

const CATCH_ALL = opcode("catch_all");
/** Stands for the tag of a clause that catches all. */
export const ALL = -1;

export interface CatchClause {
  /** Index of the tag, or ALL. */
  readonly tag: number;
  /** What the tag carries. */
  readonly values: readonly ValueType[];
  /** Whether a call stands in the block, or one that may suspend. */
  hasCalls: boolean;
  maySuspend: boolean;
  /** Whether `rethrow` names it. */
  isRethrown: boolean;
}

/** One that ends with `delegate` has no clauses. */
export interface LegacyTry {
  readonly type: FunctionType;
  readonly clauses: readonly CatchClause[];
}

/** A construct that is open. */
interface Open {
  /** Null for all but `try`. */
  readonly clauses: CatchClause[] | null;
  /** The clause of it that the code is in, if any. */
  clause: CatchClause | null;
  /** The innermost clause around it. */
  readonly outer: CatchClause | null;
}

/** All of a function, in the order of its code. `maySuspend` is about the current instruction of `reader`, a call. */
export function readTries(
  reader: InstructionReader,
  rules: TypingRules,
  { start, end }: Range,
  maySuspend: () => boolean,
): LegacyTry[] {
  const tries: LegacyTry[] = [];
  const open: Open[] = [{ clauses: null, clause: null, outer: null }];
  reader.enterBody(start, end);
  while (reader.next()) {
    const kind = op.KIND_OF[reader.opcode]!;
    if (kind >= op.BLOCK && kind <= op.TRY) {
      const { clause, outer } = open.at(-1)!;
      const clauses: CatchClause[] | null = kind === op.TRY ? [] : null;
      if (clauses) tries.push({ type: rules.blockType(), clauses });
      open.push({ clauses, clause: null, outer: clause ?? outer });
    } else if (kind === op.END || kind === op.DELEGATE) {
      leaveClause(open.pop()!);
    } else {
      note(reader, rules, open, maySuspend);
    }
  }
  return tries;
}

function note(reader: InstructionReader, rules: TypingRules, open: readonly Open[], maySuspend: () => boolean): void {
  const kind = op.KIND_OF[reader.opcode]!;
  const innermost = open.at(-1)!;
  if (kind === op.CATCH) {
    leaveClause(innermost);
    const isAll = reader.opcode === CATCH_ALL;
    innermost.clause = isAll ? makeClause(ALL, []) : makeClause(reader.index(), rules.tagParams());
    innermost.clauses!.push(innermost.clause);
  } else if (kind === op.CALL) {
    const around = innermost.clause ?? innermost.outer;
    if (!around) return;
    around.hasCalls = true;
    around.maySuspend ||= maySuspend();
  } else if (kind === op.RETHROW) {
    open.at(-1 - reader.index())!.clause!.isRethrown = true;
  }
}

/** What is in the clause is in the one around, too. */
function leaveClause({ clause, outer }: Open): void {
  if (!clause || !outer) return;
  outer.hasCalls ||= clause.hasCalls;
  outer.maySuspend ||= clause.maySuspend;
}

function makeClause(tag: number, values: readonly ValueType[]): CatchClause {
  return { tag, values, maySuspend: false, hasCalls: false, isRethrown: false };
}
