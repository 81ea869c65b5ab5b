/**
 * The code of a function between its points, in a resume copy: copied, with its labels as far away as their constructs are
 * there, checks after its sites, and `return` as a branch to the end of the body.
 */

import { opcode } from "../binary/opcodes.ts";
import { isDefaultable } from "../binary/value-types.ts";
import type { BlockWriter } from "./block-writer.ts";
import { plainCall } from "./calls.ts";
import { REF_AS_NON_NULL } from "./code-copier.ts";
import type { CodeCopier } from "./code-copier.ts";
import type { FunctionShape } from "./function-shape.ts";
import { copyWithLabels } from "./labels.ts";
import * as op from "./operations.ts";
import type { Operations } from "./operations.ts";
import type { ResumeModuleParts } from "./resume-module.ts";

const END = opcode("end");
const CALL = opcode("call");
const RETURN_CALL = opcode("return_call");

/** What the code is written with. */
interface Output {
  readonly bytes: Uint8Array;
  readonly parts: ResumeModuleParts;
  readonly out: BlockWriter;
  readonly copier: CodeCopier;
}

export class PlainCode {
  /** Depths of the constructs of the original code that are open, the body of the function first. */
  readonly labels: number[] = [];
  /** Depth of the block at whose end the frame is saved. */
  save = 0;
  readonly #shape: FunctionShape;
  readonly #operations: Operations;
  readonly #bytes: Uint8Array;
  readonly #parts: ResumeModuleParts;
  readonly #out: BlockWriter;
  readonly #copier: CodeCopier;

  constructor(shape: FunctionShape, operations: Operations, { bytes, parts, out, copier }: Output) {
    this.#shape = shape;
    this.#operations = operations;
    this.#bytes = bytes;
    this.#parts = parts;
    this.#out = out;
    this.#copier = copier;
  }

  /** Leaves out what lies before an operation, and returns it. */
  skipTo(operation: number): number {
    this.#copier.skipTo(this.#operations.start[operation]!);
    return operation;
  }

  write(index: number): void {
    const operations = this.#operations;
    const kind = operations.kind[index]!;
    if (kind <= op.TRY) return this.writeHeader(kind, index);
    if (kind <= op.DELEGATE) return this.#writeEnd(kind, index);
    if (kind <= op.BR_ON_CAST) {
      this.#copier.copyTo(operations.start[index]!);
      this.#relabel(index);
      this.#copier.skipTo(operations.end[index]!);
      if (kind <= op.BR_TABLE) this.skipTo(index + 1);
      return undefined;
    }
    return this.#instruction(kind, index);
  }

  /** Opens a construct. */
  writeHeader(kind: number, index: number): void {
    const operations = this.#operations;
    this.#copier.copyTo(operations.start[index]!);
    if (kind === op.TRY_TABLE) this.#relabel(index);
    else this.#out.writer.bytes(this.#bytes, operations.start[index], operations.end[index]);
    this.#copier.skipTo(operations.end[index]!);
    this.labels.push(this.#out.depth++);
  }

  /** A call that may suspend, and its check. */
  writeSite(site: number, index: number): void {
    const operations = this.#operations;
    const call = { start: operations.start[index]!, end: operations.end[index]! };
    this.#copier.copyTo(call.start);
    this.#parts.sites.write(this.#out.writer, this.#shape, site, { call, save: this.#out.depth - 1 - this.save });
    this.#copier.skipTo(call.end);
  }

  /** Without what is inserted behind it. */
  copyInstruction(index: number): void {
    const operations = this.#operations;
    this.#copier.copyTo(operations.start[index]!);
    this.#out.writer.bytes(this.#bytes, operations.start[index], operations.end[index]);
    this.#copier.skipTo(operations.end[index]!);
  }

  #writeEnd(kind: number, index: number): void {
    const operations = this.#operations;
    if (kind === op.ELSE || kind === op.CATCH) return;
    this.#copier.copyTo(operations.start[index]!);
    this.labels.pop();
    this.#out.depth--;
    if (kind === op.DELEGATE) this.#relabel(index);
    else this.#out.writer.u8(END);
    this.#copier.skipTo(operations.end[index]!);
  }

  #instruction(kind: number, index: number): void {
    const operations = this.#operations;
    const argument = operations.argument[index]!;
    switch (kind) {
      case op.SITE:
        if (argument >= 0) this.writeSite(argument, index);
        return;
      case op.RETURN:
        this.#copier.copyTo(operations.start[index]!);
        this.#out.branchTo(this.labels[0]!);
        this.skipTo(index + 1);
        return;
      case op.UNREACHABLE:
      case op.THROW:
        this.#copier.copyTo(operations.end[index]!);
        this.skipTo(index + 1);
        return;
      case op.RETURN_CALL:
        this.#writeReturnCall(index);
        return;
      case op.LOCAL_GET:
      case op.LOCAL_TEE:
        if (!isDefaultable(this.#shape.locals[argument]!)) this.#writeNonNull(index);
        return;
      case op.SEGMENT:
        this.#callOutlined(CALL, index);
        return;
      case op.OUTLINED_CALL:
        this.#callOutlined(RETURN_CALL, index);
        this.skipTo(index + 1);
        return;
      case op.REF_FUNC:
        this.#parts.declareReference(argument);
        return;
      default:
    }
  }

  #callOutlined(call: number, index: number): void {
    this.#copier.copyTo(this.#operations.start[index]!);
    this.#out.index(call, this.#parts.outlined.for(this.#shape, index, this.#operations));
    this.#copier.skipTo(this.#operations.end[index]!);
  }

  /** A call, then the results are those of this function. */
  #writeReturnCall(index: number): void {
    const operations = this.#operations;
    const start = operations.start[index]!;
    this.#copier.copyTo(start);
    this.#out.writer.u8(plainCall(this.#bytes[start]!));
    this.#out.writer.bytes(this.#bytes, start + 1, operations.end[index]);
    this.#out.branchTo(this.labels[0]!);
    this.skipTo(index + 1);
  }

  #writeNonNull(index: number): void {
    this.copyInstruction(index);
    this.#out.writer.u8(REF_AS_NON_NULL);
  }

  #relabel(index: number): void {
    copyWithLabels(this.#out.writer, this.#operations, index, {
      bytes: this.#bytes,
      translate: (label) => this.#out.depth - 1 - this.labels.at(-1 - label)!,
    });
  }
}
