/**
 * Where in the interpreter of Lua operations are counted: at the beginning of what it does for instructions without which nothing can be
 * repeated. In `luaV_execute(L, activation)`:
 *
 *     block  block … block
 *       … (i32.load (address of a table of words, for the opcode)) (i32.const 2) (i32.sub) br_table 1 2 3 …
 *     end  what the opcode of label 0 does   end  what that of label 1 does …
 *        ^                                      ^ here
 *
 * A count hook of Lua would count all instructions, each of which calls a function then: two to three times the run time.
 */

import { InstructionReader } from "../../binary/instructions.ts";
import type { Range } from "../../binary/instructions.ts";
import { functionBody, functionType } from "../../binary/module.ts";
import type { BinaryModule } from "../../binary/module.ts";
import { opcode } from "../../binary/opcodes.ts";
import { Reader } from "../../binary/reader.ts";
import { I32 } from "../../binary/value-types.ts";
import { unknownBuild } from "./unknown-build.ts";

/** Opcodes of Lua 5.4 (lopcodes.h), all that can be part of a loop or a recursion: each turn of one has at least one of them. */
const COUNTED = {
  jump: [56],
  conditions: [57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67],
  tailCall: [69],
  returns: [70, 71, 72],
  loops: [73, 76],
};

/** Targets of the interpreter's `br_table`: one for each opcode but the last, whose is the default. */
const LABELS = 82;
const WORD_BYTES = 4;

const BR_TABLE = opcode("br_table");
const CONST = opcode("i32.const");
const LOOP = opcode("loop");
const END = opcode("end");

/** The `br_table` of the interpreter. */
interface Dispatch {
  readonly body: Range;
  /** Offset of the instruction. */
  readonly start: number;
  /** Constructs that are open there. */
  readonly depth: number;
  readonly labels: readonly number[];
  /** Address of the words that say for each opcode which label it has, and what is subtracted from them. */
  readonly table: number;
  readonly bias: number;
}

/** Offsets of the `end` instructions behind which an operation begins that is to be counted. */
export function findCountedEnds(module: BinaryModule): ReadonlySet<number> {
  const dispatch = findDispatch(module);
  const depths = new Set(
    Object.values(COUNTED)
      .flat()
      .map((number) => {
        const position = wordAt(module, dispatch.table + number * WORD_BYTES) - dispatch.bias;
        const label = dispatch.labels[position] ?? unknownBuild("its opcodes are others");
        return dispatch.depth - 1 - label;
      }),
  );
  const ends = endsAt(module, dispatch, depths);
  if (ends.size !== depths.size) unknownBuild("its interpreter has another form");
  return ends;
}

function findDispatch(module: BinaryModule): Dispatch {
  const found: Dispatch[] = [];
  for (let index = module.importedFunctions; index < module.functions.length; index++) {
    const { params, results } = functionType(module, index);
    if (params.join() === [I32, I32].join() && results.length === 0) {
      found.push(...dispatchesIn(module, functionBody(module, index)));
    }
  }
  return found.length === 1 ? found[0]! : unknownBuild(`${found.length} functions could be its interpreter`);
}

function dispatchesIn(module: BinaryModule, body: Range): Dispatch[] {
  const found: Dispatch[] = [];
  const reader = new InstructionReader(module.bytes);
  // The last constants: 2, and before it the address of the table.
  let [table, bias] = [0, 0];
  reader.enterBody(body.start, body.end);
  while (reader.next()) {
    if (reader.opcode === CONST) [table, bias] = [bias, immediateOf(module, reader)];
    if (reader.opcode !== BR_TABLE || reader.index() !== LABELS) continue;
    const labels = new Reader(module.bytes, reader.immediates, reader.position);
    const count = labels.u32("labels") + 1;
    found.push({
      body,
      start: reader.start,
      depth: reader.depth,
      labels: Array.from({ length: count }, () => labels.u32("a label")),
      table,
      bias,
    });
  }
  return found;
}

/** The first `end` behind the dispatch that closes a construct of each of these depths, unless it is that of a loop. */
function endsAt(module: BinaryModule, { body, start }: Dispatch, depths: ReadonlySet<number>): Set<number> {
  const ends = new Map<number, number>();
  const loops = new Set<number>();
  const reader = new InstructionReader(module.bytes);
  reader.enterBody(body.start, body.end);
  while (reader.next()) {
    // The depth of a construct is that outside of it.
    if (reader.start < start && reader.opcode === LOOP) loops.add(reader.depth - 1);
    if (reader.start < start && reader.opcode === END) loops.delete(reader.depth);
    if (reader.start > start && reader.opcode === END && depths.has(reader.depth) && !ends.has(reader.depth)) {
      ends.set(reader.depth, reader.start);
    }
  }
  return new Set([...ends].filter(([depth]) => !loops.has(depth)).map(([, end]) => end));
}

function immediateOf(module: BinaryModule, reader: InstructionReader): number {
  return new Reader(module.bytes, reader.immediates, reader.position).s32();
}

/** What the data segments have at this address; 0 where there are none. */
function wordAt(module: BinaryModule, address: number): number {
  const bytes = Array.from({ length: WORD_BYTES }, (_, position) => byteAt(module, address + position));
  return bytes.reduceRight((word, byte) => word * 256 + byte, 0);
}

function byteAt(module: BinaryModule, address: number): number {
  for (const { offset, content } of module.data) {
    if (offset === null) continue;
    const reader = new InstructionReader(module.bytes);
    reader.enterExpression(offset.start, offset.end);
    const isConstant = reader.next() && reader.opcode === CONST;
    const start = isConstant ? immediateOf(module, reader) : Number.NaN;
    if (address >= start && address < start + content.end - content.start) {
      return module.bytes[content.start + address - start]!;
    }
  }
  return 0;
}
