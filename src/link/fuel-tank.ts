/** Fuel of one instance, or of all the threads of a program. */

/** One of those who use it up: it holds a part, the grant, and knows what it has used of that. */
export interface FuelUser {
  /** Pays what it has used with {@link FuelTank.left}, and holds nothing from then on. */
  settle(): void;
}

/** So many may hold a part of it at once; more have it taken back from all of them: most belong to threads that have ended. */
const MAX_HOLDERS = 64;

export class FuelTank {
  /** What is left, without what holders have used since they were given something; `undefined`: it is not counted. */
  left: number | undefined;
  /** What there was when it was set. */
  limit: number = Infinity;
  /** Those who hold a part → how much. */
  readonly #holders = new Map<FuelUser, number>();
  #held = 0;

  constructor(fuel: number | undefined) {
    this.left = fuel;
    if (fuel !== undefined) this.limit = fuel;
  }

  /** @returns as much of `wanted` as there is, for `user` to hold */
  grant(user: FuelUser, wanted: number): number {
    if (this.left === undefined) return wanted;
    this.giveUp(user);
    if (this.#held + wanted > this.left || this.#holders.size >= MAX_HOLDERS) this.settleAll();
    const grant = Math.min(wanted, this.left);
    this.#holders.set(user, grant);
    this.#held += grant;
    return grant;
  }

  /** It holds nothing any more. */
  giveUp(user: FuelUser): void {
    this.#held -= this.#holders.get(user) ?? 0;
    this.#holders.delete(user);
  }

  /** Takes back what is held: whoever goes on has to ask again. */
  settleAll(): void {
    for (const user of this.#holders.keys()) user.settle();
    this.#holders.clear();
    this.#held = 0;
  }
}
