/**
 * Has calls that nest without using the engine's own stack use some of it: WebAssembly in, WebAssembly out.
 *
 * QuickJS looks at an address of its stack in memory to know how deep it is, and throws a `RangeError` in time. Many of its functions have nearly
 * all their variables in registers, though, and take next to nothing there: where these call each other, as the parser does for `((((…`, the
 * stack of the JavaScript engine around it ends first, and what is thrown then cuts QuickJS off in the middle of whatever it does.
 *
 * So functions that may come to call themselves are called through one that takes room:
 *
 *     (func $f_with_room (param …) (result …)
 *       (global.set $sp (i32.sub (global.get $sp) (i32.const 64)))
 *       (call $f (local.get 0) …)
 *       (global.set $sp (i32.add (global.get $sp) (i32.const 64))))
 *
 * Not the interpreter and what it calls itself: that takes enough room, and would be slower by 6 %. Without it the parser, JSON and the like
 * are left, where nothing can be measured.
 */

import { decodeModule } from "../../binary/decode-module.ts";
import { ModuleEditor } from "../../binary/editor.ts";
import { InstructionReader } from "../../binary/instructions.ts";
import { functionType } from "../../binary/module.ts";
import type { BinaryModule } from "../../binary/module.ts";
import { opcode } from "../../binary/opcodes.ts";
import { redirectFunctions } from "../../binary/redirect.ts";
import { scanCode } from "../../link/scan.ts";
import { findGuestStack } from "../../link/stack-pointer.ts";

const CALL = opcode("call");

/** Bytes that such a call takes: about a quarter of what its frame takes of the native stack. */
const ROOM_BYTES = 64;

/** @throws {Error} when its stack is not found */
export function takeRoomOnStack(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const module = decodeModule(bytes);
  const stack = findGuestStack(module, scanCode(module));
  if (stack.kind !== "found") throw new Error("Cannot start QuickJS: its stack was not found");
  const editor = new ModuleEditor(module);
  const callees = findCallees(module);
  const interpreter = largestBody(module);
  const often = new Set([interpreter, ...callees[interpreter]!]);
  const rarely = callees.map((called, position) => (often.has(position) ? new Set<number>() : called));
  const targets = nesting(rarely).map((position): [number, number] => {
    const index = module.importedFunctions + position;
    return [index, addCallWithRoom(editor, module, { index, stackPointer: stack.global })];
  });
  redirectFunctions(editor, module, new Map(targets));
  return editor.build();
}

function addCallWithRoom(
  editor: ModuleEditor,
  module: BinaryModule,
  { index, stackPointer }: { index: number; stackPointer: number },
): number {
  const type = functionType(module, index);
  const { code, index: added } = editor.addFunction(
    { params: type.params, results: type.results },
    `${index} with room`,
  );
  code.globalGet(stackPointer).i32Const(ROOM_BYTES).i32Sub().globalSet(stackPointer);
  for (const position of type.params.keys()) code.localGet(position);
  code.call(index);
  code.globalGet(stackPointer).i32Const(ROOM_BYTES).i32Add().globalSet(stackPointer);
  return added;
}

/** Functions that a module defines, by their position among them → those that they call by name. */
function findCallees({ bodies, importedFunctions, bytes }: BinaryModule): ReadonlySet<number>[] {
  const reader = new InstructionReader(bytes);
  return Array.from({ length: bodies.length / 2 }, (_, position) => {
    const called = new Set<number>();
    reader.enterBody(bodies[position * 2]!, bodies[position * 2 + 1]!);
    while (reader.next()) {
      if (reader.opcode === CALL && reader.index() >= importedFunctions) called.add(reader.index() - importedFunctions);
    }
    return called;
  });
}

/**
 * Those that may come to call themselves, and those between them: what is left when whoever calls none of the others, or is called by none of
 * them, has been taken away until there is no such function.
 */
function nesting(callees: readonly ReadonlySet<number>[]): number[] {
  let left = new Set(callees.keys());
  for (let before = 0; before !== left.size;) {
    before = left.size;
    const called = new Set([...left].flatMap((caller) => [...callees[caller]!]));
    const calls = (caller: number): boolean => [...callees[caller]!].some((callee) => left.has(callee));
    left = new Set([...left].filter((position) => called.has(position) && calls(position)));
  }
  return [...left];
}

/** The interpreter: the function with the loop over all instructions of scripts. */
function largestBody({ bodies }: BinaryModule): number {
  const sizes = Array.from({ length: bodies.length / 2 }, (_, body) => bodies[body * 2 + 1]! - bodies[body * 2]!);
  return sizes.indexOf(Math.max(...sizes));
}
