/** Makes whatever names one function of a module name another: code, element segments, exports, initial values. */

import { opcode } from "./opcodes.ts";
import type { ModuleEditor } from "./editor.ts";
import { InstructionReader } from "./instructions.ts";
import type { Range } from "./instructions.ts";
import type { BinaryModule } from "./module.ts";
import { Writer, encodeIndex } from "./writer.ts";

const CALL = opcode("call");
const RETURN_CALL = opcode("return_call");
const REF_FUNC = opcode("ref.func");

/** Where a function is named. */
interface FunctionUse extends Range {
  readonly function: number;
}

/** `targets`: function → what takes its place. */
export function redirectFunctions(
  editor: ModuleEditor,
  module: BinaryModule,
  targets: ReadonlyMap<number, number>,
): void {
  const indices = new Map([...targets].map(([from, to]) => [from, encodeIndex(to)]));
  const redirect = ({ start, end, function: index }: FunctionUse): void => {
    const target = indices.get(index);
    if (target !== undefined) editor.replaceBy({ start, end }, target);
  };
  redirectCode(module, redirect);
  for (const { kind, index, description } of module.exports) {
    if (kind === "function") redirect({ ...description, function: index });
  }
  for (const { functions, elements } of module.elements) {
    if (functions?.some((index) => targets.has(index)) !== true) continue;
    const writer = new Writer(elements.end - elements.start);
    for (const index of functions) writer.u32(targets.get(index) ?? index);
    editor.replaceBy(elements, writer.toBytes());
  }
}

/** Function bodies, and the initial values of globals, tables and elements. */
function redirectCode(module: BinaryModule, redirect: (use: FunctionUse) => void): void {
  const reader = new InstructionReader(module.bytes);
  const redirectInstructions = (): void => {
    while (reader.next()) {
      const { opcode: current } = reader;
      if (current !== CALL && current !== RETURN_CALL && current !== REF_FUNC) continue;
      redirect({ start: reader.immediates, end: reader.position, function: reader.index() });
    }
  };
  for (let body = 0; body < module.bodies.length; body += 2) {
    reader.enterBody(module.bodies[body]!, module.bodies[body + 1]!);
    redirectInstructions();
  }
  const constants = [...module.globals, ...module.tables].map(({ initial }) => initial);
  for (const constant of [...constants, ...module.elements.flatMap(({ expressions }) => expressions ?? [])]) {
    if (constant === null) continue;
    reader.enterExpression(constant.start, constant.end);
    redirectInstructions();
  }
}
