/**
 * Exports that another module can import by their parameters and results.
 *
 * A function type that stands in a recursion group with others, or that is open for subtypes, is not the type of the same parameters and
 * results that stands alone: an import of the one is no import of the other. Compilers for languages with garbage collection make such
 * types, and optimisers too. A function of the plain type is put in front of the export then.
 */

import type { ModuleEditor } from "../binary/editor.ts";
import { functionType } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";

const FORWARDER = "stackful:plain.";

/** The name under which the function that `name` exports can be imported as one of the plain type. */
export function plainName(module: BinaryModule, name: string, index: number): string {
  return hasPlainType(module, index) ? name : `${FORWARDER}${name}`;
}

/** Adds what {@link plainName} needs. */
export function addForwarders(editor: ModuleEditor, module: BinaryModule): void {
  for (const { name, kind, index } of module.exports) {
    if (kind === "function" && !hasPlainType(module, index)) {
      editor.export(`${FORWARDER}${name}`, "function", addForwarder(editor, module, index));
    }
  }
}

/** `(func (param P…) (result R…) (call $index (local.get P…)))` */
function addForwarder(editor: ModuleEditor, module: BinaryModule, index: number): number {
  const type = functionType(module, index);
  const forwarder = editor.addFunction(type);
  for (const position of type.params.keys()) forwarder.code.localGet(position);
  forwarder.code.call(index);
  return forwarder.index;
}

function hasPlainType({ functions, types }: BinaryModule, index: number): boolean {
  const { final, supertypes, groupStart, groupEnd } = types[functions[index]!]!;
  return final && supertypes.length === 0 && groupEnd - groupStart === 1;
}
