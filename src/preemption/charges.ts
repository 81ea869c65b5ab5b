/**
 * Decides where the code of a function pays, and how much.
 *
 * A **charge** lowers the counter by the cost of what follows it. There is one where the function begins and one at each loop, for
 * what runs at most once per arrival there: so no code runs that was not paid for. But a loop around a large `switch` would
 * pay for all its arms every time, and a charge in every arm is slow. Hence code is divided into segments:
 *
 *     …  br_if  |  …  end  |  …  else  |  …          code without a branch out of it or into it
 *
 *     - a segment that always runs after the one that leads to it is paid for by the charge of that one
 *     - one that may be skipped, too, if it is small: up to TOLERANCE for each charge is paid perhaps in vain
 *     - any other has a charge of its own
 *
 * What a program pays is therefore a fixed sum for the same input: at least the instructions that it runs, and not much more.
 */

import type { InstructionReader } from "../binary/instructions.ts";
import { OPCODES, OPCODE_LIMIT, opcode } from "../binary/opcodes.ts";
import type { OpcodeName } from "../binary/opcodes.ts";
import { Constructs } from "./constructs.ts";
import { forEachHandler, forEachLabel, labelOf } from "./labels.ts";

/** Where the counter is lowered, and by how much. */
export interface Charge {
  /** Offset of the instruction before which it stands. */
  readonly position: number;
  readonly cost: number;
  /** Whether the counter is looked at, too: where a function begins and at loops. */
  readonly checks: boolean;
  readonly isInLoop: boolean;
}

/** What a charge may pay in vain. */
const TOLERANCE = 16;

/** As in Wasmtime: what makes no code costs nothing, all else 1. */
const FREE: readonly OpcodeName[] = ["nop", "drop", "block", "loop", "unreachable", "return", "else", "end"];

const COST = new Uint8Array(OPCODE_LIMIT).fill(1);
for (const name of FREE) COST[opcode(name)] = 0;

// What an instruction does to the flow of control.
const PLAIN = 0;
/** Opens a construct that is entered in any case. */
const OPEN = 1;
const LOOP = 2;
const IF = 3;
/** What follows its end may be reached without the rest of its body. */
const TRY = 4;
const TRY_TABLE = 11;
/** `else`, `catch`, `catch_all`. */
const ARM = 5;
const CLOSE = 6;
/** May branch to its label. */
const BRANCH = 7;
const BR = 8;
const BR_TABLE = 9;
/** Leaves the function, or goes to whoever catches. */
const LEAVE = 10;
/** Ends everything: what was paid for the code behind it does not matter then. */
const TRAP = 12;
/** Enters another stack, and may go to any label afterwards. */
const SWITCH = 13;

const FLOW_OF_RULE: Readonly<Record<string, number>> = {
  block: OPEN,
  arm: ARM,
  end: CLOSE,
  branch: BRANCH,
  jump: LEAVE,
  tailcall: LEAVE,
  stack: SWITCH,
};

const FLOW_OF_NAME: Readonly<Partial<Record<OpcodeName, number>>> = {
  loop: LOOP,
  if: IF,
  try: TRY,
  try_table: TRY_TABLE,
  unreachable: TRAP,
  br: BR,
  br_table: BR_TABLE,
};

const FLOW = new Uint8Array(OPCODE_LIMIT);
for (const entry of OPCODES) {
  if (entry) FLOW[entry.number] = FLOW_OF_NAME[entry.name] ?? FLOW_OF_RULE[entry.rule ?? ""] ?? PLAIN;
}

/** A charge whose sum is not known yet. */
interface OpenCharge extends Charge {
  cost: number;
  /** What it may still pay in vain. */
  spare: number;
}

const OPENS = new Set([OPEN, LOOP, IF, TRY, TRY_TABLE]);

/** Takes the instructions of one function after the other, as a reader comes to them. */
export class ChargePlanner {
  readonly #reader: InstructionReader;
  readonly #constructs = new Constructs();
  #charges: OpenCharge[] = [];
  // The segment that is being read.
  #position = 0;
  #cost = 0;
  /** The charge that leads to it; -1: it has its own, and looks at the counter. */
  #leader = -1;
  /** Whether it always runs after its leader. */
  #isCertain = false;

  constructor(reader: InstructionReader) {
    this.#reader = reader;
  }

  /** Charges of the function so far, in the order of the code; complete after its last `end`. */
  get charges(): readonly Charge[] {
    return this.#charges;
  }

  /** The reader is at the first instruction of a function. */
  enterFunction(): void {
    this.#charges = [];
    this.#constructs.enterFunction();
    this.#begin(-1, false);
  }

  /** Takes the current instruction of the reader. */
  step(): void {
    const { opcode: current, start } = this.#reader;
    const flow = FLOW[current]!;
    if (this.#constructs.isDead) {
      if (this.#constructs.skipDead(OPENS.has(flow), flow === CLOSE, flow === ARM)) return;
      this.#position = start;
    }
    this.#cost += COST[current]!;
    if (flow !== PLAIN) this.#flow(flow);
  }

  #flow(flow: number): void {
    const charge = this.#endSegment();
    if (OPENS.has(flow)) this.#open(flow, charge);
    else if (flow === CLOSE) this.#close(charge);
    else if (flow === ARM) this.#begin(this.#constructs.leader, false);
    else if (flow === BRANCH || flow === SWITCH) {
      this.#branch(flow);
      this.#begin(charge, false);
    } else {
      this.#branch(flow);
      this.#begin(charge, true);
      this.#constructs.die();
    }
  }

  #open(flow: number, charge: number): void {
    if (flow === TRY_TABLE) forEachHandler(this.#reader, (label) => this.#constructs.branch(label));
    this.#constructs.open(charge, { isLoop: flow === LOOP, isLinear: flow === OPEN });
    this.#begin(flow === LOOP ? -1 : charge, flow !== IF);
  }

  #close(charge: number): void {
    const { leader, isLinear, isCertain } = this.#constructs.close();
    if (isLinear) this.#begin(charge, true);
    else this.#begin(leader, isCertain);
  }

  #branch(flow: number): void {
    const constructs = this.#constructs;
    if (flow === BR) constructs.branch(this.#reader.index());
    else if (flow === BRANCH) constructs.branch(labelOf(this.#reader));
    else if (flow === BR_TABLE) forEachLabel(this.#reader, (label) => constructs.branch(label));
    else if (flow === LEAVE) constructs.leave();
    else if (flow === SWITCH) constructs.branchAnywhere();
  }

  #begin(leader: number, isCertain: boolean): void {
    this.#position = this.#reader.position;
    this.#cost = 0;
    this.#leader = leader;
    this.#isCertain = isCertain;
  }

  /** Decides who pays for the segment, and returns the charge. */
  #endSegment(): number {
    const cost = this.#cost;
    const leader = this.#charges[this.#leader];
    if (leader !== undefined && (this.#isCertain || cost <= leader.spare)) {
      leader.cost += cost;
      if (!this.#isCertain) leader.spare -= cost;
      return this.#leader;
    }
    const checks = leader === undefined;
    const { isInLoop } = this.#constructs;
    return this.#charges.push({ position: this.#position, cost, checks, isInLoop, spare: TOLERANCE }) - 1;
  }
}
