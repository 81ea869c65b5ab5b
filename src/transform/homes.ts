/**
 * Decides in which local each kept operand is found when the frame is saved, and where the code has to put it there.
 *
 * - A copy of a local that is not written meanwhile is in that local, at no cost.
 * - A constant is made again.
 * - Anything else gets a local of its own, set right after the instruction that produced it:
 *
 *       local.tee $t                       ;; one result
 *       local.set $t1  local.set $t0       ;; several results, or the parameters of a construct
 *       local.get $t0  local.get $t1
 *
 * These locals are shared by all operands of the same type at the same height of the stack, so there are few.
 */

import { heapTypeOf, isDefaultable, referenceType } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import { hasSites } from "./function-shape.ts";
import type { Construct, FunctionShape, OperandGroup } from "./function-shape.ts";
import type { Operations } from "./operations.ts";

/** Locals that are set at one place in the code. */
export interface Insertion {
  /** Offset in the module: behind the producing instruction. */
  readonly position: number;
  readonly homes: readonly number[];
  /** Their types as operands; the locals may be of the nullable type. */
  readonly types: readonly ValueType[];
}

export interface Homes {
  /** Types of all locals: parameters, locals, then the new ones; references are nullable except in parameters. */
  readonly locals: readonly ValueType[];
  /** In the order of the code. */
  readonly insertions: readonly Insertion[];
}

/** The type of a local that holds operands of `type`: a non-null reference has no default value. */
export function storableType(type: ValueType): ValueType {
  return isDefaultable(type) ? type : referenceType(true, heapTypeOf(type));
}

export function findHomes(shape: FunctionShape, operations: Operations): Homes {
  const locals = shape.locals.map((type) => storableType(type));
  const known = new Map<string, number>();
  const insertions = new Map<number, Insertion>();

  const homeFor = (stackIndex: number, type: ValueType): number => {
    // References that can be null have other homes, so that these are not null once they were set.
    const key = `${stackIndex} ${type}`;
    let home = known.get(key);
    if (home === undefined) known.set(key, (home = locals.push(storableType(type)) - 1));
    return home;
  };
  const keepGroup = ({ position, base, types }: OperandGroup): readonly number[] => {
    const homes = types.map((type, index) => homeFor(base + index, type));
    insertions.set(position, { position, homes, types });
    return homes;
  };

  for (const construct of shape.constructs) {
    const { params: types, height: base, bodyStart, elseOperation } = construct;
    if (!hasSites(construct) || types.length === 0) continue;
    construct.paramHomes = keepGroup({ position: bodyStart, base, types });
    if (elseOperation >= 0) keepGroup({ position: operations.end[elseOperation]!, base, types });
  }
  for (const operand of shape.keptOperands) {
    if (operand.copyOf >= 0) {
      operand.home = operand.copyOf;
    } else if (!operand.constant) {
      const { producedAt: position, producedType: type } = operand;
      operand.home = homeFor(operand.stackIndex, type);
      if (operand.group) keepGroup(operand.group);
      else {
        const { home } = operand;
        insertions.set(position, { position, homes: [home], types: [type] });
      }
    }
  }
  return { locals, insertions: [...insertions.values()].toSorted((a, b) => a.position - b.position) };
}

/**
 * Homes of everything that lies on the stack when a site is reached, enclosing constructs included, and of what a resume
 * copy needs to enter these: parameters have to be there, if only as zeros, which some references cannot be.
 */
export class SiteHomes {
  readonly #shape: FunctionShape;
  /** Construct → the homes that it adds for sites in it. */
  readonly #own: readonly (readonly number[])[];
  /** Construct → the innermost of it and those around it that adds some; -1 for none. Most add nothing, so most are passed over. */
  readonly #adding: Int32Array;

  constructor(shape: FunctionShape) {
    this.#shape = shape;
    this.#own = shape.constructs.map((construct) => ownHomes(construct));
    this.#adding = new Int32Array(shape.constructs.length);
    // A construct comes after those around it.
    for (const [index, { parent }] of shape.constructs.entries()) {
      this.#adding[index] = this.#own[index]!.length > 0 ? index : this.#addingFrom(parent);
    }
  }

  visit(site: number, visit: (home: number) => void): void {
    const { operands, construct } = this.#shape.sites[site]!;
    for (const { home } of operands) if (home >= 0) visit(home);
    for (let around = this.#addingFrom(construct); around >= 0;) {
      for (const home of this.#own[around]!) visit(home);
      around = this.#addingFrom(this.#shape.constructs[around]!.parent);
    }
  }

  #addingFrom(construct: number): number {
    return construct < 0 ? -1 : this.#adding[construct]!;
  }
}

const NONE: readonly number[] = [];

function ownHomes({ operands, params, paramHomes }: Construct): readonly number[] {
  if (operands.length === 0 && params.length === 0) return NONE;
  const homes = operands.map(({ home }) => home).filter((home) => home >= 0);
  for (const [position, type] of params.entries()) {
    const home = paramHomes[position] ?? -1;
    if (!isDefaultable(type) && home >= 0) homes.push(home);
  }
  return homes;
}
