/** The constructs that are open where a function is being read: which charges lead to them, and which branches leave them. */

interface Construct {
  /** The charge that pays for what leads to it. */
  readonly leader: number;
  readonly isLoop: boolean;
  /** Whether what follows its end follows what is before its end, as long as nothing branches there. */
  readonly isLinear: boolean;
  isTarget: boolean;
  /** Number of constructs around the outermost one that a branch inside goes to. */
  outermost: number;
}

/** What follows a construct that was closed. */
export interface Closed {
  readonly leader: number;
  /** Only its own end leads there. */
  readonly isLinear: boolean;
  /** Nothing inside goes past it. */
  readonly isCertain: boolean;
}

export class Constructs {
  readonly #open: Construct[] = [];
  #loops = 0;
  /** Constructs inside the innermost open one in code that is never reached; -1: it is reached. */
  #dead = -1;

  /** Forgets all, and opens the function. */
  enterFunction(): void {
    this.#open.length = 0;
    this.#loops = 0;
    this.#dead = -1;
    this.open(-1, { isLoop: false, isLinear: false });
  }

  get isInLoop(): boolean {
    return this.#loops > 0;
  }

  /** Of the innermost open one. */
  get leader(): number {
    return this.#open.at(-1)!.leader;
  }

  open(leader: number, { isLoop, isLinear }: Pick<Construct, "isLoop" | "isLinear">): void {
    if (isLoop) this.#loops++;
    this.#open.push({ leader, isLoop, isLinear, isTarget: false, outermost: Infinity });
  }

  close(): Closed {
    const { leader, isLoop, isLinear, isTarget, outermost } = this.#open.pop()!;
    if (isLoop) this.#loops--;
    const around = this.#open.at(-1);
    if (around !== undefined) around.outermost = Math.min(around.outermost, outermost);
    return { leader, isLinear: isLinear && !isTarget, isCertain: outermost >= this.#open.length };
  }

  /** Notes a branch to a label. */
  branch(label: number): void {
    const target = this.#open.length - 1 - label;
    const construct = this.#open[target];
    if (construct !== undefined) construct.isTarget = true;
    const innermost = this.#open.at(-1)!;
    innermost.outermost = Math.min(innermost.outermost, target);
  }

  /** Notes that something may go to any label. */
  branchAnywhere(): void {
    for (const construct of this.#open) construct.isTarget = true;
    this.leave();
  }

  /** Notes that something leaves the function. */
  leave(): void {
    this.#open.at(-1)!.outermost = -1;
  }

  /** What follows is never reached, up to the end of the innermost open one or of its arm. */
  die(): void {
    this.#dead = 0;
  }

  get isDead(): boolean {
    return this.#dead >= 0;
  }

  /** Takes an instruction that is never reached, and whether it still is none to look at. */
  skipDead(opens: boolean, closes: boolean, isArm: boolean): boolean {
    if (opens) this.#dead++;
    else if (closes && this.#dead > 0) this.#dead--;
    else if (this.#dead === 0 && (closes || isArm)) {
      this.#dead = -1;
      return false;
    }
    return true;
  }
}
