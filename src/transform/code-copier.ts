/**
 * Copies the code of a function piece by piece, with the insertions of homes.ts where they belong.
 *
 * What is not copied explicitly is skipped, insertions included.
 */

import { opcode } from "../binary/opcodes.ts";
import { isDefaultable } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import type { Writer } from "../binary/writer.ts";
import type { Homes, Insertion } from "./homes.ts";

export const LOCAL_GET: number = opcode("local.get");
export const LOCAL_SET: number = opcode("local.set");
export const LOCAL_TEE: number = opcode("local.tee");
export const REF_AS_NON_NULL: number = opcode("ref.as_non_null");

export class CodeCopier {
  readonly writer: Writer;
  /** Offset of the first byte that was neither copied nor skipped. */
  cursor: number;
  readonly #bytes: Uint8Array;
  readonly #insertions: readonly Insertion[];
  #nextInsertion = 0;

  constructor(writer: Writer, bytes: Uint8Array, codeStart: number, homes: Homes) {
    this.writer = writer;
    this.cursor = codeStart;
    this.#bytes = bytes;
    this.#insertions = homes.insertions;
  }

  /** Copies up to offset `end`, and what is to be inserted there. */
  copyTo(end: number): void {
    for (;;) {
      const insertion = this.#insertions[this.#nextInsertion];
      if (!insertion || insertion.position > end) break;
      this.#nextInsertion++;
      if (insertion.position < this.cursor) continue;
      this.#copy(insertion.position);
      this.#insert(insertion);
    }
    this.#copy(end);
  }

  skipTo(end: number): void {
    this.cursor = end;
  }

  /** Nothing is inserted at the cursor. */
  skipInsertion(): void {
    while ((this.#insertions[this.#nextInsertion]?.position ?? Infinity) <= this.cursor) this.#nextInsertion++;
  }

  #copy(end: number): void {
    if (end <= this.cursor) return;
    this.writer.bytes(this.#bytes, this.cursor, end);
    this.cursor = end;
  }

  #insert({ homes, types }: Insertion): void {
    const { writer } = this;
    if (homes.length === 1) {
      writer.u8(LOCAL_TEE);
      writer.u32(homes[0]!);
      if (!isDefaultable(types[0]!)) writer.u8(REF_AS_NON_NULL);
      return;
    }
    writeSets(writer, homes);
    writeGets(writer, homes, types);
  }
}

/** Takes values from the stack into locals, the last one first. */
export function writeSets(writer: Writer, locals: readonly number[]): void {
  for (let position = locals.length - 1; position >= 0; position--) {
    writer.u8(LOCAL_SET);
    writer.u32(locals[position]!);
  }
}

/** Puts locals on the stack as values of `types`; locals for non-null references are nullable. */
export function writeGets(writer: Writer, locals: readonly number[], types: readonly ValueType[]): void {
  for (const [position, local] of locals.entries()) {
    writer.u8(LOCAL_GET);
    writer.u32(local);
    if (!isDefaultable(types[position]!)) writer.u8(REF_AS_NON_NULL);
  }
}
