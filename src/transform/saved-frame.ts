/** What both copies of a function have in common besides sites: declarations of locals, and saving the frame. */

import { emitCode } from "../binary/code.ts";
import type { Code } from "../binary/code.ts";
import { opcode } from "../binary/opcodes.ts";
import type { Writer } from "../binary/writer.ts";
import { writeValueType } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import { LOCAL_GET } from "./code-copier.ts";
import type { FrameFunctions } from "./frame-functions.ts";
import { frameHeader } from "./frame-layout.ts";
import type { FrameLayout } from "./frame-layout.ts";

const I64_CONST = opcode("i64.const");
const CALL = opcode("call");

/** How a function saves its frame. */
export interface SavedFrame {
  readonly layout: FrameLayout;
  readonly resumeIndex: number;
  readonly hasHandlers: boolean;
  /** The function that does it, of frame-functions.ts; -1 when it is done in line. */
  readonly save: number;
}

function headerOf({ resumeIndex, layout, hasHandlers }: SavedFrame): bigint {
  return frameHeader(resumeIndex, layout, hasHandlers);
}

/** With the number of the site on the stack: `local.get $l…  i64.const HEADER  call $save`. */
export function writeSave(writer: Writer, frame: SavedFrame): void {
  const { layout, save } = frame;
  for (const local of layout.locals) {
    writer.u8(LOCAL_GET);
    writer.u32(local);
  }
  writer.u8(I64_CONST);
  writer.s64(headerOf(frame));
  writer.u8(CALL);
  writer.u32(save);
}

/** Declarations of locals. */
export function writeLocals(writer: Writer, types: readonly ValueType[]): void {
  const runs: { count: number; type: ValueType }[] = [];
  for (const type of types) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ count: 1, type });
  }
  writer.vector(runs, ({ count, type }) => {
    writer.u32(count);
    writeValueType(writer, type);
  });
}

/** In a resume copy: leaves the locals of the frame and the number of the site on the stack; may use local `scratch`. */
export function writeFrameLoad(writer: Writer, frames: FrameFunctions, layout: FrameLayout, scratch: number): void {
  const code = emitCode();
  if (frames.isInlinable(layout)) frames.emitLoad(code, layout, scratch);
  else code.call(frames.for(layout).load);
  writer.bytes(code.writer.view());
}

/** In line, with the number of the site on the stack; locals `scratch` and the next are not needed any more. */
export function writeFrameSave(writer: Writer, frames: FrameFunctions, frame: SavedFrame, scratch: number): void {
  const { layout } = frame;
  if (!frames.isInlinable(layout)) {
    writeSave(writer, frame);
    return;
  }
  const code = emitCode().localSet(scratch);
  const pushHeader = (target: Code): void => void target.i64Const(headerOf(frame));
  frames.emitSave(code, layout, { site: scratch, values: layout.locals, address: scratch + 1, pushHeader });
  writer.bytes(code.writer.view());
}
