/**
 * Reads one function, forward and once: the operations that matter, the type of every value on the operand stack, the
 * sites with what lies below them, and the regions they are in.
 *
 * Code that cannot be reached is left out of the operations, so nothing after it is ever of unknown type. Nesting is a
 * stack of {@link Level}s, not recursion: Go and LLVM nest hundreds of blocks.
 */

import { InstructionReader } from "../binary/instructions.ts";
import { functionBody, functionType } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import type { FunctionType } from "../binary/extern-types.ts";
import { OPCODES, opcode } from "../binary/opcodes.ts";
import type { ValueType } from "../binary/value-types.ts";
import { calledType, isDirect, isTailSite } from "./calls.ts";
import type { SuspendableCalls } from "./calls.ts";
import type { Construct, FunctionShape, KeptOperand, Point, Site } from "./function-shape.ts";
import { MAX_CONSTRUCTS, MAX_OPERANDS } from "./limits.ts";
import * as op from "./operations.ts";
import type { Operations } from "./operations.ts";
import { OperandStack } from "./operand-stack.ts";
import type { Refuse } from "./refusal.ts";
import { BY_IMMEDIATES, POPS, PUSHES, resultType } from "./stack-effects.ts";
import { TypingRules } from "./typing-rules.ts";

/** An open construct, or the function. */
interface Level {
  readonly kind: number;
  /** Number of the construct; -1 for the function. */
  readonly construct: number;
  /** Height of the operand stack below its parameters. */
  readonly height: number;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
  /** The region that the current instruction is in. */
  region: number;
  /** Whether an exception thrown here may be caught in this function. */
  readonly inTry: boolean;
}

const CATCH_ALL = opcode("catch_all");
export class FunctionAnalysis {
  readonly #module: BinaryModule;
  readonly #calls: SuspendableCalls;
  readonly #operations: Operations;
  readonly #refuse: Refuse;
  readonly #reader: InstructionReader;
  readonly #rules: TypingRules;

  #type: FunctionType = { params: [], results: [] };
  #index = 0;
  #locals: ValueType[] = [];
  readonly #stack = new OperandStack();
  #levels: Level[] = [];
  #constructs: Construct[] = [];
  #regions: Point[][] = [];
  #sites: Site[] = [];
  #operandCount = 0;
  #kept: KeptOperand[] = [];
  #outlinedTypes: FunctionType[] = [];
  #hasHandlers = false;
  /** The function must not suspend: nothing of it has to come back, but every site is checked. */
  #isGuarded = false;
  /** The current instruction never goes on to the next. */
  #jumped = false;

  constructor(module: BinaryModule, calls: SuspendableCalls, operations: Operations, refuse: Refuse) {
    this.#module = module;
    this.#calls = calls;
    this.#operations = operations;
    this.#refuse = refuse;
    this.#reader = new InstructionReader(module.bytes);
    this.#rules = new TypingRules(module, this.#reader);
  }

  /** Fills the list of operations; null when the function has no site. `isGuarded`: it must not suspend, see guard.ts. */
  analyze(index: number, isGuarded = false): FunctionShape | null {
    const body = functionBody(this.#module, index);
    const reader = this.#reader;
    this.#start(index);
    this.#isGuarded = isGuarded;
    reader.enterBody(body.start, body.end);
    const codeStart = reader.position;
    for (const { count, type } of reader.locals()) for (let n = 0; n < count; n++) this.#locals.push(type);
    this.#operations.reset(body.end - body.start);
    let more = reader.next();
    while (more) {
      this.#step();
      more = this.#jumped ? this.#skipUnreachable() : reader.next();
    }
    if (this.#sites.length === 0) return null;
    return {
      index,
      type: this.#type,
      body,
      codeStart,
      locals: this.#locals,
      constructs: this.#constructs,
      regions: this.#regions,
      sites: this.#sites,
      keptOperands: this.#kept,
      outlinedTypes: this.#outlinedTypes,
      hasHandlers: this.#hasHandlers,
    };
  }

  #start(index: number): void {
    const type = functionType(this.#module, index);
    this.#index = index;
    this.#type = type;
    this.#locals = [...type.params];
    this.#stack.height = 0;
    this.#constructs = [];
    this.#regions = [[]];
    this.#sites = [];
    this.#operandCount = 0;
    this.#kept = [];
    this.#outlinedTypes = [];
    this.#hasHandlers = false;
    this.#jumped = false;
    this.#levels = [
      { kind: op.BLOCK, construct: -1, height: 0, params: [], results: type.results, region: 0, inTry: false },
    ];
  }

  /** Moves to the instruction that ends the arm of code in which the last instruction jumped. */
  #skipUnreachable(): boolean {
    const reader = this.#reader;
    const { depth } = reader;
    this.#jumped = false;
    while (reader.next()) {
      const kind = op.KIND_OF[reader.opcode]!;
      if (reader.depth < depth) return true;
      if (reader.depth === depth && (kind === op.ELSE || kind === op.CATCH)) return true;
    }
    return false;
  }

  #add(kind: number, argument: number): void {
    const operations = this.#operations;
    const position = operations.length++;
    operations.kind[position] = kind;
    operations.start[position] = this.#reader.start;
    operations.end[position] = this.#reader.position;
    operations.argument[position] = argument;
    operations.depth[position] = this.#levels.length;
  }

  #step(): void {
    const reader = this.#reader;
    const kind = op.KIND_OF[reader.opcode]!;
    if (kind === op.SIMPLE) {
      this.#simple();
    } else if (kind <= op.TRY) {
      this.#open(kind);
    } else if (kind <= op.DELEGATE) {
      this.#divideOrClose(kind);
    } else if (kind <= op.BR_ON_CAST) {
      this.#branch(kind);
    } else if (kind <= op.RETURN_CALL) {
      this.#leave(kind);
    } else {
      this.#other(kind);
    }
  }

  #simple(): void {
    const reader = this.#reader;
    const stack = this.#stack;
    stack.pop(POPS[reader.opcode]);
    const type = PUSHES[reader.opcode]!;
    if (type === BY_IMMEDIATES) stack.push(resultType(this.#module, reader, this.#locals), reader.position);
    else if (type !== 0) stack.push(type, reader.position);
  }

  #other(kind: number): void {
    const reader = this.#reader;
    const stack = this.#stack;
    switch (kind) {
      case op.LOCAL_GET: {
        const local = reader.index();
        this.#add(kind, local);
        return stack.pushCopy(this.#locals[local]!, local, reader.position);
      }
      case op.LOCAL_SET:
      case op.LOCAL_TEE: {
        const local = reader.index();
        this.#add(kind, local);
        stack.pop();
        stack.forgetCopies(local);
        if (kind === op.LOCAL_TEE) stack.pushCopy(this.#locals[local]!, local, reader.position);
        return undefined;
      }
      case op.CONSTANT: {
        const fixed = PUSHES[reader.opcode]!;
        const type = fixed === BY_IMMEDIATES ? resultType(this.#module, reader, this.#locals) : fixed;
        return stack.pushConstant(type, { start: reader.start, end: reader.position });
      }
      case op.CALL:
        return this.#call();
      case op.SEGMENT:
        return this.#segment();
      case op.REF_FUNC:
        this.#add(kind, reader.index());
        return this.#simple();
      case op.OPERAND:
        return this.#rules.operand(stack);
      case op.FIELDS:
        return this.#rules.fields(stack);
      case op.WIDE: {
        const { operands, results } = OPCODES[reader.opcode]!.effect!;
        stack.pop(operands.length);
        // Only the instructions for 128-bit arithmetic.
        return stack.pushAll(Array<ValueType>(results.length).fill(PUSHES[reader.opcode]!), reader.position);
      }
      default:
        return this.#refuse(this.#index, reader.opcode, "it is not supported");
    }
  }

  #segment(): void {
    const stack = this.#stack;
    const count = POPS[this.#reader.opcode]!;
    const params = Array.from({ length: count }, (_, position) => stack.typeAt(count - 1 - position));
    this.#add(op.SEGMENT, this.#outlinedTypes.length);
    this.#simple();
    const results = PUSHES[this.#reader.opcode] === 0 ? [] : [stack.typeAt()];
    this.#outlinedTypes.push({ params, results });
  }

  #call(): void {
    const reader = this.#reader;
    const stack = this.#stack;
    const called = calledType(this.#module, reader);
    const level = this.#levels.at(-1)!;
    const params = isDirect(reader.opcode) ? called.params : [...called.params, stack.typeAt()];
    stack.pop(params.length);
    if (this.#calls.maySuspend(reader)) this.#addSite(level, { params, results: called.results });
    else if (level.inTry) this.#add(op.CALL, 0);
    stack.pushAll(called.results, reader.position);
  }

  #addSite(level: Level, { params, results }: FunctionType): void {
    const isElidable = !level.inTry && !this.#isGuarded;
    if (isElidable && isTailSite(this.#reader, this.#levels.length === 1, [results, this.#type.results])) {
      this.#add(op.SITE, -1);
      return;
    }
    if (level.inTry) this.#hasHandlers = true;
    if (level.region < 0 && !this.#isGuarded) {
      this.#refuse(this.#index, this.#reader.opcode, "it may suspend in a catch block of the legacy exception form");
    }
    const operands = this.#isGuarded ? [] : this.#stack.keep(level.height, this.#kept);
    this.#operandCount += operands.length;
    if (this.#operandCount > MAX_OPERANDS)
      this.#refuse(this.#index, this.#reader.opcode, "too much lies below such calls");
    this.#regions[level.region]?.push(this.#sites.length);
    this.#add(op.SITE, this.#sites.length);
    this.#sites.push({
      operation: this.#operations.length - 1,
      operands,
      params,
      results,
      construct: level.construct,
    });
  }

  #open(kind: number): void {
    const reader = this.#reader;
    const stack = this.#stack;
    const parent = this.#levels.at(-1)!;
    const { params, results } = this.#rules.blockType();
    if (kind === op.IF) stack.pop();
    stack.pop(params.length);
    const construct = this.#constructs.length;
    if (construct === MAX_CONSTRUCTS)
      this.#refuse(this.#index, reader.opcode, `there are more than ${construct} blocks`);
    const region = this.#regions.push([]) - 1;
    this.#constructs.push({
      kind,
      parent: parent.construct,
      inLoop: kind === op.LOOP || this.#constructs[parent.construct]?.inLoop === true,
      params,
      results,
      height: stack.height,
      bodyStart: reader.position,
      start: this.#operations.length,
      elseOperation: -1,
      endOperation: -1,
      firstSite: this.#sites.length,
      elseSite: this.#sites.length,
      endSite: this.#sites.length,
      region,
      elseRegion: -1,
      operands: [],
      paramHomes: [],
    });
    this.#add(kind, construct);
    const inTry = parent.inTry || kind === op.TRY_TABLE || kind === op.TRY;
    this.#levels.push({
      kind,
      construct,
      height: stack.height,
      params,
      results,
      region: parent.region < 0 ? -1 : region,
      inTry,
    });
    stack.pushGroup(params, reader.position);
  }

  #divideOrClose(kind: number): void {
    const level = this.#levels.at(-1)!;
    if (kind === op.ELSE) return this.#else(level);
    if (kind === op.CATCH) return this.#catch(level);
    return this.#close(kind, level);
  }

  #else(level: Level): void {
    const construct = this.#constructs[level.construct]!;
    construct.elseOperation = this.#operations.length;
    construct.elseSite = this.#sites.length;
    this.#add(op.ELSE, level.construct);
    this.#stack.height = level.height;
    if (level.region >= 0) level.region = construct.elseRegion = this.#regions.push([]) - 1;
    this.#stack.pushGroup(level.params, this.#reader.position);
  }

  #catch(level: Level): void {
    const reader = this.#reader;
    this.#add(op.CATCH, level.construct);
    this.#stack.height = level.height;
    // Sites in here have no region: they are refused.
    level.region = -1;
    if (reader.opcode !== CATCH_ALL) this.#stack.pushAll(this.#rules.tagParams(), reader.position);
  }

  #close(kind: number, level: Level): void {
    const reader = this.#reader;
    this.#add(kind, level.construct);
    this.#levels.pop();
    const parent = this.#levels.at(-1);
    if (!parent) return;
    const construct = this.#constructs[level.construct]!;
    construct.endOperation = this.#operations.length - 1;
    construct.endSite = this.#sites.length;
    if (construct.elseOperation < 0) construct.elseSite = this.#sites.length;
    this.#stack.height = level.height;
    if (construct.endSite > construct.firstSite && !this.#isGuarded) {
      construct.operands = this.#stack.keep(parent.height, this.#kept);
      this.#regions[parent.region]!.push(~level.construct);
    }
    this.#stack.pushAll(level.results, reader.position);
  }

  #branch(kind: number): void {
    const reader = this.#reader;
    const stack = this.#stack;
    this.#add(kind, kind === op.BR_TABLE || kind === op.BR_ON_CAST ? 0 : reader.index());
    if (kind === op.BR || kind === op.BR_TABLE || kind === op.RETHROW) {
      this.#jumped = true;
    } else if (kind === op.BR_IF) {
      stack.pop();
      stack.retype(this.#labelTypes(reader.index()), 0);
    } else if (kind === op.BR_ON_NON_NULL) {
      stack.pop();
      stack.retype(this.#labelTypes(reader.index()).slice(0, -1), 0);
    } else if (kind === op.BR_ON_NULL) {
      stack.retype(this.#labelTypes(reader.index()), 1);
      this.#rules.nonNull(stack);
    } else {
      stack.retype(this.#labelTypes(this.#rules.castLabel()).slice(0, -1), 1);
      this.#rules.castBranch(stack);
    }
  }

  /** What a branch to the label takes along. */
  #labelTypes(label: number): readonly ValueType[] {
    const level = this.#levels.at(-1 - label)!;
    return level.kind === op.LOOP ? level.params : level.results;
  }

  /** In the resume copy it cannot become an ordinary call: the handlers here would catch what it throws. */
  #tailCallInTry(): void {
    const reader = this.#reader;
    const { params } = calledType(this.#module, reader);
    const operands = isDirect(reader.opcode) ? params : [...params, this.#stack.typeAt()];
    this.#add(op.OUTLINED_CALL, this.#outlinedTypes.length);
    this.#outlinedTypes.push({ params: operands, results: [] });
  }

  #leave(kind: number): void {
    if (kind === op.RETURN_CALL && this.#isGuarded && this.#calls.maySuspend(this.#reader)) {
      this.#refuse(this.#index, this.#reader.opcode, "the function is excluded, but what it becomes here may suspend");
    }
    if (kind === op.RETURN_CALL && this.#levels.at(-1)!.inTry) this.#tailCallInTry();
    else this.#add(kind, 0);
    this.#jumped = true;
  }
}
