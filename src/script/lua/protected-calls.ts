/**
 * The one function of Lua with a `setjmp`: `luaD_rawrunprotected`, below every `pcall`. Emscripten has it allocate a block for as long as it runs,
 * which a script that is stopped would never free. In the guest's stack it is gone with its frame:
 *
 *     (call $malloc (i32.const 40))   →   (call $stackAlloc (i32.const 40))
 *     (call $free (local.get $block)) →   (drop (local.get $block))
 */

import { InstructionReader } from "../../binary/instructions.ts";
import { functionBody, functionType, importedFunctions } from "../../binary/module.ts";
import type { BinaryModule } from "../../binary/module.ts";
import { opcode } from "../../binary/opcodes.ts";
import { I32 } from "../../binary/value-types.ts";
import { unknownBuild } from "./unknown-build.ts";

const CALL = opcode("call");

/** Indices of functions. */
export interface ProtectedCall {
  readonly caller: number;
  readonly allocate: number;
  readonly free: number;
}

export function findProtectedCall(module: BinaryModule): ProtectedCall {
  const invokes = importedFunctions(module).filter(({ name }) => name.startsWith("invoke_"));
  const free = module.exports.find(({ kind, name }) => kind === "function" && name === "free")?.index;
  const callers: (readonly [caller: number, calls: readonly number[]])[] = [];
  for (let index = module.importedFunctions; index < module.functions.length; index++) {
    const calls = callsIn(module, index);
    if (invokes.some((invoke) => calls.includes(invoke.index))) callers.push([index, calls]);
  }
  if (callers.length !== 1) return unknownBuild(`${callers.length} functions of it use setjmp`);
  const [caller, calls] = callers[0]!;
  const allocators = calls.filter((callee) => {
    const { params, results } = functionType(module, callee);
    return params.join() === String(I32) && results.join() === String(I32);
  });
  if (free === undefined || allocators.length !== 1 || !calls.includes(free)) {
    return unknownBuild("its setjmp keeps something else");
  }
  return { caller, allocate: allocators[0]!, free };
}

function callsIn(module: BinaryModule, index: number): number[] {
  const { start, end } = functionBody(module, index);
  const reader = new InstructionReader(module.bytes);
  const calls: number[] = [];
  reader.enterBody(start, end);
  while (reader.next()) if (reader.opcode === CALL) calls.push(reader.index());
  return calls;
}
