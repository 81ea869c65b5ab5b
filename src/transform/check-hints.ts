/**
 * Branch hints for the checks of small functions: that something has suspended is unlikely.
 *
 * V8 copies a small function to where it is called. There it has to have the locals of the caller in memory where a frame is saved,
 * and, since it does not know that this hardly ever happens, puts them there in each iteration of the caller's loop: a fifth of the time of
 * a loop that does little else. Hints of larger functions make no difference, and all of them would be a tenth of the module.
 */

import type { BranchHint } from "../binary/branch-hints.ts";
import { InstructionReader } from "../binary/instructions.ts";
import { opcode } from "../binary/opcodes.ts";

const GLOBAL_GET = opcode("global.get");
const BR_IF = opcode("br_if");

/** For locals and code of a copy, unless they are larger than `maxBytes`; `state` is the global that is checked. */
export function checkHints(body: Uint8Array, state: number, maxBytes: number): BranchHint[] {
  if (body.length > maxBytes) return [];
  const hints: BranchHint[] = [];
  const reader = new InstructionReader(body);
  reader.enterBody(0, body.length);
  let isStateRead = false;
  while (reader.next()) {
    if (reader.opcode === BR_IF && isStateRead) hints.push({ offset: reader.start, likely: false });
    isStateRead = reader.opcode === GLOBAL_GET && reader.index() === state;
  }
  return hints;
}
