/**
 * The operand stack of a function while it is analysed: types, and where each value could be found again.
 *
 * A value that is on the stack while the function is suspended has to be in a local when the frame is saved. Many are
 * there already (`local.get x`) or can be made again (`i32.const 7`); only the rest need a local of their own.
 */

import type { Range } from "../binary/instructions.ts";
import { malformed } from "../binary/reader.ts";
import type { ValueType } from "../binary/value-types.ts";
import type { KeptOperand, OperandGroup } from "./function-shape.ts";

const NOT_COPIED = -1;

export class OperandStack {
  height = 0;
  readonly #types: ValueType[] = [];
  /** Types when the values were pushed: see {@link retype}. */
  readonly #producedTypes: ValueType[] = [];
  readonly #producedAt: number[] = [];
  /** Local the value is a copy of. */
  readonly #copyOf: number[] = [];
  /** Local → number of the last write to it, and value → number of the last write to any local when it was pushed. */
  readonly #writtenAt: number[] = [];
  readonly #pushedAt: number[] = [];
  #writes = 0;
  /** Offset of the constant instruction; -1 for other values. */
  readonly #constantAt: number[] = [];
  readonly #groups: (OperandGroup | null)[] = [];
  /** The value as a kept operand, once something asked for it. */
  readonly #kept: (KeptOperand | null)[] = [];

  push(type: ValueType, producedAt: number): void {
    const top = this.height++;
    this.#types[top] = type;
    this.#producedTypes[top] = type;
    this.#producedAt[top] = producedAt;
    this.#copyOf[top] = NOT_COPIED;
    this.#constantAt[top] = -1;
    this.#groups[top] = null;
    this.#kept[top] = null;
  }

  pushCopy(type: ValueType, local: number, producedAt: number): void {
    this.push(type, producedAt);
    this.#copyOf[this.height - 1] = local;
    this.#pushedAt[this.height - 1] = this.#writes;
  }

  pushConstant(type: ValueType, { start, end }: Range): void {
    this.push(type, end);
    this.#constantAt[this.height - 1] = start;
  }

  /** Pushes what one instruction, or the start of a construct, puts on the stack. */
  pushAll(types: readonly ValueType[], position: number): void {
    if (types.length === 1) return this.push(types[0]!, position);
    const group = { position, base: this.height, types };
    for (const type of types) {
      this.push(type, position);
      this.#groups[this.height - 1] = group;
    }
  }

  /** Like {@link pushAll}, as a group also when there is only one. */
  pushGroup(types: readonly ValueType[], position: number): void {
    const group = { position, base: this.height, types };
    this.pushAll(types, position);
    for (let index = group.base; index < this.height; index++) this.#groups[index] = group;
  }

  pop(count = 1): void {
    this.height -= count;
    if (this.height < 0) throw malformed("enough operands on the stack", this.#producedAt[0] ?? 0);
  }

  /** The type of the value `depth` below the top. */
  typeAt(depth = 0): ValueType {
    return this.#types[this.height - 1 - depth]!;
  }

  /**
   * Gives the values from `depth` below the top downwards other types, the last of `types` to the topmost: a conditional branch leaves
   * its operands with the types of its label.
   */
  retype(types: readonly ValueType[], depth: number): void {
    for (const [position, type] of types.entries()) {
      const index = this.height - depth - types.length + position;
      if (this.#types[index] === type) continue;
      this.#types[index] = type;
      // What was kept before has the narrower type, on which the code up to here depends. Both have the same home.
      this.#kept[index] = null;
    }
  }

  /** A local is written: what was a copy of it no longer is. */
  forgetCopies(local: number): void {
    this.#writtenAt[local] = ++this.#writes;
  }

  /** The values from stack position `from` to the top, which have to survive a suspension. New ones go to `all`. */
  keep(from: number, all: KeptOperand[]): KeptOperand[] {
    const kept: KeptOperand[] = [];
    for (let index = from; index < this.height; index++) {
      this.#checkCopy(index);
      let operand = this.#kept[index] ?? null;
      if (!operand) {
        operand = this.#describe(index);
        this.#kept[index] = operand;
        all.push(operand);
      }
      kept.push(operand);
    }
    return kept;
  }

  /** Sites that kept it before the local was written can go on to find it there, but all of them share one description. */
  #checkCopy(index: number): void {
    const local = this.#copyOf[index]!;
    if (local === NOT_COPIED || (this.#writtenAt[local] ?? 0) <= this.#pushedAt[index]!) return;
    this.#copyOf[index] = NOT_COPIED;
    const kept = this.#kept[index];
    if (kept) kept.copyOf = NOT_COPIED;
  }

  #describe(index: number): KeptOperand {
    const constantAt = this.#constantAt[index]!;
    const producedAt = this.#producedAt[index]!;
    return {
      type: this.#types[index]!,
      stackIndex: index,
      producedAt,
      producedType: this.#producedTypes[index]!,
      group: this.#groups[index]!,
      copyOf: this.#copyOf[index]!,
      constant: constantAt < 0 ? null : { start: constantAt, end: producedAt },
      home: -1,
    };
  }
}
