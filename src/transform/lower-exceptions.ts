/**
 * Rewrites the legacy form of exceptions (`try`, `catch`, `rethrow`, `delegate`) into the standard one (`try_table`,
 * `throw_ref`), for modules that may suspend in a catch block: there the exception is a value, which a frame can keep. For
 * engines without it there is move-catch-blocks.ts.
 *
 *     try (result R)                 block $end (result R)
 *       BODY                           block $all (result exnref)
 *     catch $tag                         block $one (result T… exnref)
 *       ONE                                try_table (result R) (catch_ref $tag $one) (catch_all_ref $all)
 *     catch_all                              BODY
 *       ALL  … rethrow 0                   end
 *     end                                  br $end
 *                                        end
 *                                        local.set $exception  ONE  br $end
 *                                      end
 *                                      local.set $exception  ALL  … local.get $exception  throw_ref
 *                                    end
 *
 *     try (result R)                 block $end (result R)
 *       BODY                           block $all (result exnref)
 *     delegate 0                         try_table (result R) (catch_all_ref $all)  BODY  end
 *                                        br $end
 *                                      end
 *                                      throw_ref
 *                                    end
 *
 * A `delegate` that leaves out handlers between goes to a block in the body of the try that it names, or of the function:
 *
 *       try_table (result R) (catch_all_ref $all)
 *         block $delegated (result exnref)  BODY  br $end  end
 *         throw_ref
 *       end
 *
 * One module cannot have both forms, so every function with a `try` is rewritten.
 */

import { ModuleBuilder } from "../binary/builder.ts";
import { decodeModule } from "../binary/decode-module.ts";
import { ModuleEditor } from "../binary/editor.ts";
import type { FunctionType } from "../binary/extern-types.ts";
import { InstructionReader } from "../binary/instructions.ts";
import { functionBody, functionType } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import { opcode } from "../binary/opcodes.ts";
import { Reader } from "../binary/reader.ts";
import { EXNREF } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import { Writer } from "../binary/writer.ts";
import type { SuspendableCalls } from "./calls.ts";
import { copyWithLabels } from "./labels.ts";
import * as op from "./operations.ts";
import { Operations } from "./operations.ts";
import { TypingRules } from "./typing-rules.ts";

const BLOCK = opcode("block");
const TRY_TABLE = opcode("try_table");
const CATCH_ALL = opcode("catch_all");
const THROW_REF = opcode("throw_ref");
const LOCAL_GET = opcode("local.get");
const LOCAL_SET = opcode("local.set");
const BR = opcode("br");
const END = opcode("end");
const CLAUSE_CATCH_REF = 1;
const CLAUSE_CATCH_ALL_REF = 3;
const ALL = -1;

/** A `try` as its clauses are known: the tag of each, or ALL; those of `delegate` are one ALL. */
interface Try {
  /** Whether a `delegate` from further in leads here. */
  isDelegatedTo: boolean;
  /** How many there are around it. */
  readonly nesting: number;
  readonly type: FunctionType;
  readonly clauses: { readonly tag: number; readonly values: readonly ValueType[] }[];
}

/** A construct that is open. */
interface Open {
  /** Its depth in the result; branches to it go there. */
  readonly depth: number;
  readonly try: Try | null;
  /** Position of the clause that the code is in; -1 in the body. */
  clause: number;
  /** Depth of the block for what is delegated to it; -1 for none. */
  readonly delegated: number;
  /** The local for what it caught. */
  readonly exception: number;
}

type OpenTry = Pick<Open, "try" | "clause">;

const PLAIN: Omit<Open, "depth"> = { try: null, clause: -1, exception: -1, delegated: -1 };

/**
 * The construct whose handlers catch what the innermost one delegates to `label`: the first try around that the code is in the
 * body of; -1 for the caller.
 */
function delegationTarget(open: readonly OpenTry[], label: number): number {
  let target = open.length - 2 - label;
  while (target >= 0 && !catches(open[target]!)) target--;
  return target;
}

/** Whether handlers between the innermost construct and its target would catch first. */
function skipsHandlers(open: readonly OpenTry[], target: number): boolean {
  return open.slice(target + 1, -1).some(catches);
}

function catches(open: OpenTry): boolean {
  return open.try !== null && open.clause < 0;
}

/** Whether a call that may suspend stands in a catch block of the legacy form. */
export function suspendsInLegacyCatch(module: BinaryModule, calls: SuspendableCalls): boolean {
  const reader = new InstructionReader(module.bytes);
  for (let index = module.importedFunctions; index < module.functions.length; index++) {
    if (calls.functions[index] === 0) continue;
    const { start, end } = functionBody(module, index);
    reader.enterBody(start, end);
    if (hasSiteInCatch(reader, calls)) return true;
  }
  return false;
}

function hasSiteInCatch(reader: InstructionReader, calls: SuspendableCalls): boolean {
  // Depths of the constructs whose catch blocks the code is in.
  const catching: number[] = [];
  while (reader.next()) {
    const kind = op.KIND_OF[reader.opcode]!;
    if (kind === op.CATCH && catching.at(-1) !== reader.depth) catching.push(reader.depth);
    while (reader.depth < (catching.at(-1) ?? 0)) catching.pop();
    if (kind === op.CALL && catching.length > 0 && calls.maySuspend(reader)) return true;
  }
  return false;
}

/** The module with all its exceptions in the standard form. */
export function lowerExceptions(module: BinaryModule): BinaryModule {
  const editor = new ModuleEditor(module);
  for (let index = module.importedFunctions; index < module.functions.length; index++) {
    const body = new LoweredFunction(module, editor, index).write();
    if (body) editor.replaceBy(functionBody(module, index), body);
  }
  return decodeModule(editor.build());
}

class LoweredFunction {
  readonly #module: BinaryModule;
  readonly #editor: ModuleEditor;
  readonly #index: number;
  readonly #reader: InstructionReader;
  readonly #rules: TypingRules;
  readonly #out = new Writer(1024);
  readonly #open: Open[] = [];
  /** A list for the current instruction. */
  readonly #operation = new Operations();
  readonly #tries: Try[] = [];
  /** Whether a `delegate` leads to the caller, past handlers. */
  #delegatesToCaller = false;
  #nextTry = 0;
  #depth = 0;
  #firstException = 0;

  constructor(module: BinaryModule, editor: ModuleEditor, index: number) {
    this.#module = module;
    this.#editor = editor;
    this.#index = index;
    this.#reader = new InstructionReader(module.bytes);
    this.#rules = new TypingRules(module, this.#reader);
  }

  /** Locals and code; null when there is no `try`. */
  write(): Uint8Array | null {
    const { start, end } = functionBody(this.#module, this.#index);
    const reader = this.#reader;
    this.#findTries(start, end);
    if (this.#tries.length === 0) return null;
    reader.enterBody(start, end);
    this.#writeLocals(start, reader.position);
    const depth = this.#depth++;
    this.#open.push({ ...PLAIN, depth, delegated: this.#openDelegated(this.#delegatesToCaller, []) });
    while (reader.next()) this.#instruction();
    return this.#out.view();
  }

  /** All of them, in the order of the code, with their clauses. */
  #findTries(start: number, end: number): void {
    const reader = this.#reader;
    const open: OpenTry[] = [{ try: null, clause: -1 }];
    let nesting = 0;
    reader.enterBody(start, end);
    while (reader.next()) {
      const kind = op.KIND_OF[reader.opcode]!;
      if (kind === op.TRY) {
        const found = { type: this.#rules.blockType(), clauses: [], isDelegatedTo: false, nesting: nesting++ };
        this.#tries.push(found);
        open.push({ try: found, clause: -1 });
      } else if (kind <= op.TRY_TABLE && kind !== op.SIMPLE) {
        open.push({ try: null, clause: -1 });
      } else if (kind === op.CATCH) {
        const isAll = reader.opcode === CATCH_ALL;
        const clause = isAll ? { tag: ALL, values: [] } : { tag: reader.index(), values: this.#rules.tagParams() };
        const innermost = open.at(-1)!;
        innermost.clause = innermost.try!.clauses.push(clause) - 1;
      } else if (kind === op.DELEGATE) {
        this.#findDelegation(open);
        open.pop()!.try!.clauses.push({ tag: ALL, values: [] });
        nesting--;
      } else if (kind === op.END && open.pop()!.try) {
        nesting--;
      }
    }
  }

  #findDelegation(open: readonly OpenTry[]): void {
    const target = delegationTarget(open, this.#reader.index());
    if (!skipsHandlers(open, target)) return;
    const reached = open[target]?.try;
    if (reached) reached.isDelegatedTo = true;
    else this.#delegatesToCaller = true;
  }

  /** The declarations, and locals for exceptions: those of one `try` after another can be in the same. */
  #writeLocals(start: number, codeStart: number): void {
    const reader = new Reader(this.#module.bytes, start, codeStart);
    this.#out.u32(reader.u32() + 1);
    this.#out.bytes(this.#module.bytes, reader.position, codeStart);
    this.#out.u32(1 + this.#tries.reduce((most, { nesting }) => Math.max(most, nesting), 0));
    this.#out.u8(EXNREF);
    const declared = this.#reader.locals().reduce((total, { count }) => total + count, 0);
    this.#firstException = functionType(this.#module, this.#index).params.length + declared;
  }

  #instruction(): void {
    const reader = this.#reader;
    const kind = op.KIND_OF[reader.opcode]!;
    switch (kind) {
      case op.TRY:
        return this.#openTry();
      case op.CATCH:
        return this.#catch();
      case op.DELEGATE:
        return this.#delegate();
      case op.RETHROW:
        return this.#rethrow();
      case op.END:
        return this.#end();
      default:
    }
    if (kind >= op.BR && kind <= op.BR_ON_CAST) return this.#relabel(kind);
    this.#out.bytes(reader.bytes, reader.start, reader.position);
    if (kind < op.BLOCK || kind > op.IF) return undefined;
    return void this.#open.push({ ...PLAIN, depth: this.#depth++ });
  }

  #end(): void {
    const ended = this.#open.pop()!;
    // A try without clauses has a body only.
    if (ended.clause < 0) this.#closeDelegated(ended);
    if (ended.try && ended.clause < 0) this.#close();
    this.#close();
  }

  /** A block for what is delegated to the construct that was opened. Returns its depth, -1 for none. */
  #openDelegated(isDelegatedTo: boolean, params: readonly ValueType[]): number {
    if (!isDelegatedTo) return -1;
    this.#out.u8(BLOCK);
    this.#writeType({ params, results: [EXNREF] });
    return this.#depth++;
  }

  #closeDelegated({ delegated, depth }: Open): void {
    if (delegated < 0) return;
    this.#byteAndIndex(BR, this.#depth - 1 - depth);
    this.#close();
    this.#out.u8(THROW_REF);
  }

  #byteAndIndex(byte: number, index: number): void {
    this.#out.u8(byte);
    this.#out.u32(index);
  }

  #writeType(type: FunctionType): void {
    this.#out.s33(this.#editor.type(type));
  }

  #openTry(): void {
    const opened = this.#tries[this.#nextTry++]!;
    const { type, clauses, nesting } = opened;
    const depth = this.#depth;
    this.#out.u8(BLOCK);
    this.#writeType(type);
    for (const { values } of clauses.toReversed()) {
      this.#out.u8(BLOCK);
      this.#writeType({ params: type.params, results: [...values, EXNREF] });
    }
    this.#out.u8(TRY_TABLE);
    this.#writeType(type);
    this.#out.u32(clauses.length);
    for (const [position, { tag }] of clauses.entries()) {
      this.#out.u8(tag === ALL ? CLAUSE_CATCH_ALL_REF : CLAUSE_CATCH_REF);
      if (tag !== ALL) this.#out.u32(tag);
      this.#out.u32(position);
    }
    this.#depth += clauses.length + 2;
    const delegated = this.#openDelegated(opened.isDelegatedTo, type.params);
    this.#open.push({ depth, try: opened, clause: -1, exception: this.#firstException + nesting, delegated });
  }

  /** Ends the body or the arm before, and the block that this clause is behind. */
  #catch(): void {
    const open = this.#open.at(-1)!;
    this.#leaveArm(open);
    open.clause++;
    this.#byteAndIndex(LOCAL_SET, open.exception);
  }

  #leaveArm(open: Open): void {
    if (open.clause < 0) {
      this.#closeDelegated(open);
      this.#close();
    }
    this.#byteAndIndex(BR, this.#depth - 1 - open.depth);
    this.#close();
  }

  #close(): void {
    this.#out.u8(END);
    this.#depth--;
  }

  #delegate(): void {
    const open = this.#open.at(-1)!;
    const target = delegationTarget(this.#open, this.#reader.index());
    this.#leaveArm(open);
    if (skipsHandlers(this.#open, target)) {
      this.#byteAndIndex(BR, this.#depth - 1 - this.#open[Math.max(target, 0)]!.delegated);
    } else {
      this.#out.u8(THROW_REF);
    }
    this.#close();
    this.#open.pop();
  }

  #rethrow(): void {
    this.#byteAndIndex(LOCAL_GET, this.#open.at(-1 - this.#reader.index())!.exception);
    this.#out.u8(THROW_REF);
  }

  #relabel(kind: number): void {
    const reader = this.#reader;
    const operation = this.#operation;
    operation.kind[0] = kind;
    operation.start[0] = reader.start;
    operation.end[0] = reader.position;
    copyWithLabels(this.#out, operation, 0, {
      bytes: reader.bytes,
      translate: (label) => this.#depth - 1 - this.#open.at(-1 - label)!.depth,
    });
  }
}

/** Whether the engine of this process has the standard form of exceptions. */
export function hasTryTable(): boolean {
  const module = new ModuleBuilder();
  module.addFunction({ params: [], results: [] }).code.tryTable(undefined, []).end();
  return WebAssembly.validate(module.build());
}
