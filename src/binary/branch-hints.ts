/**
 * Branch hints: which `if` and `br_if` of a function are likely to be taken, so that an engine moves the rest out of the way.
 *
 * They name instructions by their offset in the body, so whoever changes code has to move them (WebAssembly/branch-hinting).
 */

import type { Range } from "./instructions.ts";
import type { BinaryModule } from "./module.ts";
import { Reader } from "./reader.ts";
import { SECTION } from "./sections.ts";
import type { Writer } from "./writer.ts";

export const BRANCH_HINT_SECTION = "metadata.code.branch_hint";

/** One hint: bytes from the beginning of the body (its locals) to the instruction, and whether it is likely. */
export interface BranchHint {
  readonly offset: number;
  readonly likely: boolean;
}

/** Function index → its hints, in the order of the code. */
export type BranchHints = ReadonlyMap<number, readonly BranchHint[]>;

/** Hints are only advice: what can be read of a broken section counts, as in engines. */
export function readBranchHints(module: BinaryModule): BranchHints {
  const hints = new Map<number, BranchHint[]>();
  const section = module.customSections.find(({ name }) => name === BRANCH_HINT_SECTION);
  if (section === undefined) return hints;
  const reader = new Reader(module.bytes, section.contentStart, section.end);
  try {
    for (let functions = reader.count("functions", 2); functions > 0; functions--) {
      const index = reader.u32();
      const ofFunction: BranchHint[] = [];
      hints.set(index, ofFunction);
      for (let left = reader.count("hints", 3); left > 0; left--) ofFunction.push(readHint(reader));
    }
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error;
  }
  return hints;
}

function readHint(reader: Reader): BranchHint {
  const offset = reader.u32();
  reader.u32("the size of a hint");
  return { offset, likely: reader.u8() === 1 };
}

/** Bytes of a body that other bytes took the place of. */
export interface Edit extends Range {
  readonly bytes: Uint8Array;
}

/** Where the hints of the body at `bodyStart` are after edits of it; both are in the order of the code. */
export function moveHints(
  hints: readonly BranchHint[],
  bodyStart: number,
  edits: readonly Edit[],
): readonly BranchHint[] {
  let moved = 0;
  let next = 0;
  return hints.flatMap(({ offset, likely }) => {
    const position = bodyStart + offset;
    for (; next < edits.length && edits[next]!.end <= position; next++) {
      const { start, end, bytes } = edits[next]!;
      moved += bytes.length - (end - start);
    }
    return (edits[next]?.start ?? Infinity) <= position ? [] : [{ offset: offset + moved, likely }];
  });
}

/** The whole section; nothing when there are no hints. */
export function writeBranchHints(writer: Writer, hints: BranchHints): void {
  const hinted = [...hints].filter(([, ofFunction]) => ofFunction.length > 0);
  if (hinted.length === 0) return;
  writer.section(SECTION.custom, () => {
    writer.name(BRANCH_HINT_SECTION);
    writer.vector(hinted, ([index, ofFunction]) => {
      writer.u32(index);
      writer.vector(ofFunction, ({ offset, likely }) => {
        writer.u32(offset);
        writer.u32(1);
        writer.u8(likely ? 1 : 0);
      });
    });
  });
}
