/**
 * A guest whose fuel is counted.
 *
 * Its code looks at the counter where functions and loops begin. What it has paid after the last look is seen here, when it has come
 * to its end: a call that costs more than there was fails, however little more.
 */

import type { Coroutine } from "../coroutine/coroutine.ts";
import type { SyncRefusal } from "../coroutine/fiber.ts";
import type { CallOptions, FiberBody, FiberOptions, GuestFiber, LinkedGuest } from "./linked-guest.ts";
import type { Meter } from "./meter.ts";
import type { StackPool } from "./stacks.ts";

export class MeteredGuest implements LinkedGuest {
  readonly #guest: LinkedGuest;
  readonly #meter: Meter;

  constructor(guest: LinkedGuest, meter: Meter) {
    this.#guest = guest;
    this.#meter = meter;
  }

  get backend(): string {
    return this.#guest.backend;
  }

  get raw(): WebAssembly.Instance {
    return this.#guest.raw;
  }

  get memory(): WebAssembly.Memory | undefined {
    return this.#guest.memory;
  }

  get stacks(): StackPool {
    return this.#guest.stacks;
  }

  get waiting(): number {
    return this.#guest.waiting;
  }

  async call(name: string, args: readonly unknown[], options?: CallOptions): Promise<unknown> {
    return this.#meter.settled(await this.#guest.call(name, args, options));
  }

  callSync(name: string, args: readonly unknown[]): unknown {
    return this.#meter.settled(this.#guest.callSync(name, args));
  }

  fiber(body: FiberBody, options: FiberOptions): GuestFiber {
    return new MeteredFiber(this.#guest.fiber(body, options), this.#meter);
  }
}

type Step = IteratorResult<unknown, unknown>;

class MeteredFiber implements GuestFiber {
  readonly #fiber: GuestFiber;
  readonly #meter: Meter;

  constructor(fiber: GuestFiber, meter: Meter) {
    this.#fiber = fiber;
    this.#meter = meter;
  }

  /** Whoever looks for the activation that is the body of a coroutine finds it here. */
  get activation(): unknown {
    return "activation" in this.#fiber ? this.#fiber.activation : undefined;
  }

  get signal(): AbortSignal | undefined {
    return this.#fiber.signal;
  }

  get syncRefusal(): SyncRefusal | undefined {
    return this.#fiber.syncRefusal;
  }

  get hasEnded(): boolean {
    return this.#fiber.hasEnded;
  }

  requireRoom(): void {
    this.#fiber.requireRoom();
  }

  attach(coroutine: Coroutine): void {
    this.#fiber.attach(coroutine);
  }

  async resume(input: unknown): Promise<Step> {
    return this.#settled(await this.#fiber.resume(input));
  }

  resumeSync(input: unknown): Step {
    return this.#settled(this.#fiber.resumeSync(input));
  }

  async throw(error: unknown): Promise<Step> {
    return this.#settled(await this.#fiber.throw(error));
  }

  throwSync(error: unknown): Step {
    return this.#settled(this.#fiber.throwSync(error));
  }

  unwind(reason?: unknown): Promise<void> {
    return this.#fiber.unwind(reason);
  }

  reset(): Promise<void> {
    return this.#fiber.reset();
  }

  #settled(step: Step): Step {
    return step.done === true ? this.#meter.settled(step) : step;
  }
}
