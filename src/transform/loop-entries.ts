/**
 * Loops that a resumed frame leaves for a copy of the function that does not know that it was resumed.
 *
 * A resume copy has a dispatch in every loop with sites, which a frame that loops on would pay for in each iteration. So it
 * only finishes the iteration in which it was suspended, and the next one: a frame that is suspended in every iteration
 * would go to and fro. When control comes to the head of a loop with a site of its own for the second time
 *
 *     loop
 *       block  local.get $first  br_if 0  i32.const ENTRY+1  local.set $resume  br $enter  end
 *       local.get $resume  local.set $first      ;; not 0 as long as a dispatch is on its way to the site
 *       …dispatch…
 *
 * the locals go to a third copy, by way of the area, as a frame that is loaded at once:
 *
 *     block $enter
 *       …the resume copy…
 *     end
 *     …save $l… and ENTRY as a frame; take it off again; $frame = its address…
 *     call $f_loops
 *
 * The *loop copy* is made as a resume copy is, but its points are the heads of these loops, not sites: it has a dispatch at
 * its start, and in loops around them. What it saves when something suspends is an ordinary frame of the function. Small
 * functions that it calls are beside it, see near-copies.ts.
 */

import { emitCode } from "../binary/code.ts";
import type { Writer } from "../binary/writer.ts";
import type { FunctionPlan } from "./fast-copy.ts";
import type { FrameFunctions } from "./frame-functions.ts";
import { isPlain, layOutFrame } from "./frame-layout.ts";
import type { FrameLayout } from "./frame-layout.ts";
import type { Construct, FunctionShape, Point } from "./function-shape.ts";
import { LARGE_BODY_BYTES } from "./limits.ts";
import * as op from "./operations.ts";
import type { RuntimeGlobals } from "./runtime-globals.ts";

/** A loop with less than this part of the operations of another one around it is small. */
const SMALL_PART = 10;

/** The loops of one function. */
export interface LoopEntries {
  /** Number of the construct → its place among them, in the order of the code. */
  readonly loops: ReadonlyMap<number, number>;
  /** What is passed to the loop copy: the locals that any of the loops needs at its head. */
  readonly layout: FrameLayout;
  /** The function with the loops as its points. */
  readonly shape: FunctionShape;
}

/** Null when there are none, or what they need cannot be passed. */
export function findLoopEntries({ shape, homes, liveness }: FunctionPlan, frames: FrameFunctions): LoopEntries | null {
  // What a body may have at most was compared with the resume copy alone.
  if (shape.body.end - shape.body.start >= LARGE_BODY_BYTES) return null;
  const loops = loopsWithSites(shape);
  if (loops.length === 0) return null;
  const layout = layOutFrame(liveness.neededAtLoops(loops), homes.locals);
  if (!frames.isInlinable(layout) || !layout.types.every(isPlain)) return null;
  return { loops: new Map(loops.map((loop, entry) => [loop, entry])), layout, shape: shapeOfEntries(shape, loops) };
}

/**
 * Loops without parameters that are the innermost ones around some site, as constructs in the order of the code.
 *
 * Not those that are small parts of another: for each of them the other would have a dispatch, too, in every iteration. An
 * interpreter has a few such loops in its main one; a frame that was suspended in one of them leaves the main loop later.
 */
function loopsWithSites({ sites, constructs }: FunctionShape): number[] {
  const innermost = new Int32Array(constructs.length);
  for (const [index, { kind, parent }] of constructs.entries()) {
    const outer = parent < 0 ? -1 : innermost[parent]!;
    innermost[index] = kind === op.LOOP ? index : outer;
  }
  const found = new Set<number>();
  for (const { construct } of sites) {
    const loop = construct < 0 ? -1 : innermost[construct]!;
    if (loop >= 0 && constructs[loop]!.params.length === 0) found.add(loop);
  }
  const size = (loop: number): number => constructs[loop]!.endOperation - constructs[loop]!.start;
  const outermost = new Int32Array(constructs.length);
  for (const [index, { parent }] of constructs.entries()) {
    const outer = parent < 0 ? -1 : outermost[parent]!;
    outermost[index] = outer < 0 && found.has(index) ? index : outer;
  }
  return [...found].filter((loop) => size(loop) * SMALL_PART >= size(outermost[loop]!)).toSorted((a, b) => a - b);
}

/** The same function, numbers of sites replaced by positions in `loops`. */
function shapeOfEntries(shape: FunctionShape, loops: readonly number[]): FunctionShape {
  const starts = loops.map((loop) => shape.constructs[loop]!.start);
  const constructs = shape.constructs.map((construct): Construct => {
    const { start, elseOperation, endOperation } = construct;
    const firstSite = countBelow(starts, start);
    const endSite = countBelow(starts, endOperation);
    const elseSite = elseOperation < 0 ? endSite : countBelow(starts, elseOperation);
    return { ...construct, firstSite, elseSite, endSite };
  });
  const regions: Point[][] = shape.regions.map(() => []);
  for (const [number, { parent, start, firstSite, endSite }] of constructs.entries()) {
    if (firstSite === endSite) continue;
    regions[regionOf(parent < 0 ? null : constructs[parent]!, start)]!.push(~number);
  }
  return { ...shape, constructs, regions };
}

/** The region of the parent that an operation is in; of the function when there is none. */
function regionOf(parent: Construct | null, operation: number): number {
  if (!parent) return 0;
  const { region, elseRegion, elseOperation } = parent;
  return elseOperation >= 0 && operation > elseOperation ? elseRegion : region;
}

/** How many of the ascending numbers are less than `limit`. */
function countBelow(numbers: readonly number[], limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle]! < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where a resume copy goes to the loop copy; local `resume` has the number of the entry, plus 1. */
export function writeLoopEntry(
  writer: Writer,
  frames: FrameFunctions,
  { layout }: LoopEntries,
  { resume, loopCopy, globals }: { resume: number; loopCopy: number; globals: RuntimeGlobals },
): void {
  const { top, frame } = globals;
  const code = emitCode();
  const pushHeader = (): void => void code.i64Const(0);
  frames.emitSave(code, layout, { site: resume, values: layout.locals, address: resume + 1, pushHeader });
  code.globalGet(top).i32Const(layout.bytes).i32Sub().localTee(resume).globalSet(top);
  code.localGet(resume).globalSet(frame).call(loopCopy);
  writer.bytes(code.writer.view());
}
