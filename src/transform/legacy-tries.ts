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
  /** Whether a call that may suspend stands in the block. */
  maySuspend: boolean;
  hasCalls: boolean;
  /** Whether `rethrow` names it. */
  isRethrown: boolean;
}

/** The clauses of `delegate` are one ALL. */
export interface LegacyTry {
  readonly type: FunctionType;
  readonly clauses: readonly CatchClause[];
}

/** A construct that is open: null for all but `try`, and the clause that the code is in, if any. */
interface Open {
  readonly clauses: CatchClause[] | null;
  clause: CatchClause | null;
}

/** All of a function, in the order of its code. `maySuspend` is about the current instruction of `reader`, a call. */
export function readTries(
  reader: InstructionReader,
  rules: TypingRules,
  { start, end }: Range,
  maySuspend: () => boolean,
): LegacyTry[] {
  const tries: LegacyTry[] = [];
  const open: Open[] = [{ clauses: null, clause: null }];
  reader.enterBody(start, end);
  while (reader.next()) {
    const kind = op.KIND_OF[reader.opcode]!;
    if (kind === op.TRY) {
      const clauses: CatchClause[] = [];
      tries.push({ type: rules.blockType(), clauses });
      open.push({ clauses, clause: null });
    } else if (kind >= op.BLOCK && kind <= op.TRY_TABLE) {
      open.push({ clauses: null, clause: null });
    } else if (kind === op.END || kind === op.DELEGATE) {
      const ended = open.pop();
      if (kind === op.DELEGATE) ended!.clauses!.push(makeClause(ALL, []));
    } else {
      note(reader, rules, open, maySuspend);
    }
  }
  return tries;
}

function note(reader: InstructionReader, rules: TypingRules, open: readonly Open[], maySuspend: () => boolean): void {
  const kind = op.KIND_OF[reader.opcode]!;
  if (kind === op.CATCH) {
    const innermost = open.at(-1)!;
    const isAll = reader.opcode === CATCH_ALL;
    innermost.clause = isAll ? makeClause(ALL, []) : makeClause(reader.index(), rules.tagParams());
    innermost.clauses!.push(innermost.clause);
  } else if (kind === op.CALL) {
    const suspends = maySuspend();
    for (const { clause } of open) {
      if (!clause) continue;
      clause.hasCalls = true;
      if (suspends) clause.maySuspend = true;
    }
  } else if (kind === op.RETHROW) {
    open.at(-1 - reader.index())!.clause!.isRethrown = true;
  }
}

function makeClause(tag: number, values: readonly ValueType[]): CatchClause {
  return { tag, values, maySuspend: false, hasCalls: false, isRethrown: false };
}
