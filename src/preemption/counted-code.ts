/**
 * Writes the body of a function with its charges.
 *
 * Where a function begins, and everywhere else in one without loops, without the last line where nothing is checked:
 *
 *     (global.set $counter (i32.sub (global.get $counter) (i32.const cost)))
 *     (if (i32.lt_s (global.get $counter) (i32.const 0)) (then (call $refuel)))             ;; unlikely
 *
 * In a loop, where `$owed` is a local of the function:
 *
 *     (if (i32.gt_s (local.tee $owed (i32.add (local.get $owed) (i32.const cost))) (i32.const MOST_OWED))     ;; unlikely
 *       (then (local.get $owed) (local.set $owed (i32.const 0)) (call $settle)))
 *
 * To be exact, the rest is paid where the function ends: its body becomes a block, which branches to its end leave.
 *
 *     (block (result R…) <body, with the last line before each return>)
 *     (global.set $counter (i32.sub (global.get $counter) (local.get $owed)))
 */

import { moveHints } from "../binary/branch-hints.ts";
import type { BranchHint, Edit } from "../binary/branch-hints.ts";
import { emitCode } from "../binary/code.ts";
import type { BlockType, Code } from "../binary/code.ts";
import { InstructionReader } from "../binary/instructions.ts";
import { functionBody, functionType } from "../binary/module.ts";
import { OPCODES, opcode } from "../binary/opcodes.ts";
import { I32, writeValueType } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import type { Writer } from "../binary/writer.ts";
import { bulkOperand } from "./bulk-instructions.ts";
import { ChargePlanner } from "./charges.ts";
import type { Charge } from "./charges.ts";
import type { Counter } from "./counter.ts";
import type { ImportingEditor } from "../binary/importing-editor.ts";

/** What is counted: arrivals at functions and loops, or the cost of what runs. */
export type Precision = "time" | "fuel";

/** A function owes no more than this. It costs nothing to settle a hundred times less often than to count. */
const MOST_OWED: Readonly<Record<Precision, number>> = { time: 64, fuel: 1024 };

const CALL = opcode("call");
const RETURN_CALL = opcode("return_call");
const REF_FUNC = opcode("ref.func");
const RETURN = opcode("return");

const END = 0x0b;

/** An edit with an `if` in it that is unlikely to be entered. */
interface CodeEdit extends Edit {
  /** Offset of the `if` in the new bytes; -1: there is none. */
  readonly unlikely: number;
}

export class CodeCounter {
  readonly #editor: ImportingEditor;
  readonly #counter: Counter;
  readonly #precision: Precision;
  readonly #reader: InstructionReader;
  readonly #planner: ChargePlanner;
  #edits: CodeEdit[] = [];
  /** Offsets, in the module, of the instructions that leave the current function. */
  #returns: number[] = [];

  constructor(editor: ImportingEditor, counter: Counter, precision: Precision) {
    this.#editor = editor;
    this.#counter = counter;
    this.#precision = precision;
    this.#reader = new InstructionReader(editor.module.bytes);
    this.#planner = new ChargePlanner(this.#reader);
  }

  /** Appends the body of a function of the module, and returns the hints for it, given those that it had. */
  writeBody(writer: Writer, index: number, hints: readonly BranchHint[]): readonly BranchHint[] {
    const { start, end } = functionBody(this.#editor.module, index);
    this.#read(start, end);
    const charges = this.#charges();
    const local = charges.some(({ isInLoop }) => isInLoop) ? this.#addLocal(index, start) : undefined;
    for (const charge of charges) {
      const owed = charge.isInLoop ? local : undefined;
      this.#insert(charge.position, (code) =>
        owed === undefined ? this.#charge(code, charge) : this.#owe(code, charge, owed),
      );
    }
    if (local !== undefined && this.#precision === "fuel") this.#settleAtEnd(local, end);
    const edits = this.#edits.toSorted((a, b) => a.start - b.start || a.end - b.end);
    writer.u32(edits.reduce((size, edit) => size + growth(edit), end - start));
    const unlikely = writeEdited(writer, this.#editor.module.bytes, { start, end, edits });
    return [...moveHints(hints, start, edits), ...unlikely].toSorted((a, b) => a.offset - b.offset);
  }

  /** Reads the body once: what is to be paid, and what else has to change. */
  #read(start: number, end: number): void {
    const reader = this.#reader;
    this.#edits = [];
    this.#returns = [];
    reader.enterBody(start, end);
    this.#planner.enterFunction();
    while (reader.next()) {
      this.#planner.step();
      const { opcode: current } = reader;
      if (current === CALL || current === RETURN_CALL || current === REF_FUNC) this.#renumber();
      if (current === RETURN || OPCODES[current]!.rule === "tailcall") this.#returns.push(reader.start);
      const operand = bulkOperand(reader, this.#editor.module);
      if (operand === undefined) continue;
      const pay = this.#counter.payBulk(operand);
      this.#insert(reader.start, (code) => {
        code.call(pay);
        return -1;
      });
    }
  }

  #charges(): readonly Charge[] {
    const { charges } = this.#planner;
    if (this.#precision === "fuel") return charges;
    return charges.filter(({ checks }) => checks).map((charge) => ({ ...charge, cost: 1 }));
  }

  #renumber(): void {
    const reader = this.#reader;
    const index = reader.index();
    if (index < this.#editor.imported) return;
    const code = emitCode();
    code.writer.u32(this.#editor.renumbered(index));
    this.#edits.push({ start: reader.immediates, end: reader.position, bytes: code.writer.toBytes(), unlikely: -1 });
  }

  /** `emit` returns where its `if` is, or -1. */
  #insert(position: number, emit: (code: Code) => number): void {
    this.#replace(position, position, emit);
  }

  #replace(start: number, end: number, emit: (code: Code) => number): void {
    const code = emitCode();
    const unlikely = emit(code);
    this.#edits.push({ start, end, bytes: code.writer.toBytes(), unlikely });
  }

  #charge(code: Code, { cost, checks }: Charge): number {
    const { global, refuel } = this.#counter;
    code.globalGet(global).i32Const(cost).i32Sub().globalSet(global);
    if (!checks) return -1;
    code.globalGet(global).i32Const(0).i32LtS();
    const unlikely = code.writer.length;
    code.if().call(refuel).end();
    return unlikely;
  }

  #owe(code: Code, { cost, checks }: Charge, owed: number): number {
    code.localGet(owed).i32Const(cost).i32Add();
    if (!checks) {
      code.localSet(owed);
      return -1;
    }
    code.localTee(owed).i32Const(MOST_OWED[this.#precision]).i32GtS();
    const unlikely = code.writer.length;
    code.if().localGet(owed).i32Const(0).localSet(owed).call(this.#counter.settle).end();
    return unlikely;
  }

  /** Declares one more local, which starts as 0, and opens the block around the code if what is owed has to be paid at its end. */
  #addLocal(index: number, start: number): number {
    const reader = this.#reader;
    const { params, results } = functionType(this.#editor.module, index);
    reader.enterBody(start, reader.end);
    const runs = reader.locals();
    this.#replace(start, reader.position, (code) => {
      code.writer.vector([...runs, { count: 1, type: I32 }], ({ count, type }) => {
        code.writer.u32(count);
        writeValueType(code.writer, type);
      });
      if (this.#precision === "fuel") code.block(this.#blockType(results));
      return -1;
    });
    return runs.reduce((sum, { count }) => sum + count, params.length);
  }

  #blockType(results: readonly ValueType[]): BlockType | undefined {
    return results.length < 2 ? results[0] : { type: this.#editor.type({ params: [], results }) };
  }

  #settleAtEnd(owed: number, end: number): void {
    const { global } = this.#counter;
    const pay = (code: Code): number => {
      code.globalGet(global).localGet(owed).i32Sub().globalSet(global);
      return -1;
    };
    for (const position of this.#returns) this.#insert(position, pay);
    this.#insert(end - 1, (code) => {
      code.writer.u8(END);
      return pay(code);
    });
  }
}

/** Copies `[start, end)` with the edits in it, which are in order, and returns hints for what is unlikely in them. */
function writeEdited(
  writer: Writer,
  bytes: Uint8Array,
  { start, end, edits }: { start: number; end: number; edits: readonly CodeEdit[] },
): readonly BranchHint[] {
  const bodyStart = writer.length;
  const hints: BranchHint[] = [];
  let copied = start;
  for (const edit of edits) {
    writer.bytes(bytes, copied, edit.start);
    if (edit.unlikely >= 0) hints.push({ offset: writer.length - bodyStart + edit.unlikely, likely: false });
    writer.bytes(edit.bytes);
    copied = edit.end;
  }
  writer.bytes(bytes, copied, end);
  return hints;
}

/** Bytes by which an edit makes the body longer. */
function growth({ start, end, bytes }: Edit): number {
  return bytes.length - (end - start);
}
