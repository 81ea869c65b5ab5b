/**
 * The resume copy of a function: entered only to continue one of its saved frames, wherever that was left.
 *
 *     (func $f_resume                      ;; [] -> []
 *       …load the frame…  local.set $resume  local.set $l…      ;; $resume = number of the site + 1
 *       block $save (result i32)
 *         block $exit (result …)
 *           …                              ;; the body, see below; `return` is `br $exit`
 *         end
 *         global.set $results…  return
 *       end
 *       …save the frame…)                   ;; inlined, where the areas are a memory of the first module
 *
 * Each region (function-shape.ts) gets a block for each of its points, that ends where the point continues. At the start
 * of the region a dispatch branches to the one that `$resume` asks for, with the values it needs on the stack:
 *
 *     block $p2 (result T2)
 *       block $p1 (result T1)
 *         block $normal                    ;; only where control can also come normally, with $resume = 0
 *           block $s2
 *             block $s1
 *               local.get $resume  i32.eqz  br_if $normal
 *               local.get $resume  br_table $s1 $s2
 *             end
 *             …operands and results of site 1…  br $p1
 *           end
 *           …operands of construct 2…  br $p2
 *         end
 *         …original code up to site 1, with its check…
 *       end
 *       …original code between…
 *     end
 *     block  …construct 2, with a dispatch of its own…  end
 *
 * When the first point of a region is a block or a loop, its dispatch also does the work of the region around it
 * (*delegation*): the `switch` of a C program is a chain of hundreds of blocks, and a table for each would be quadratic.
 *
 * A frame that loops on leaves this copy for another one, see loop-entries.ts.
 *
 * Code in front of the first point that control cannot reach is left out. A frame that is to throw (`$throwing`) does so
 * where the dispatch of its region continues at the site, which is inside the same handlers as the call was.
 */

import { opcode } from "../binary/opcodes.ts";
import { I32 } from "../binary/value-types.ts";
import { Writer } from "../binary/writer.ts";
import { BlockWriter } from "./block-writer.ts";
import { CodeCopier, LOCAL_GET, LOCAL_SET, writeGets, writeSets } from "./code-copier.ts";
import { Dispatcher } from "./dispatch.ts";
import type { Target } from "./dispatch.ts";
import type { FunctionPlan } from "./fast-copy.ts";
import type { FrameFunctions } from "./frame-functions.ts";
import type { FunctionShape, Point } from "./function-shape.ts";
import { writeLoopEntry } from "./loop-entries.ts";
import type { LoopEntries } from "./loop-entries.ts";
import * as op from "./operations.ts";
import type { Operations } from "./operations.ts";
import { PlainCode } from "./plain-code.ts";
import type { ResumeModuleParts } from "./resume-module.ts";
import { writeFrameLoad, writeFrameSave, writeLocals } from "./saved-frame.ts";

const END = opcode("end");
const UNREACHABLE = opcode("unreachable");
const BR_IF = opcode("br_if");
const RETURN = opcode("return");
const I32_EQZ = opcode("i32.eqz");
const LOCAL_TEE = opcode("local.tee");
const GLOBAL_SET = opcode("global.set");
const NO_BLOCK = -1;

/** A region whose points are being passed. */
interface OpenRegion {
  readonly points: readonly Point[];
  /** Position of the next point. */
  next: number;
  /** Depths of the blocks that end at the points; NO_BLOCK where there is none. */
  readonly blocks: number[];
  /** Whether control can come to its start normally. */
  readonly live: boolean;
  /** What the dispatch of the first point has to do in addition, in reverse. The list is handed on from region to region. */
  delegated: Target[];
  /** The construct it belongs to; -1 for the function. */
  readonly construct: number;
}

/** A region about to be opened. */
interface RegionStart extends Pick<OpenRegion, "live" | "delegated" | "construct"> {
  readonly region: number;
  /** Its first operation and the one that ends it. */
  readonly first: number;
  readonly end: number;
}

/** Which copy it is. */
export interface CopyKind {
  /** The loops that a resume copy leaves for the loop copy, a function of this index; or those that a loop copy is entered at. */
  readonly entries: LoopEntries | null;
  /** {@link IS_LOOP_COPY} in the loop copy itself. */
  readonly loopCopy: number;
}

export const IS_LOOP_COPY = -1;
/** A resume copy that a frame stays in. */
export const NO_LOOPS: CopyKind = { entries: null, loopCopy: 0 };

/** The resume copy of one function, or its loop copy; the operations of the function are in the list. */
export class ResumeCopy {
  readonly #operations: Operations;
  readonly #parts: ResumeModuleParts;
  readonly #plan: FunctionPlan;
  readonly #kind: CopyKind;
  readonly #shape: FunctionShape;
  readonly #out: BlockWriter;
  readonly #points: Dispatcher;
  readonly #copier: CodeCopier;
  /** The local that says where to continue. */
  readonly #resume: number;
  readonly #code: PlainCode;
  /** Local that is not 0 until control has come to the head of a loop, see loop-entries.ts. */
  readonly #first: number;
  /** Depth of the block at whose end the loop copy is called. */
  #enter = NO_BLOCK;
  readonly #regions: OpenRegion[] = [];

  constructor(operations: Operations, parts: ResumeModuleParts, plan: FunctionPlan, kind: CopyKind) {
    const { homes } = plan;
    const { bytes } = parts;
    const entered = kind.loopCopy === IS_LOOP_COPY ? kind.entries : null;
    const shape = entered?.shape ?? plan.shape;
    const writer = new Writer(shape.body.end - shape.body.start + 256);
    this.#operations = operations;
    this.#parts = parts;
    this.#plan = plan;
    this.#kind = kind;
    this.#shape = shape;
    this.#resume = homes.locals.length;
    this.#first = homes.locals.length + 2;
    this.#out = new BlockWriter(writer, (target, results) => parts.writeBlockType(target, results));
    this.#points = new Dispatcher(
      bytes,
      { shape, resume: this.#resume, entries: new Set(entered?.loops.keys()) },
      parts,
      this.#out,
    );
    const copier = new CodeCopier(writer, bytes, shape.codeStart, homes);
    this.#copier = copier;
    this.#code = new PlainCode(shape, operations, { bytes, parts, out: this.#out, copier });
  }

  /** Locals and code of the copy. */
  write(frames: FrameFunctions): Uint8Array<ArrayBuffer> {
    const { writer } = this.#out;
    const { shape, homes, frame } = this.#plan;
    const { entries, loopCopy } = this.#kind;
    const leavesLoops = entries !== null && loopCopy !== IS_LOOP_COPY;
    const loaded = entries !== null && !leavesLoops ? entries.layout : frame.layout;
    writeLocals(writer, [...homes.locals, I32, I32, ...(leavesLoops ? [I32] : [])]);
    writeFrameLoad(writer, frames, loaded, this.#resume);
    if (leavesLoops) {
      this.#out.index(LOCAL_TEE, this.#resume);
      this.#out.index(LOCAL_SET, this.#first);
    } else {
      this.#out.index(LOCAL_SET, this.#resume);
    }
    writeSets(writer, loaded.locals);
    if (leavesLoops) this.#enter = this.#out.openBlock([]);
    this.#code.save = this.#out.openBlock([I32]);
    this.#code.labels.push(this.#out.openBlock(shape.type.results));
    this.#writeBody();
    this.#out.closeBlock();
    for (const global of this.#parts.results.for(shape.type.results).toReversed()) this.#out.index(GLOBAL_SET, global);
    writer.u8(RETURN);
    this.#out.closeBlock();
    writeFrameSave(writer, frames, frame, this.#resume);
    if (leavesLoops) {
      writer.u8(RETURN);
      this.#out.closeBlock();
      writeLoopEntry(writer, frames, entries, { resume: this.#resume, loopCopy, globals: this.#parts.globals });
    }
    writer.u8(END);
    return writer.view();
  }

  #writeBody(): void {
    const operations = this.#operations;
    const last = operations.length - 1;
    let index = this.#openRegion({ region: 0, construct: -1, live: false, delegated: [], first: 0, end: last });
    while (index < last) {
      const region = this.#regions.at(-1)!;
      const point = region.points[region.next];
      if (point !== undefined && this.#points.operationOf(point) === index) index = this.#pass(region, point, index);
      else if (this.#endsRegion(region, index)) index = this.#closeRegion(region, index);
      else this.#code.write(index++);
    }
    this.#copier.copyTo(operations.start[last]!);
  }

  /** Writes the dispatch of a region and returns the operation to go on with. */
  #openRegion(start: RegionStart): number {
    const { region, live, first, construct } = start;
    const points = this.#shape.regions[region]!;
    const open: OpenRegion = { points, next: 0, blocks: points.map(() => NO_BLOCK), live, delegated: [], construct };
    this.#regions.push(open);
    const homes = construct < 0 ? [] : this.#shape.constructs[construct]!.paramHomes;
    const params = construct < 0 ? [] : this.#shape.constructs[construct]!.params;
    writeSets(this.#out.writer, homes);
    this.#copier.skipInsertion();
    const [point] = points;
    if (point === undefined) {
      if (live) writeGets(this.#out.writer, homes, params);
      if (live) return first;
      // An arm that only normal control could reach, which never comes.
      this.#out.writer.u8(UNREACHABLE);
      return this.#code.skipTo(start.end);
    }
    if (homes.length === 0 && this.#points.canDelegate(point)) this.#openDelegating(open, start);
    else this.#openDispatching(open, start);
    if (!live) return this.#code.skipTo(this.#points.operationOf(point));
    writeGets(this.#out.writer, homes, params);
    return first;
  }

  #openPointBlocks(open: OpenRegion, from: number, targets: Target[]): void {
    for (let position = open.points.length - 1; position >= from; position--) {
      const point = open.points[position]!;
      const block = this.#out.openBlock(this.#points.typesAt(point));
      open.blocks[position] = block;
      targets.push({ point, block });
    }
  }

  /** The first point is a construct that dispatches for this region too; here is only decided whether to go there. */
  #openDelegating(open: OpenRegion, { live, delegated, first }: RegionStart): void {
    const point = open.points[0]!;
    const { start } = this.#points.constructOf(point);
    open.delegated = delegated;
    this.#openPointBlocks(open, 1, delegated);
    if (!live) return this.#points.writeStub(point);
    const types = this.#points.typesAt(point);
    if (types.length === 0 && start === first && this.#copier.cursor === this.#operations.start[start])
      return undefined;
    open.blocks[0] = this.#out.openBlock(types);
    if (types.length === 0) {
      this.#out.index(LOCAL_GET, this.#resume);
      this.#out.index(BR_IF, 0);
      return undefined;
    }
    this.#out.openBlock([]);
    this.#out.index(LOCAL_GET, this.#resume);
    this.#out.writer.u8(I32_EQZ);
    this.#out.index(BR_IF, 0);
    this.#points.writeStub(point);
    this.#out.branchTo(open.blocks[0]);
    return this.#out.closeBlock();
  }

  #openDispatching(open: OpenRegion, { live, delegated, construct }: RegionStart): void {
    const isOnly = open.points.length === 1 && delegated.length === 0;
    const hasParams = construct >= 0 && this.#shape.constructs[construct]!.paramHomes.length > 0;
    if (!live && isOnly && !hasParams) return this.#points.writeStub(open.points[0]!);
    this.#openPointBlocks(open, 0, delegated);
    return this.#points.writeDispatch(delegated, live);
  }

  /** The code comes to a point: after it, saved frames and normal control go on together. */
  #pass(region: OpenRegion, point: Point, index: number): number {
    const operations = this.#operations;
    const position = region.next++;
    const isReached = region.live || position > 0;
    const hasBlock = region.blocks[position] !== NO_BLOCK;
    if (point >= 0) {
      if (isReached) this.#code.writeSite(point, index);
      this.#copier.skipTo(operations.end[index]!);
      if (hasBlock) this.#out.closeBlock();
      return index + 1;
    }
    if (isReached) this.#copier.copyTo(operations.start[index]!);
    if (hasBlock) this.#out.closeBlock();
    return this.#openConstruct(~point, index, { live: isReached, delegated: position === 0 ? region.delegated : [] });
  }

  #openConstruct(
    construct: number,
    index: number,
    { live, delegated }: { live: boolean; delegated: Target[] },
  ): number {
    const { kind, region, elseOperation, endOperation } = this.#shape.constructs[construct]!;
    this.#code.writeHeader(kind, index);
    if (this.#enter !== NO_BLOCK) this.#leaveLoop(construct);
    const end = elseOperation >= 0 ? elseOperation : endOperation;
    return this.#openRegion({ region, construct, live: kind === op.LOOP || live, delegated, first: index + 1, end });
  }

  /** At the head of a loop: control that comes to one for the second time goes on in the loop copy, if the loop is one of those. */
  #leaveLoop(construct: number): void {
    const entry = this.#kind.entries?.loops.get(construct);
    if (entry === undefined) return;
    this.#out.openBlock([]);
    this.#out.index(LOCAL_GET, this.#first);
    this.#out.index(BR_IF, 0);
    this.#out.constant(entry + 1);
    this.#out.index(LOCAL_SET, this.#resume);
    this.#out.branchTo(this.#enter);
    this.#out.closeBlock();
    this.#out.index(LOCAL_GET, this.#resume);
    this.#out.index(LOCAL_SET, this.#first);
  }

  #endsRegion({ construct }: OpenRegion, index: number): boolean {
    if (construct < 0) return false;
    const { elseOperation, endOperation } = this.#shape.constructs[construct]!;
    return index === elseOperation || index === endOperation;
  }

  #closeRegion({ construct, live }: OpenRegion, index: number): number {
    this.#regions.pop();
    const { elseOperation, endOperation, elseRegion } = this.#shape.constructs[construct]!;
    if (index === elseOperation) {
      this.#code.copyInstruction(index);
      return this.#openRegion({
        region: elseRegion,
        construct,
        live,
        delegated: [],
        first: index + 1,
        end: endOperation,
      });
    }
    this.#code.write(index);
    return index + 1;
  }
}
