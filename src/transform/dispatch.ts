/**
 * The points of a function in its resume copy: what has to be on the stack when the code continues at one, and the
 * branches that lead there. resume-copy.ts has a picture.
 */

import { opcode } from "../binary/opcodes.ts";
import { I32, isDefaultable } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import type { BlockWriter } from "./block-writer.ts";
import { LOCAL_GET, LOCAL_SET, REF_AS_NON_NULL, writeGets } from "./code-copier.ts";
import { hasSites } from "./function-shape.ts";
import type { Construct, FunctionShape, KeptOperand, Point } from "./function-shape.ts";
import * as op from "./operations.ts";
import type { ResumeModuleParts } from "./resume-module.ts";

const IF = opcode("if");
const END = opcode("end");
const BR = opcode("br");
const BR_IF = opcode("br_if");
const BR_TABLE = opcode("br_table");
const CALL = opcode("call");
const I32_EQ = opcode("i32.eq");
const I32_EQZ = opcode("i32.eqz");
const I32_SUB = opcode("i32.sub");
const I32_LE_U = opcode("i32.le_u");
const GLOBAL_GET = opcode("global.get");
const GLOBAL_SET = opcode("global.set");
const EMPTY_BLOCK = 0x40;
const NO_BLOCK = -1;
const MAX_LABELS_PER_TARGET = 64;

/** Where to go for a point: the block that ends there, by its depth. */
export interface Target {
  readonly point: Point;
  readonly block: number;
}

export class Dispatcher {
  readonly #bytes: Uint8Array;
  readonly #shape: FunctionShape;
  readonly #parts: ResumeModuleParts;
  readonly #out: BlockWriter;
  /** The local that says where to continue: the number of a site + 1, or 0. */
  readonly #resume: number;
  /** The last operation that starts a construct with sites. */
  readonly #lastDispatch: number;
  /** Loops that are points themselves, see loop-entries.ts. */
  readonly #entries: ReadonlySet<number>;

  constructor(
    bytes: Uint8Array,
    { shape, resume, entries }: { shape: FunctionShape; resume: number; entries: ReadonlySet<number> },
    parts: ResumeModuleParts,
    out: BlockWriter,
  ) {
    this.#bytes = bytes;
    this.#shape = shape;
    this.#parts = parts;
    this.#out = out;
    this.#resume = resume;
    this.#entries = entries;
    this.#lastDispatch = shape.constructs.findLast(hasSites)?.start ?? -1;
  }

  constructOf(point: Point): Construct {
    return this.#shape.constructs[~point]!;
  }

  /**
   * Whether the dispatch of the point may do the work of the region around it. What lies below the construct is put on the
   * stack whichever point it then goes to, so it has to be something that there always is.
   */
  canDelegate(point: Point): boolean {
    if (point >= 0 || this.#entries.has(~point)) return false;
    return this.constructOf(point).kind <= op.LOOP && this.typesAt(point).every(isDefaultable);
  }

  operationOf(point: Point): number {
    return point >= 0 ? this.#shape.sites[point]!.operation : this.constructOf(point).start;
  }

  #firstSite(point: Point): number {
    return point >= 0 ? point : this.constructOf(point).firstSite;
  }

  #endSite(point: Point): number {
    return point >= 0 ? point + 1 : this.constructOf(point).endSite;
  }

  /** What lies on the stack when the code continues at the point. */
  typesAt(point: Point): ValueType[] {
    const types = (operands: readonly KeptOperand[]): ValueType[] => operands.map(({ type }) => type);
    if (point >= 0) {
      const { operands, results } = this.#shape.sites[point]!;
      return [...types(operands), ...results];
    }
    const { operands, params, kind } = this.constructOf(point);
    return [...types(operands), ...params, ...(kind === op.IF ? [I32] : [])];
  }

  /** Puts on the stack what the code needs to continue at the point. */
  writeStub(point: Point): void {
    if (this.#entries.has(~point)) this.#writeEntryStub(this.constructOf(point));
    if (point >= 0) this.#writeSiteStub(point);
    else this.#writeConstructStub(this.constructOf(point));
  }

  /** Normal control is in the loop from now on, if it is the one to go to. */
  #writeEntryStub({ firstSite }: Construct): void {
    this.#out.index(LOCAL_GET, this.#resume);
    this.#out.constant(firstSite + 1);
    this.#out.writer.u8(I32_EQ);
    this.#out.writer.u8(IF);
    this.#out.writer.u8(EMPTY_BLOCK);
    this.#out.constant(0);
    this.#out.index(LOCAL_SET, this.#resume);
    this.#out.writer.u8(END);
  }

  #writeSiteStub(site: number): void {
    const { operands, results, operation } = this.#shape.sites[site]!;
    const { globals, raise } = this.#parts;
    if (this.#dispatchesAgain(site, operation)) {
      this.#out.constant(0);
      this.#out.index(LOCAL_SET, this.#resume);
    }
    if (this.#shape.hasHandlers) {
      this.#out.index(GLOBAL_GET, globals.throwing);
      this.#out.writer.u8(IF);
      this.#out.writer.u8(EMPTY_BLOCK);
      this.#out.constant(0);
      this.#out.index(GLOBAL_SET, globals.throwing);
      this.#out.index(CALL, raise);
      this.#out.writer.u8(END);
    }
    this.#writeOperands(operands);
    for (const [position, global] of this.#parts.results.for(results).entries()) {
      this.#out.index(GLOBAL_GET, global);
      if (!isDefaultable(results[position]!)) this.#out.writer.u8(REF_AS_NON_NULL);
    }
  }

  /** Whether control may come to a dispatch after the site, so that `$resume` has to be 0 then. */
  #dispatchesAgain(site: number, operation: number): boolean {
    if (this.#lastDispatch > operation) return true;
    return this.#shape.constructs[this.#shape.sites[site]!.construct]?.inLoop === true;
  }

  #writeConstructStub(construct: Construct): void {
    this.#writeOperands(construct.operands);
    writeGets(this.#out.writer, construct.paramHomes, construct.params);
    if (construct.kind !== op.IF) return;
    const { firstSite, elseSite, endSite } = construct;
    if (elseSite > firstSite && elseSite < endSite) {
      this.#out.index(LOCAL_GET, this.#resume);
      this.#out.constant(elseSite);
      this.#out.writer.u8(I32_LE_U);
    } else {
      this.#out.constant(elseSite > firstSite ? 1 : 0);
    }
  }

  #writeOperands(operands: readonly KeptOperand[]): void {
    for (const { home, constant, type } of operands) {
      if (home >= 0) writeGets(this.#out.writer, [home], [type]);
      else this.#out.writer.bytes(this.#bytes, constant!.start, constant!.end);
    }
  }

  /** The targets, the last one first. */
  writeDispatch(reversed: readonly Target[], live: boolean): void {
    const targets = reversed.toReversed();
    const normal = live ? this.#out.openBlock([]) : NO_BLOCK;
    const stubs = targets.map(() => NO_BLOCK);
    if (targets.length > 1) {
      for (let position = targets.length - 1; position >= 0; position--) stubs[position] = this.#out.openBlock([]);
    }
    if (live) {
      this.#out.index(LOCAL_GET, this.#resume);
      this.#out.writer.u8(I32_EQZ);
      this.#out.index(BR_IF, this.#out.depth - 1 - normal);
    }
    if (targets.length > 1) this.#writeSwitch(targets, stubs);
    for (const [position, { point, block }] of targets.entries()) {
      if (stubs[position] !== NO_BLOCK) this.#out.closeBlock();
      this.writeStub(point);
      this.#out.branchTo(block);
    }
    if (live) this.#out.closeBlock();
  }

  /** In code that nests deep, a table in each construct for all sites in it would be quadratic. */
  #writeSwitch(targets: readonly Target[], stubs: readonly number[]): void {
    const sites = this.#endSite(targets.at(-1)!.point) - this.#firstSite(targets[0]!.point);
    if (sites <= MAX_LABELS_PER_TARGET * targets.length) this.#writeTable(targets, stubs);
    else this.#writeComparisons(targets, stubs);
  }

  #writeComparisons(targets: readonly Target[], stubs: readonly number[]): void {
    for (const [position, { point }] of targets.entries()) {
      const label = this.#out.depth - 1 - stubs[position]!;
      if (position === targets.length - 1) {
        this.#out.index(BR, label);
        return;
      }
      this.#out.index(LOCAL_GET, this.#resume);
      this.#out.constant(this.#endSite(point));
      this.#out.writer.u8(I32_LE_U);
      this.#out.index(BR_IF, label);
    }
  }

  /** The sites of the targets follow each other; the last one is the default. */
  #writeTable(targets: readonly Target[], stubs: readonly number[]): void {
    const firstResume = this.#firstSite(targets[0]!.point) + 1;
    this.#out.index(LOCAL_GET, this.#resume);
    this.#out.constant(firstResume);
    this.#out.writer.u8(I32_SUB);
    const labels: number[] = [];
    for (const [position, { point }] of targets.entries()) {
      const label = this.#out.depth - 1 - stubs[position]!;
      for (let site = this.#firstSite(point); site < this.#endSite(point); site++) labels.push(label);
    }
    this.#out.index(BR_TABLE, labels.length - 1);
    for (const label of labels) this.#out.writer.u32(label);
  }
}
