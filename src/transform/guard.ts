/**
 * Excluded functions: the caller of the compiler promised that nothing suspends below them, so they save no frame, and their
 * callers have no sites for them. Where they call what may suspend, they check the promise, at the cost of a site:
 *
 *     call $g
 *     i32.const 1  global.get $state  br_if $refuse  drop
 *     …
 *     end                                     ;; of $refuse
 *     i32.const INDEX+1  call $refuse         ;; ends the run with a trap, which guest code cannot catch
 *
 * So a suspension below an excluded function is an error, and no frame is ever missing.
 */

import { opcode } from "../binary/opcodes.ts";
import { I32 } from "../binary/value-types.ts";
import type { Writer } from "../binary/writer.ts";
import type { FunctionShape } from "./function-shape.ts";
import { storableType } from "./homes.ts";
import type { Homes } from "./homes.ts";
import type { RuntimeHome } from "./runtime-home.ts";

const I32_CONST = opcode("i32.const");
const CALL = opcode("call");
const DROP = opcode("drop");
const UNREACHABLE = opcode("unreachable");

/** Nothing has to be found again. */
export function guardedHomes(shape: FunctionShape): Homes {
  return { locals: shape.locals.map(storableType), insertions: [] };
}

/** `index + 1 -> ()`: of an excluded function. `fail` is that of the runtime. */
export function addRefuse(home: RuntimeHome, fail: number): number {
  const type = { params: [I32], results: [] };
  const { code, index } = home.module.addFunction(type);
  code.localGet(0).globalSet(home.globals.refused).i32Const(1).call(fail);
  return home.callable(index, type);
}

/** With the number of a site on the stack. */
export function writeRefusal(writer: Writer, functionIndex: number, refuse: number): void {
  writer.u8(DROP);
  writer.u8(I32_CONST);
  writer.s32(functionIndex + 1);
  writer.u8(CALL);
  writer.u32(refuse);
  writer.u8(UNREACHABLE);
}
