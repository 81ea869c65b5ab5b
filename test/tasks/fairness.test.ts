/** Who is served next, compared with a model: a list of those who wait, in their order, of whom any may give up at any time. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import * as fc from "fast-check";
import { Mutex, RwLock, Semaphore } from "stackful/tasks";
import { check, turn } from "./harness.ts";

interface Lock<Demand> {
  acquire(demand: Demand, signal: AbortSignal): Promise<{ release(): void }>;
  /** Whether one that demands so much may have it beside those who have it. */
  fits(demand: Demand, held: readonly Demand[]): boolean;
}

interface Customer<Demand> {
  readonly demand: Demand;
  readonly controller: AbortController;
  guard: { release(): void } | undefined;
}

type Step<Demand> =
  | { readonly kind: "acquire"; readonly demand: Demand }
  | { readonly kind: "give up"; readonly who: number }
  | { readonly kind: "release"; readonly who: number };

function stepsOf<Demand>(demand: fc.Arbitrary<Demand>): fc.Arbitrary<Step<Demand>[]> {
  const who = fc.nat(20);
  const step: fc.Arbitrary<Step<Demand>> = fc.oneof(
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("acquire" as const), demand }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("give up" as const), who }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("release" as const), who }) },
  );
  return fc.array(step, { maxLength: 40 });
}

/** A lock, and the model beside it. */
class Shop<Demand> {
  readonly #lock: Lock<Demand>;
  readonly #all: Customer<Demand>[] = [];
  #waiting: Customer<Demand>[] = [];
  #held: Customer<Demand>[] = [];

  constructor(lock: Lock<Demand>) {
    this.#lock = lock;
  }

  do(step: Step<Demand>): void {
    if (step.kind === "acquire") this.#acquire(step.demand);
    else if (step.kind === "give up") {
      const customer = this.#waiting[step.who % this.#waiting.length];
      this.#waiting = this.#waiting.filter((each) => each !== customer);
      customer?.controller.abort();
    } else {
      const customer = this.#held[step.who % this.#held.length];
      this.#held = this.#held.filter((each) => each !== customer);
      customer?.guard?.release();
      if (customer !== undefined) customer.guard = undefined;
    }
    this.#admit();
  }

  compare(): void {
    const numbersOf = (customers: readonly Customer<Demand>[]): number[] =>
      customers.map((customer) => this.#all.indexOf(customer)).toSorted((a, b) => a - b);
    assert.deepEqual(numbersOf(this.#all.filter(({ guard }) => guard !== undefined)), numbersOf(this.#held));
  }

  #acquire(demand: Demand): void {
    const customer: Customer<Demand> = { demand, controller: new AbortController(), guard: undefined };
    this.#all.push(customer);
    this.#waiting.push(customer);
    this.#lock.acquire(demand, customer.controller.signal).then(
      (guard) => (customer.guard = guard),
      () => {},
    );
  }

  #admit(): void {
    const demandsOf = (customers: readonly Customer<Demand>[]): Demand[] => customers.map(({ demand }) => demand);
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (!this.#lock.fits(first.demand, demandsOf(this.#held))) return;
      this.#waiting.shift();
      this.#held.push(first);
    }
  }
}

async function serves<Demand>(demand: fc.Arbitrary<Demand>, make: () => Lock<Demand>): Promise<void> {
  await fc.assert(
    fc.asyncProperty(stepsOf(demand), async (steps) => {
      const shop = new Shop(make());
      for (const step of steps) {
        shop.do(step);
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        await turn();
        shop.compare();
      }
    }),
    { numRuns: 200 },
  );
}

describe("First come, first served, whoever gives up meanwhile", () => {
  check("in a mutex", () =>
    serves(fc.constant(1), () => {
      const mutex = new Mutex();
      return { acquire: (_, signal) => mutex.lock({ signal }), fits: (_, held) => held.length === 0 };
    }),
  );

  check("in a lock for readers and writers", () =>
    serves(fc.constantFrom("read", "write"), () => {
      const lock = new RwLock();
      return {
        acquire: (access, signal) => (access === "read" ? lock.read({ signal }) : lock.write({ signal })),
        fits: (access, held) => held.length === 0 || (access === "read" && held[0] === "read"),
      };
    }),
  );

  check("in a semaphore", () =>
    serves(fc.integer({ min: 1, max: 4 }), () => {
      const semaphore = new Semaphore(4);
      return {
        acquire: (count, signal) => semaphore.acquire({ count, signal }),
        fits: (count, held) => count + held.reduce((sum, each) => sum + each, 0) <= 4,
      };
    }),
  );
});
