/**
 * The functions of the first module that a second one calls or refers to, and their indices there: it imports no others, since an instance
 * takes time and memory for each.
 *
 *     first module   $f  $g  $h  $i  …  | raise | resume copies, loop copies, near copies       as bodies are written
 *     second module  $g  $i  raise | resume copies, loop copies, near copies                    as they are in the file
 */

import { InstructionReader } from "../binary/instructions.ts";
import { opcode } from "../binary/opcodes.ts";
import { Reader } from "../binary/reader.ts";
import { Writer } from "../binary/writer.ts";

const CALL = opcode("call");
const RETURN_CALL = opcode("return_call");
const REF_FUNC = opcode("ref.func");

interface Body {
  readonly bytes: Uint8Array;
}

export class CalledFunctions {
  /** Indices in the first module, in ascending order. */
  readonly imported: readonly number[];
  readonly #raise: number;
  readonly #indices: ReadonlyMap<number, number>;
  /** Where indices stand in each body, so that it is read only once. */
  readonly #uses = new Map<Uint8Array, readonly number[]>();

  /** `raise` is the index of the first function that is not of the first module, `references` are those that `ref.func` is used on. */
  constructor({ raise, references }: { raise: number; references: ReadonlySet<number> }, bodies: readonly Body[]) {
    const called = new Set(references);
    for (const { bytes } of bodies) this.#uses.set(bytes, findUses(bytes, called));
    this.#raise = raise;
    this.imported = [...called].filter((index) => index < raise).toSorted((a, b) => a - b);
    this.#indices = new Map(this.imported.map((index, position) => [index, position]));
  }

  /** The index in the second module. */
  indexOf(index: number): number {
    return index < this.#raise ? this.#indices.get(index)! : index - this.#raise + this.imported.length;
  }

  /** Locals and code of one of the bodies with these indices. */
  renumbered(body: Uint8Array): Uint8Array {
    const writer = new Writer(body.length);
    let copied = 0;
    const reader = new Reader(body);
    for (const use of this.#uses.get(body)!) {
      writer.bytes(body, copied, use);
      reader.position = use;
      writer.u32(this.indexOf(reader.u32()));
      copied = reader.position;
    }
    writer.bytes(body, copied, body.length);
    return writer.view();
  }
}

/** Adds to `called` what is called in `body`; returns the offsets of the indices. */
function findUses(body: Uint8Array, called: Set<number>): number[] {
  const uses: number[] = [];
  const reader = new InstructionReader(body);
  reader.enterBody(0, body.length);
  while (reader.next()) {
    const { opcode: current } = reader;
    if (current !== CALL && current !== RETURN_CALL && current !== REF_FUNC) continue;
    called.add(reader.index());
    uses.push(reader.immediates);
  }
  return uses;
}
