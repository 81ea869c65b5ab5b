/** What a guest imports whose waits were replaced: the host's side of suspend-waits.ts, for one instance. */

import type { Soon } from "../coroutine/pending.ts";
import { EngineWaits } from "./engine-waits.ts";
import { OwnWaits } from "./wait-lines.ts";
import { sharedMemoryName } from "./suspend-waits.ts";
import { WAIT_NAME, WAKE_NAME } from "./waiting-functions.ts";
import type { Waits } from "./waits.ts";

const known = new WeakMap<WebAssembly.Memory, Waits>();

/**
 * Says that nobody but guests of this thread has `memory`: those who wait in it can be woken by nobody else. To be called before
 * one of them is instantiated.
 */
export function keepWaitsTogether(memory: WebAssembly.Memory): OwnWaits {
  const waits = new OwnWaits();
  known.set(memory, waits);
  return waits;
}

function waitsIn(memory: WebAssembly.Memory): Waits {
  let waits = known.get(memory);
  if (waits === undefined) {
    waits = EngineWaits.isAvailable ? new EngineWaits(memory) : new OwnWaits();
    known.set(memory, waits);
  }
  return waits;
}

export class GuestAtomics {
  readonly imports: Readonly<Record<string, unknown>>;
  /** By number. */
  #memories: readonly Waits[] = [];
  /** Whose waits they are said to be: the engine's instance, when there is one. */
  #owner: unknown;

  constructor() {
    this.imports = { [WAIT_NAME]: this.#wait, [WAKE_NAME]: this.#wake };
  }

  /** Binds it to its guest, which has not run yet. */
  attach({ exports }: WebAssembly.Instance, owner: unknown): void {
    const memories: Waits[] = [];
    for (let memory; (memory = exports[sharedMemoryName(memories.length)]) !== undefined;) {
      memories.push(waitsIn(memory as WebAssembly.Memory));
    }
    this.#memories = memories;
    this.#owner = owner;
  }

  // oxlint-disable-next-line max-params -- as the guest calls it
  readonly #wait = (place: number, address: number, low: number, high: number, timeoutNs: number): Soon<number> => {
    const bytes = (place & 1) === 0 ? 4 : 8;
    const owner = this.#owner;
    return this.#memories[place >> 1]!.wait({ address, bytes, low, high, timeoutNs, owner });
  };

  readonly #wake = (place: number, address: number, count: number): number => {
    return this.#memories[place >> 1]!.wake(address, count >>> 0);
  };
}
