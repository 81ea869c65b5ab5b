/**
 * Branch hints for the checks after calls of small functions, and in these: that something has suspended is unlikely.
 *
 * V8 copies a small function to where it is called. There it has to have the locals of the caller in memory where a frame is saved,
 * and, since it does not know that this hardly ever happens, puts them there in each iteration of the caller's loop: up to half of the time of
 * a loop that does little else. A hint for only one of the two checks is worse than none (3.0 times plain code instead of 1.8; both: 1.0).
 * Hints of all checks would be a tenth of the module.
 */

import type { BranchHint } from "../binary/branch-hints.ts";
import { InstructionReader } from "../binary/instructions.ts";
import type { BinaryModule } from "../binary/module.ts";
import { opcode } from "../binary/opcodes.ts";

const GLOBAL_GET = opcode("global.get");
const CALL = opcode("call");
const CALL_INDIRECT = opcode("call_indirect");
const BR_IF = opcode("br_if");

/** Larger functions have no hints in the first module, which is to stay small. */
const SMALL_BYTES = 32;

/** For the first module: `body` is the copy of function `index` of the guest. */
export function hintsOfSmallFunctions(
  { bodies, importedFunctions }: BinaryModule,
  { index, body }: { readonly index: number; readonly body: Uint8Array },
  state: number,
): BranchHint[] {
  const isSmall = (callee: number): boolean => {
    const position = 2 * (callee - importedFunctions);
    return position >= 0 && position < bodies.length && bodies[position + 1]! - bodies[position]! <= SMALL_BYTES;
  };
  const isInSmall = isSmall(index);
  return checkHints(body, state, (callee) => isInSmall || (callee !== undefined && isSmall(callee)));
}

/** For locals and code of a copy; `state` is the global that is checked after a call, `isHinted` whether that call's check has a hint. */
export function checkHints(
  body: Uint8Array,
  state: number,
  isHinted: (callee: number | undefined) => boolean,
): BranchHint[] {
  const hints: BranchHint[] = [];
  let callee: number | undefined;
  const reader = new InstructionReader(body);
  reader.enterBody(0, body.length);
  let isStateRead = false;
  while (reader.next()) {
    if (reader.opcode === CALL) callee = reader.index();
    else if (reader.opcode === CALL_INDIRECT) callee = undefined;
    if (reader.opcode === BR_IF && isStateRead && isHinted(callee)) hints.push({ offset: reader.start, likely: false });
    isStateRead = reader.opcode === GLOBAL_GET && reader.index() === state;
  }
  return hints;
}
