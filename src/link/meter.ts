/**
 * Decides what happens to a guest whose counter has run out: it goes on, gives way to the event loop, or is ended.
 *
 * The counter in the guest is given a grant of so many counts, and the guest asks again when they are used up: as many as take about a
 * tenth of a slice, so that looking at the clock costs nothing and slices are not much too long. What is left of the fuel is
 *
 *     fuel - (grant - counter)
 *
 * A grant is never more than the fuel, so that it runs out at the same place whatever the grants have been. The threads of a program share
 * their fuel: see fuel-tank.ts.
 */

import { FuelExhaustedError } from "../coroutine/errors.ts";
import { activationOf } from "./activation.ts";
import type { Activation } from "./activation.ts";
import { timeInTurn } from "../platform/event-loop.ts";
import { canGiveWay } from "./giving-way.ts";
import { FuelTank } from "./fuel-tank.ts";
import type { FuelUser } from "./fuel-tank.ts";
import type { Interruption } from "./guest-module.ts";
import { Pause } from "./pause.ts";
import { CURRENT, FLAGS, GUEST, OUTER, SYNCHRONOUS, readWord, words } from "./switchboard.ts";
import { trapFor } from "./uncatchable-trap.ts";

const DEFAULT_SLICE_MS = 5;
const CHECKS_PER_SLICE = 10;
/** The first grant, and the smallest: nothing is known of the guest yet. */
const SMALLEST_GRANT = 100;
const LARGEST_GRANT = 2 ** 28;
/** A grant is at most so many times the one before: the guest may be about to do something slower. */
const GROWTH = 4;

/** What the meter has to know of a linked guest. */
export interface MeteredInstance {
  readonly counter: WebAssembly.Global;
  /** Address of the guest's block in the switchboard. */
  readonly guest: number;
}

export class Meter implements FuelUser {
  readonly #sliceMs: number;
  #instance: MeteredInstance | undefined;
  readonly #tank: FuelTank;
  #grant = 0;
  #wanted = SMALLEST_GRANT;
  #grantedAt = 0;

  /** @throws {RangeError} when an option is out of range */
  constructor({ sliceMs = DEFAULT_SLICE_MS, fuel }: Interruption, tank?: FuelTank) {
    if (!(typeof sliceMs === "number" && sliceMs > 0)) {
      throw new RangeError(`Cannot make guest interruptible: sliceMs must be more than 0, received ${String(sliceMs)}`);
    }
    this.#sliceMs = sliceMs;
    this.#tank = tank ?? new FuelTank(fuel === undefined ? undefined : requireFuel(fuel));
  }

  /** For the meters of further threads. */
  get tank(): FuelTank {
    return this.#tank;
  }

  /** Binds it to its guest, which has not run yet. */
  attach(instance: MeteredInstance): void {
    this.#instance = instance;
    this.#give();
  }

  /** What is left; `undefined` when it is not counted. */
  get fuel(): number | undefined {
    const tank = this.#tank;
    if (tank.left === undefined) return undefined;
    tank.settleAll();
    return Math.max(0, tank.left);
  }

  /** @throws {TypeError} when it is not counted */
  set fuel(fuel: number | bigint) {
    const tank = this.#tank;
    if (tank.left === undefined) {
      throw new TypeError("Cannot set fuel: it is not counted; instantiate the guest with interruptible: { fuel }");
    }
    const amount = requireFuel(fuel);
    tank.settleAll();
    tank.limit = tank.left = amount;
    this.#give();
  }

  /**
   * What the guest has returned, unless it has used more than there was: it may find that out only now.
   *
   * @throws {FuelExhaustedError} if it has
   */
  settled<Result>(result: Result): Result {
    const { left } = this.#tank;
    if (left === undefined || left >= this.#used) return result;
    throw this.#exhaust();
  }

  /** What the guest imports: called when its counter is below 0. Throws to end it. */
  readonly refuel = (): Pause | undefined => {
    const used = this.#used;
    const { left } = this.#tank;
    if (left !== undefined) {
      if (left < used) throw trapFor(this.#exhaust());
      this.#tank.left = left - used;
    }
    const now = performance.now();
    this.#adapt(used, now);
    this.#give();
    const interruption = this.#interrupted()?.interruption(now);
    if (interruption !== undefined) throw interruption.error;
    return timeInTurn(now) >= this.#sliceMs && this.#canGiveWay ? new Pause() : undefined;
  };

  #exhaust(): FuelExhaustedError {
    this.#tank.settleAll();
    this.#tank.left = 0;
    this.#give();
    return new FuelExhaustedError(this.#tank.limit);
  }

  get #used(): number {
    return this.#grant - (this.#instance?.counter.value as number);
  }

  settle(): void {
    const { left } = this.#tank;
    if (left !== undefined) this.#tank.left = left - this.#used;
    this.#grant = 0;
    if (this.#instance !== undefined) this.#instance.counter.value = 0;
  }

  #give(): void {
    this.#grant = this.#tank.grant(this, this.#wanted);
    if (this.#instance !== undefined) this.#instance.counter.value = this.#grant;
  }

  /** What others have done meanwhile, or the host, makes a grant smaller than it could be, for a moment. */
  #adapt(used: number, now: number): void {
    const wanted = (used / (now - this.#grantedAt)) * (this.#sliceMs / CHECKS_PER_SLICE);
    const most = Math.min(LARGEST_GRANT, this.#wanted * GROWTH);
    this.#wanted = Math.floor(Math.min(most, Math.max(SMALLEST_GRANT, this.#wanted / GROWTH, wanted)));
    this.#grantedAt = now;
  }

  /** The activation that is interrupted, or on whose behalf a synchronous call is. */
  #interrupted(): Activation | undefined {
    let record = words[CURRENT >> 2]!;
    while (record !== 0 && (readWord(record, FLAGS) & SYNCHRONOUS) !== 0) record = readWord(record, OUTER);
    return record === 0 ? undefined : activationOf(record);
  }

  /** Nobody waits on the native stack for the guest to return, as far as is known here. */
  get #canGiveWay(): boolean {
    return canGiveWay() && readWord(words[CURRENT >> 2]!, GUEST) === this.#instance?.guest;
  }
}

function requireFuel(fuel: number | bigint): number {
  const amount = typeof fuel === "bigint" ? Number(fuel) : fuel;
  if (typeof amount === "number" && amount >= 0 && (Number.isInteger(amount) || amount === Infinity)) return amount;
  throw new RangeError(`Cannot set fuel: expected an integer from 0, or Infinity, received ${String(fuel)}`);
}
