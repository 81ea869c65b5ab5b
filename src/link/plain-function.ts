/** Functions of a guest that can be called at any time: while stacks are switched, too. */

import { InstructionReader } from "../binary/instructions.ts";
import { opcode } from "../binary/opcodes.ts";
import type { GuestModule } from "./guest-module.ts";

/** What LLVM makes of functions that read or write a global, also without optimisation. */
const PLAIN: ReadonlySet<number> = new Set([
  opcode("local.get"),
  opcode("local.set"),
  opcode("local.tee"),
  opcode("global.get"),
  opcode("global.set"),
  opcode("i32.const"),
  opcode("i32.add"),
  opcode("i32.sub"),
  opcode("i32.load"),
  opcode("i32.store"),
  opcode("return"),
  opcode("end"),
  opcode("drop"),
  opcode("nop"),
]);

/**
 * Whether the function that a guest exports as `name` does nothing but move values about: it calls nobody, cannot wait and always ends,
 * at worst by a trap. `false` if its code is not known.
 */
export function isPlainFunction({ prepared }: GuestModule, name: string): boolean {
  if (prepared === undefined) return false;
  const { bodies, bytes, exports, importedFunctions } = prepared.original;
  const entry = exports.find((each) => each.name === name && each.kind === "function");
  if (entry === undefined || entry.index < importedFunctions) return false;
  const body = (entry.index - importedFunctions) * 2;
  const reader = new InstructionReader(bytes);
  reader.enterBody(bodies[body]!, bodies[body + 1]!);
  while (reader.next()) if (!PLAIN.has(reader.opcode)) return false;
  return true;
}
