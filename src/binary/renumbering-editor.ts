/** Adds imported functions to a module, and rewrites its code: what an {@link ImportingEditor} leaves to others. */

import { moveHints, readBranchHints } from "./branch-hints.ts";
import type { BranchHint, BranchHints, Edit } from "./branch-hints.ts";
import { ImportingEditor } from "./importing-editor.ts";
import { InstructionReader } from "./instructions.ts";
import { opcode } from "./opcodes.ts";
import { SECTION } from "./sections.ts";
import { Writer, encodeIndex } from "./writer.ts";

const CALL = opcode("call");
const RETURN_CALL = opcode("return_call");
const REF_FUNC = opcode("ref.func");

type TargetOf = (index: number, caller: number) => number;

export class RenumberingEditor extends ImportingEditor {
  readonly #hints = new Map<number, readonly BranchHint[]>();

  /**
   * Writes the code anew, with functions by their new indices; to be called once, before the module is built.
   *
   * @param editOf what is to be put in place of the current instruction of a reader, or before it; those that name functions are not asked for
   * @param targetOf the new index of the function that the code of `caller` names instead of this one; both by their indices in the module
   */
  protected rewriteCode(
    editOf: (reader: InstructionReader) => Edit | undefined,
    targetOf: TargetOf = (index) => this.renumbered(index),
  ): void {
    const bodies = this.#copyBodies(editOf, targetOf);
    this.rewrites.set(SECTION.code, (writer) => writer.bytes(bodies.view()));
  }

  protected override branchHints(): BranchHints {
    return this.#hints;
  }

  /** All bodies of the module with their sizes, as the code section has them. */
  #copyBodies(editOf: (reader: InstructionReader) => Edit | undefined, targetOf: TargetOf): Writer {
    const { bodies, bytes, importedFunctions } = this.module;
    const hints = readBranchHints(this.module);
    const writer = new Writer(bytes.length);
    const reader = new InstructionReader(bytes);
    for (let body = 0; body * 2 < bodies.length; body++) {
      const start = bodies[body * 2]!;
      const end = bodies[body * 2 + 1]!;
      const edits: Edit[] = [];
      reader.enterBody(start, end);
      while (reader.next()) {
        const edit = namesFunction(reader) ? renumber(reader, importedFunctions + body, targetOf) : editOf(reader);
        if (edit !== undefined) edits.push(edit);
      }
      writer.u32(edits.reduce((size, edit) => size + edit.bytes.length - (edit.end - edit.start), end - start));
      let copied = start;
      for (const edit of edits) {
        writer.bytes(bytes, copied, edit.start);
        writer.bytes(edit.bytes);
        copied = edit.end;
      }
      writer.bytes(bytes, copied, end);
      const ofFunction = hints.get(importedFunctions + body);
      if (ofFunction) this.#hints.set(this.renumbered(importedFunctions + body), moveHints(ofFunction, start, edits));
    }
    return writer;
  }
}

function namesFunction({ opcode: current }: InstructionReader): boolean {
  return current === CALL || current === RETURN_CALL || current === REF_FUNC;
}

function renumber(reader: InstructionReader, caller: number, targetOf: TargetOf): Edit | undefined {
  const index = reader.index();
  const target = targetOf(index, caller);
  if (target === index) return undefined;
  return { start: reader.immediates, end: reader.position, bytes: encodeIndex(target) };
}
