/**
 * The layout of a saved frame. All frames with locals of the same types look alike, so that one pair of functions saves
 * and loads them (frame-functions.ts).
 *
 *     offset  0   u32   number of the resume copy: its place in the resume table
 *             4   u32   size of the frame in bytes, a multiple of 8; bit 0: the function catches exceptions; bit 1: some of
 *                       the locals are places in a side table
 *             8   u32   number of the site at which it was left, plus 1
 *            12   …     the saved locals: 4-byte values (numbers, places in a side table), then 8-byte, then 16-byte ones
 *
 * A frame holds no address, so it may be moved and copied.
 */

import { F32, F64, I32, I64, V128, isReference } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";

export const FRAME_SITE_OFFSET = 8;
export const FRAME_SIZE_OFFSET = 4;
export const HAS_HANDLERS = 1;
export const HAS_REFERENCES = 2;
export const FLAGS: number = HAS_HANDLERS | HAS_REFERENCES;

const FRAME_HEADER_BYTES = 12;
const SIZE_ALIGNMENT = 8;

export interface FrameLayout {
  /** The saved locals, in the order of the frame. */
  readonly locals: readonly number[];
  readonly types: readonly ValueType[];
  readonly offsets: readonly number[];
  readonly bytes: number;
}

export function slotBytes(type: ValueType): number {
  if (type === V128) return 16;
  return type === I64 || type === F64 ? 8 : 4;
}

/** `saved` are the locals to save, `types` the types of all. */
export function layOutFrame(saved: readonly number[], types: readonly ValueType[]): FrameLayout {
  const rank = (local: number): number => slotBytes(types[local]!);
  const locals = saved.toSorted((a, b) => rank(a) - rank(b) || types[a]! - types[b]! || a - b);
  const offsets: number[] = [];
  let end = FRAME_HEADER_BYTES;
  for (const local of locals) {
    const size = rank(local);
    const offset = Math.ceil(end / size) * size;
    offsets.push(offset);
    end = offset + size;
  }
  const bytes = Math.ceil(end / SIZE_ALIGNMENT) * SIZE_ALIGNMENT;
  return { locals, types: locals.map((local) => types[local]!), offsets, bytes };
}

/** The number and size of a frame as the first eight bytes of it. */
export function frameHeader(resumeIndex: number, layout: FrameLayout, hasHandlers: boolean): bigint {
  const flags = (hasHandlers ? HAS_HANDLERS : 0) | (hasReferences(layout) ? HAS_REFERENCES : 0);
  return BigInt(resumeIndex) | (BigInt(layout.bytes | flags) << 32n);
}

export function hasReferences({ types }: FrameLayout): boolean {
  return !types.every(isPlain);
}

/** Whether the type can be written into memory as it is. */
export function isPlain(type: ValueType): boolean {
  return [I32, I64, F32, F64, V128].includes(type) && !isReference(type);
}
