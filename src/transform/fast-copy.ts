/**
 * The fast copy of a function: its own code, with one check after each call that may suspend.
 *
 *     (func $f (param …) (result …)
 *       block $save (result i32)
 *         …                                ;; the original code
 *         call $g
 *         i32.const 1  global.get $state  br_if $save  drop     ;; after site 0
 *         …
 *         return
 *       end
 *       local.get $l…  i64.const HEADER  call $save_frame       ;; with the number of the site on the stack
 *       i32.const 0)                       ;; results that nobody looks at
 *
 * No prologue, no spilling, no dispatch: as long as nothing suspends it costs the checks and nothing else.
 */

import { emitCode } from "../binary/code.ts";
import { opcode } from "../binary/opcodes.ts";
import { I32, isDefaultable } from "../binary/value-types.ts";
import { Writer } from "../binary/writer.ts";
import { CodeCopier, REF_AS_NON_NULL } from "./code-copier.ts";
import type { FrameFunctions } from "./frame-functions.ts";
import type { FunctionShape } from "./function-shape.ts";
import type { Homes } from "./homes.ts";
import { guardedHomes, writeRefusal } from "./guard.ts";
import type { Liveness } from "./liveness.ts";
import { copyWithLabels } from "./labels.ts";
import * as op from "./operations.ts";
import type { Operations } from "./operations.ts";
import { unwindsByException } from "./site-writer.ts";
import type { SiteWriter } from "./site-writer.ts";
import { emitZero } from "./runtime-globals.ts";
import { writeFrameSave, writeLocals, writeSave } from "./saved-frame.ts";
import type { SavedFrame } from "./saved-frame.ts";

const BLOCK = opcode("block");
const RETURN = opcode("return");
const END = opcode("end");

/** Everything about one function that its copies are made from. */
export interface FunctionPlan {
  readonly shape: FunctionShape;
  readonly homes: Homes;
  readonly liveness: Liveness;
  readonly frame: SavedFrame;
}

export class FastCopy {
  readonly #bytes: Uint8Array;
  readonly #operations: Operations;
  readonly #sites: SiteWriter;
  readonly #frames: FrameFunctions;
  readonly #writer = new Writer(4096);

  constructor(bytes: Uint8Array, operations: Operations, sites: SiteWriter, frames: FrameFunctions) {
    this.#bytes = bytes;
    this.#operations = operations;
    this.#sites = sites;
    this.#frames = frames;
  }

  /** Locals and code of the copy. */
  write({ shape, homes, frame }: FunctionPlan): Uint8Array<ArrayBuffer> {
    const { length } = homes.locals;
    const inLine = frame.save < 0;
    const locals = inLine ? [...homes.locals, I32, I32] : homes.locals;
    return this.#write(shape, { ...homes, locals }, (writer) => {
      if (inLine) writeFrameSave(writer, this.#frames, frame, length);
      else writeSave(writer, frame);
      this.#writeResults(shape);
    });
  }

  /** The same for an excluded function, which calls `refuse` instead of saving its frame. */
  writeGuarded(shape: FunctionShape, refuse: number): Uint8Array<ArrayBuffer> {
    return this.#write(shape, guardedHomes(shape), (writer) => writeRefusal(writer, shape.index, refuse));
  }

  #write(shape: FunctionShape, homes: Homes, writeSuspended: (writer: Writer) => void): Uint8Array<ArrayBuffer> {
    const writer = this.#writer;
    writer.length = 0;
    writeLocals(writer, homes.locals.slice(shape.type.params.length));
    writer.u8(BLOCK);
    writer.u8(I32);
    const copier = new CodeCopier(writer, this.#bytes, shape.codeStart, homes);
    const last = this.#operations.length - 1;
    for (let index = 0; index < last; index++) this.#operation(copier, shape, index);
    copier.copyTo(this.#operations.start[last]!);
    writer.u8(RETURN);
    writer.u8(END);
    writeSuspended(writer);
    writer.u8(END);
    return writer.toBytes();
  }

  #operation(copier: CodeCopier, shape: FunctionShape, index: number): void {
    const operations = this.#operations;
    const kind = operations.kind[index]!;
    const argument = operations.argument[index]!;
    switch (kind) {
      case op.SITE:
        if (argument < 0) return;
        // What is inserted behind the call comes behind the check.
        copier.copyTo(operations.start[index]!);
        this.#sites.write(copier.writer, shape, argument, {
          call: { start: operations.start[index]!, end: operations.end[index]! },
          save: operations.depth[index]! - 1,
        });
        copier.skipTo(operations.end[index]!);
        return;
      case op.BR:
      case op.BR_IF:
      case op.BR_ON_NULL:
      case op.BR_ON_NON_NULL:
        // Only the label of the function changes: it is one construct further away.
        if (argument === operations.depth[index]! - 1) this.#relabel(copier, index);
        break;
      case op.BR_TABLE:
      case op.BR_ON_CAST:
      case op.TRY_TABLE:
      case op.DELEGATE:
        this.#relabel(copier, index);
        break;
      case op.LOCAL_GET:
      case op.LOCAL_TEE:
        if (argument < shape.type.params.length || isDefaultable(shape.locals[argument]!)) return;
        this.#copyWithoutInsertion(copier, index);
        copier.writer.u8(REF_AS_NON_NULL);
        return;
      default:
    }
    if (op.neverGoesOn(kind)) {
      copier.copyTo(operations.end[index]!);
      copier.skipTo(operations.start[index + 1]!);
    }
  }

  /** The instruction without what homes.ts inserts behind it, which comes with the next piece. */
  #copyWithoutInsertion(copier: CodeCopier, index: number): void {
    const operations = this.#operations;
    copier.copyTo(operations.start[index]!);
    copier.writer.bytes(this.#bytes, copier.cursor, operations.end[index]);
    copier.skipTo(operations.end[index]!);
  }

  #relabel(copier: CodeCopier, index: number): void {
    const operations = this.#operations;
    // The label of `delegate` counts from outside the construct that it ends.
    const outside = operations.kind[index] === op.DELEGATE ? 2 : 1;
    const functionLabel = operations.depth[index]! - outside;
    copier.copyTo(operations.start[index]!);
    copyWithLabels(copier.writer, operations, index, {
      bytes: this.#bytes,
      translate: (label) => (label >= functionLabel ? label + 1 : label),
    });
    copier.skipTo(operations.end[index]!);
  }

  #writeResults({ type }: FunctionShape): void {
    if (unwindsByException(type.results)) return this.#sites.writeThrow(this.#writer);
    const code = emitCode();
    for (const result of type.results) emitZero(code, result);
    return this.#writer.bytes(code.writer.view());
  }
}
