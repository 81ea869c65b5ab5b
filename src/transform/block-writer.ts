/** Writes the code of a resume copy: instructions, and blocks whose depth is counted. */

import { opcode } from "../binary/opcodes.ts";
import type { ValueType } from "../binary/value-types.ts";
import type { Writer } from "../binary/writer.ts";

const BLOCK = opcode("block");
const END = opcode("end");
const BR = opcode("br");
const I32_CONST = opcode("i32.const");
const EMPTY_BLOCK = 0x40;

/** Writes the type of a block without parameters and with at least one result. */
export type BlockTypeWriter = (writer: Writer, results: readonly ValueType[]) => void;

export class BlockWriter {
  readonly writer: Writer;
  /** Blocks that are open. */
  depth = 0;
  readonly #writeType: BlockTypeWriter;

  constructor(writer: Writer, writeType: BlockTypeWriter) {
    this.writer = writer;
    this.#writeType = writeType;
  }

  /** An instruction whose immediate is an index. */
  index(opcodeByte: number, index: number): void {
    this.writer.u8(opcodeByte);
    this.writer.u32(index);
  }

  constant(value: number): void {
    this.writer.u8(I32_CONST);
    this.writer.s32(value);
  }

  /** Opens a block and returns its depth. */
  openBlock(results: readonly ValueType[]): number {
    this.writer.u8(BLOCK);
    if (results.length === 0) this.writer.u8(EMPTY_BLOCK);
    else this.#writeType(this.writer, results);
    return this.depth++;
  }

  closeBlock(): void {
    this.writer.u8(END);
    this.depth--;
  }

  branchTo(block: number): void {
    this.index(BR, this.depth - 1 - block);
  }
}
