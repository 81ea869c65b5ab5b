/** One suspended stack of an instance. */

import type { Callee } from "./callee.ts";

/** What a run of the guest came to: its end, or a suspension with the value given to {@link SuspendableInstance.suspend}. */
export type Outcome =
  | { readonly done: true; readonly values: readonly unknown[] }
  | { readonly done: false; readonly value: unknown; readonly stack: SuspendedStack };

/** Exports of the ABI that give the address of an area. */
export type Step = (...parameters: readonly unknown[]) => number;

/** Who has entered the stack, and continues it. */
export interface StackOwner {
  proceed(stack: SuspendedStack, area: number, value: unknown, moreValues: readonly unknown[]): Outcome;
  proceedThrowing(stack: SuspendedStack, area: number, error: unknown): Outcome;
  drop(area: number): void;
  framesOf(area: number): readonly string[];
}

/** The stack of a call that is suspended. It can be continued once; the next suspension makes it usable again. */
export class SuspendedStack<Owner extends StackOwner = StackOwner> {
  protected readonly owner: Owner;
  /** Address of its area; 0 when it is not suspended. */
  area = 0;
  /** The export that continues it. */
  step: Step = notSuspended;
  /** What lies at its bottom; known when it has been suspended. */
  callee: Callee | undefined;

  constructor(owner: Owner) {
    this.owner = owner;
  }

  /** The call of the import that suspended returns these values. */
  resume(value?: unknown, ...more: readonly unknown[]): Outcome {
    return this.owner.proceed(this, takeArea(this), value, more);
  }

  /** The call of the import that suspended throws `error`. */
  throw(error: unknown): Outcome {
    return this.owner.proceedThrowing(this, takeArea(this), error);
  }

  /** Names of the functions whose frames are saved, the innermost first; empty when it is not suspended. */
  get frames(): readonly string[] {
    return this.area === 0 ? [] : this.owner.framesOf(this.area);
  }

  /** Forgets the stack; none of its handlers run. */
  drop(): void {
    this.owner.drop(takeArea(this));
  }
}

function takeArea(stack: SuspendedStack): number {
  const { area } = stack;
  if (area === 0) return notSuspended();
  stack.area = 0;
  return area;
}

function notSuspended(): never {
  throw new Error("Cannot continue the stack: it is not suspended");
}
