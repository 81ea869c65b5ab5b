/**
 * Moves the code of catch blocks of the legacy form of exceptions behind their `try`, for modules that may suspend in one, on
 * engines without the standard form (lower-exceptions.ts): a frame cannot continue inside a catch block, but anywhere else.
 *
 *     try (result R)                 block $end (result R)
 *       BODY                           block $all
 *     catch $tag                         block $one (result T…)
 *       ONE  … rethrow 0                   try (result R)
 *     catch_all                              BODY
 *       ALL  … rethrow 0                   catch $tag    br $one
 *     end                                  catch $other  local.set $value…  i32.const 2  local.set $tag  br $all
 *                                          catch_all     call $caught  local.set $thrown
 *                                                        i32.const 0  local.set $tag  br $all
 *                                          end
 *                                          br $end
 *                                        end
 *                                        local.set $value…  local.get $value…
 *                                        ONE  … local.get $value…  throw $tag
 *                                        br $end
 *                                      end
 *                                      ALL  … local.get $tag  local.get $value…  local.get $thrown  call $rethrow
 *                                    end
 *
 * Only what is thrown again is kept, see caught-exceptions.ts. A `try` whose blocks do not suspend stays as it is. When it
 * throws again what it has caught, after calls that may have met other exceptions, the host is reminded of the one meant:
 *
 *     catch_all                      catch_all
 *       … rethrow 0                    call $caught  local.set $thrown
 *     end                              … local.get $thrown  call $remember  rethrow 0
 *                                    end
 */

import { decodeModule } from "../binary/decode-module.ts";
import { ModuleEditor } from "../binary/editor.ts";
import type { FunctionType } from "../binary/extern-types.ts";
import { InstructionReader } from "../binary/instructions.ts";
import { functionBody, functionType } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import { opcode } from "../binary/opcodes.ts";
import { Reader } from "../binary/reader.ts";
import { isDefaultable, writeValueType } from "../binary/value-types.ts";
import { Writer } from "../binary/writer.ts";
import type { SuspendableCalls } from "./calls.ts";
import { ExceptionLocals, HostFunctions, TagValues } from "./caught-exceptions.ts";
import { LOCAL_GET, LOCAL_SET, REF_AS_NON_NULL } from "./code-copier.ts";
import { copyWithLabels } from "./labels.ts";
import { checkTagValues } from "./limits.ts";
import { ALL, readTries } from "./legacy-tries.ts";
import type { CatchClause, LegacyTry } from "./legacy-tries.ts";
import * as op from "./operations.ts";
import { Operations } from "./operations.ts";
import { TypingRules } from "./typing-rules.ts";

const BLOCK = opcode("block");
const TRY = opcode("try");
const CATCH = opcode("catch");
const CATCH_ALL = opcode("catch_all");
const THROW = opcode("throw");
const UNREACHABLE = opcode("unreachable");
const CALL = opcode("call");
const BR = opcode("br");
const END = opcode("end");
const I32_CONST = opcode("i32.const");

export interface MovedCatchBlocks {
  readonly module: BinaryModule;
  /** Index of the table for the host's functions of caught-exceptions.ts; null when none is needed. */
  readonly hostTable: number | null;
}

/** The module with no call that may suspend in a catch block. */
export function moveCatchBlocks(module: BinaryModule, calls: SuspendableCalls): MovedCatchBlocks {
  const editor = new ModuleEditor(module);
  const reader = new InstructionReader(module.bytes);
  const rules = new TypingRules(module, reader);
  const triesOf = new Map<number, LegacyTry[]>();
  for (let index = module.importedFunctions; index < module.functions.length; index++) {
    const isSuspendable = calls.functions[index] === 1;
    const maySuspend = (): boolean => isSuspendable && calls.maySuspend(reader);
    const tries = readTries(reader, rules, functionBody(module, index), maySuspend);
    if (tries.length > 0) triesOf.set(index, tries);
  }
  const values = new TagValues(module);
  checkTagValues(values.places.length);
  const host = [...triesOf.values()].flat().some(needsHost) ? new HostFunctions(editor, values) : null;
  const surroundings = { module, editor, values, host, operation: new Operations() };
  for (const [index, tries] of triesOf) {
    if (!tries.some((one) => isMoved(one) || (host && one.clauses.some(remindsHost)))) continue;
    const body = new MovingFunction(surroundings, index, tries).write();
    editor.replace(functionBody(module, index), (code) => void code.copy(body));
  }
  return { module: decodeModule(editor.build()), hostTable: host?.table ?? null };
}

function isMoved({ clauses }: LegacyTry): boolean {
  return clauses.some(({ maySuspend }) => maySuspend);
}

/** Whether the exception that it catches may be one that only the host knows, and is thrown again by other code. */
function needsHost(one: LegacyTry): boolean {
  return isMoved(one) && one.clauses.some(({ tag, isRethrown }) => tag === ALL && isRethrown);
}

function remindsHost({ tag, isRethrown, hasCalls }: CatchClause): boolean {
  return tag === ALL && isRethrown && hasCalls;
}

/** A construct that is open. */
interface Open {
  /** Its depth in the result; branches to it go there. */
  readonly depth: number;
  readonly try: LegacyTry | null;
  /** Whether the code of its clauses is moved. */
  readonly isMoved: boolean;
  /** Depth of the `try` itself in the result. */
  readonly tryDepth: number;
  /** Catch blocks around it. */
  readonly level: number;
  /** Position of the clause that the code is in; -1 in the body. */
  clause: number;
}

interface Surroundings {
  readonly module: BinaryModule;
  readonly editor: ModuleEditor;
  readonly values: TagValues;
  readonly host: HostFunctions | null;
  /** A list for the current instruction. */
  readonly operation: Operations;
}

class MovingFunction {
  readonly #module: BinaryModule;
  readonly #editor: ModuleEditor;
  readonly #values: TagValues;
  readonly #host: HostFunctions | null;
  readonly #index: number;
  readonly #tries: readonly LegacyTry[];
  readonly #reader: InstructionReader;
  readonly #out = new Writer(1024);
  readonly #open: Open[] = [];
  readonly #operation: Operations;
  #locals!: ExceptionLocals;
  #nextTry = 0;
  #depth = 0;

  constructor({ module, editor, values, host, operation }: Surroundings, index: number, tries: readonly LegacyTry[]) {
    this.#module = module;
    this.#editor = editor;
    this.#values = values;
    this.#host = host;
    this.#operation = operation;
    this.#index = index;
    this.#tries = tries;
    this.#reader = new InstructionReader(module.bytes);
  }

  /** Locals and code. */
  write(): Uint8Array {
    const { start, end } = functionBody(this.#module, this.#index);
    const reader = this.#reader;
    reader.enterBody(start, end);
    const codeStart = reader.position;
    const declared = reader.locals().reduce((total, { count }) => total + count, 0);
    const { params } = functionType(this.#module, this.#index);
    this.#locals = new ExceptionLocals(params.length + declared, this.#values);
    this.#openPlain();
    while (reader.next()) this.#instruction();
    const { types } = this.#locals;
    const whole = new Writer(this.#out.length + 64);
    const declarations = new Reader(this.#module.bytes, start, codeStart);
    whole.u32(declarations.u32() + types.length);
    whole.bytes(this.#module.bytes, declarations.position, codeStart);
    for (const type of types) {
      whole.u32(1);
      writeValueType(whole, type);
    }
    whole.bytes(this.#out.view());
    return whole.view();
  }

  #instruction(): void {
    const reader = this.#reader;
    const kind = op.KIND_OF[reader.opcode]!;
    if (kind === op.TRY) return this.#openTry();
    if (kind === op.CATCH) return this.#catch();
    if (kind === op.DELEGATE) return this.#delegate();
    if (kind === op.RETHROW) return this.#rethrow();
    if (kind >= op.BR && kind <= op.BR_ON_CAST) return this.#relabel(kind, (target) => target.depth);
    this.#copy();
    if (kind === op.END) this.#close();
    else if (kind >= op.BLOCK && kind <= op.TRY_TABLE) this.#openPlain();
    return undefined;
  }

  #copy(): void {
    const { bytes, start, position } = this.#reader;
    this.#out.bytes(bytes, start, position);
  }

  #openPlain(): void {
    const depth = this.#depth++;
    this.#open.push({ depth, try: null, isMoved: false, tryDepth: depth, level: this.#level(), clause: -1 });
  }

  /** Of what is opened now. */
  #level(): number {
    const around = this.#open.at(-1);
    return around ? around.level + (around.clause < 0 ? 0 : 1) : 0;
  }

  #close(): void {
    this.#open.pop();
    this.#depth--;
  }

  #openTry(): void {
    const opened = this.#tries[this.#nextTry++]!;
    const { type, clauses } = opened;
    const depth = this.#depth;
    const moved = isMoved(opened);
    const tryDepth = moved ? depth + clauses.length + 1 : depth;
    this.#open.push({ depth, try: opened, isMoved: moved, tryDepth, level: this.#level(), clause: -1 });
    this.#depth = tryDepth + 1;
    if (!moved) return this.#copy();
    this.#writeBlock(BLOCK, type);
    for (const { values } of clauses.toReversed()) this.#writeBlock(BLOCK, { params: type.params, results: values });
    return this.#writeBlock(TRY, type);
  }

  #catch(): void {
    const open = this.#open.at(-1)!;
    const clause = open.try!.clauses[++open.clause]!;
    if (!open.isMoved) {
      this.#copy();
      if (this.#host && remindsHost(clause)) this.#setThrown(this.#host, open.level);
      return;
    }
    if (open.clause === 0) this.#leaveTry(open);
    this.#byteAndIndex(BR, this.#depth - 1 - open.depth);
    this.#endBlock();
    if (clause.isRethrown && clause.tag !== ALL) {
      this.#setValues(clause.tag, open.level);
      this.#getValues(clause.tag, open.level);
    }
  }

  /** The clauses of the `try` that stays: they lead to the blocks around it. */
  #leaveTry({ try: ended, level }: Open): void {
    for (const [position, clause] of ended!.clauses.entries()) {
      if (clause.tag !== ALL) {
        this.#byteAndIndex(CATCH, clause.tag);
      } else {
        if (clause.isRethrown) this.#catchKnown(ended!, position, level);
        this.#out.u8(CATCH_ALL);
        if (clause.isRethrown) {
          this.#setThrown(this.#host!, level);
          this.#setTag(0, level);
        }
      }
      this.#byteAndIndex(BR, position + 1);
    }
    this.#endBlock();
  }

  /** Clauses for the tags of the module that have none: each remembers what it has caught. */
  #catchKnown({ clauses }: LegacyTry, position: number, level: number): void {
    for (const tag of this.#values.tags.keys()) {
      if (clauses.some((other) => other.tag === tag)) continue;
      this.#byteAndIndex(CATCH, tag);
      this.#setValues(tag, level);
      this.#setTag(tag + 1, level);
      this.#byteAndIndex(BR, position + 1);
    }
  }

  #delegate(): void {
    this.#close();
    // Exceptions of a body go to the `try` that it is in, those of a clause to what is around.
    this.#relabel(op.DELEGATE, (target) => (target.clause < 0 ? target.tryDepth : target.depth));
  }

  #rethrow(): void {
    const target = this.#open.at(-1 - this.#reader.index())!;
    const clause = target.try!.clauses[target.clause]!;
    const { level } = target;
    const locals = this.#locals;
    if (!target.isMoved) {
      if (this.#host && remindsHost(clause)) {
        this.#byteAndIndex(LOCAL_GET, locals.thrown(level));
        this.#byteAndIndex(CALL, this.#host.remember);
      }
      this.#relabel(op.RETHROW, ({ depth }) => depth);
    } else if (clause.tag !== ALL) {
      this.#getValues(clause.tag, level);
      this.#byteAndIndex(THROW, clause.tag);
    } else {
      this.#byteAndIndex(LOCAL_GET, locals.tag(level));
      for (const place of this.#values.places.keys()) this.#byteAndIndex(LOCAL_GET, locals.value(level, place));
      this.#byteAndIndex(LOCAL_GET, locals.thrown(level));
      this.#byteAndIndex(CALL, this.#host!.rethrow);
      this.#out.u8(UNREACHABLE);
    }
  }

  /** Takes what a tag carries from the stack. */
  #setValues(tag: number, level: number): void {
    for (const place of this.#values.placesOf(tag).toReversed()) {
      this.#byteAndIndex(LOCAL_SET, this.#locals.value(level, place));
    }
  }

  #getValues(tag: number, level: number): void {
    const carried = this.#values.tags[tag]!;
    for (const [position, place] of this.#values.placesOf(tag).entries()) {
      this.#byteAndIndex(LOCAL_GET, this.#locals.value(level, place));
      if (!isDefaultable(carried[position]!)) this.#out.u8(REF_AS_NON_NULL);
    }
  }

  #setTag(value: number, level: number): void {
    this.#out.u8(I32_CONST);
    this.#out.s32(value);
    this.#byteAndIndex(LOCAL_SET, this.#locals.tag(level));
  }

  #setThrown({ caught }: HostFunctions, level: number): void {
    this.#byteAndIndex(CALL, caught);
    this.#byteAndIndex(LOCAL_SET, this.#locals.thrown(level));
  }

  #writeBlock(start: number, type: FunctionType): void {
    this.#out.u8(start);
    this.#out.s33(this.#editor.type(type));
  }

  #endBlock(): void {
    this.#out.u8(END);
    this.#depth--;
  }

  #byteAndIndex(byte: number, index: number): void {
    this.#out.u8(byte);
    this.#out.u32(index);
  }

  /** Copies the instruction; `depthOf` is where a label leads in the result. */
  #relabel(kind: number, depthOf: (target: Open) => number): void {
    const reader = this.#reader;
    const operation = this.#operation;
    operation.kind[0] = kind;
    operation.start[0] = reader.start;
    operation.end[0] = reader.position;
    copyWithLabels(this.#out, operation, 0, {
      bytes: reader.bytes,
      translate: (label) => this.#depth - 1 - depthOf(this.#open.at(-1 - label)!),
    });
  }
}
