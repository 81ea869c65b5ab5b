/**
 * Small functions that loop copies call, once more in the second module.
 *
 * Engines inline calls inside a module, but none from one instance to another, and the functions that a loop copy calls are
 * in the first module. Interpreters call small ones in every step: without inlining they take half as long again.
 *
 *     first module            second module
 *       $f                      $f_loops    call $g   ─▶  call $g_near
 *       $g ◀───────────╮        $g_near     call $h      ($h is not small)
 *       $h ◀──────────────────────╯
 *
 * A near copy is the body from the first module, since every index means the same here; only calls of functions that have
 * near copies themselves are changed. It saves its frame as the function does, and it is resumed by the same resume copy.
 */

import { InstructionReader } from "../binary/instructions.ts";
import { opcode } from "../binary/opcodes.ts";
import { Writer } from "../binary/writer.ts";
import type { FirstModule } from "./first-module.ts";
import { KIND_OF, REF_FUNC, SEGMENT } from "./operations.ts";

/** V8 inlines no larger ones. */
export const SMALL_BODY_BYTES = 500;
/** Of all bodies. */
const MAX_BYTES = 4_000_000;
export const MAX_NEAR_COPIES = 50_000;

const CALL = opcode("call");
const RETURN_CALL = opcode("return_call");

/** Which function it is a copy of, its type, and its locals and code. */
export interface NearCopy {
  readonly functionIndex: number;
  readonly type: number;
  readonly bytes: Uint8Array;
}

export class NearCopies {
  readonly #first: FirstModule;
  readonly #callable: ReadonlySet<number>;
  readonly #firstIndex: number;
  /** Function index → position of its near copy; -1 when it has none. */
  readonly #positions = new Map<number, number>();
  /** The functions that have near copies, in their order. */
  readonly #copied: number[] = [];
  #bytes = 0;

  /** `callable` are the functions of the first module that the second one may call, `firstIndex` is that of the first near copy. */
  constructor(first: FirstModule, callable: ReadonlySet<number>, firstIndex: number) {
    this.#first = first;
    this.#callable = callable;
    this.#firstIndex = firstIndex;
  }

  /** All that were called for; also by each other. */
  all(): NearCopy[] {
    const { functions } = this.#first.module;
    const copies: NearCopy[] = [];
    // The list grows meanwhile.
    for (let position = 0; position < this.#copied.length; position++) {
      const functionIndex = this.#copied[position]!;
      const bytes = this.redirect(this.#first.bodyOf(functionIndex));
      copies.push({ functionIndex, type: functions[functionIndex]!, bytes });
    }
    return copies;
  }

  /** Locals and code of a function with calls of near copies instead of the functions themselves. */
  redirect(body: Uint8Array): Uint8Array {
    let writer: Writer | undefined;
    let copied = 0;
    const reader = new InstructionReader(body);
    reader.enterBody(0, body.length);
    while (reader.next()) {
      if (reader.opcode !== CALL && reader.opcode !== RETURN_CALL) continue;
      const position = this.#positionOf(immediateOf(reader));
      if (position < 0) continue;
      writer ??= new Writer(body.length + 64);
      writer.bytes(body, copied, reader.immediates);
      writer.u32(this.#firstIndex + position);
      copied = reader.position;
    }
    if (!writer) return body;
    writer.bytes(body, copied, body.length);
    return writer.view();
  }

  #positionOf(functionIndex: number): number {
    let position = this.#positions.get(functionIndex);
    if (position === undefined) {
      position = this.#canCopy(functionIndex) ? this.#copied.push(functionIndex) - 1 : -1;
      this.#positions.set(functionIndex, position);
    }
    return position;
  }

  #canCopy(functionIndex: number): boolean {
    const { module } = this.#first;
    if (functionIndex < module.importedFunctions || functionIndex >= module.functions.length) return false;
    if (this.#copied.length === MAX_NEAR_COPIES) return false;
    const body = this.#first.bodyOf(functionIndex);
    if (body.length > SMALL_BODY_BYTES || this.#bytes + body.length > MAX_BYTES) return false;
    const reader = new InstructionReader(body);
    reader.enterBody(0, body.length);
    while (reader.next()) if (!this.#isPossible(reader)) return false;
    this.#bytes += body.length;
    return true;
  }

  /** Segments and declared references are the first module's own. */
  #isPossible(reader: InstructionReader): boolean {
    const kind = KIND_OF[reader.opcode];
    if (kind === SEGMENT || kind === REF_FUNC) return false;
    if (reader.opcode !== CALL && reader.opcode !== RETURN_CALL) return true;
    return this.#callable.has(immediateOf(reader));
  }
}

/** The first immediate, a function index; the reader stays where it is. */
function immediateOf(reader: InstructionReader): number {
  const { position } = reader;
  reader.position = reader.immediates;
  const index = reader.u32();
  reader.position = position;
  return index;
}
