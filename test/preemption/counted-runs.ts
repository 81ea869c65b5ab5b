/**
 * Runs a module as it is, counted, and counted and transformed, and compares all that can be seen. The counter runs out all the time;
 * in the transformed module it suspends then.
 */

import assert from "node:assert/strict";
import { decodeModule } from "#src/binary/decode-module";
import { COUNTER, REFUEL_MODULE, REFUEL_NAME } from "#src/preemption/counter";
import { countInstructions } from "#src/preemption/count-instructions";
import type { Precision } from "#src/preemption/count-instructions";
import { transformModule } from "#src/transform/transform-module";
import { isStackOverflow, runPlain, runSuspended } from "../transform/differential.ts";
import type { AddedHost, Trace } from "../transform/differential.ts";

/** Gives the guest `grant` counts at a time. */
export class CountingHost implements AddedHost {
  suspend: (() => unknown) | undefined;
  readonly #grant: number;
  #counter: WebAssembly.Global | undefined;
  #granted = 0;
  #used = 0;
  /** Times that the counter has run out. */
  asked = 0;

  constructor(grant: number) {
    this.#grant = grant;
  }

  get imports(): WebAssembly.Imports {
    return { [REFUEL_MODULE]: { [REFUEL_NAME]: () => this.#refuel() } };
  }

  /** What was paid so far. */
  get cost(): number {
    return this.#used + this.#granted - this.#left;
  }

  readonly attach = (exports: WebAssembly.Exports): void => {
    this.#counter = exports[COUNTER] as WebAssembly.Global;
  };

  get #left(): number {
    return (this.#counter?.value as number | undefined) ?? 0;
  }

  #refuel(): unknown {
    this.asked++;
    // A start function may run before there is an instance.
    if (this.#counter !== undefined) {
      this.#used = this.cost;
      this.#granted = this.#grant;
      this.#counter.value = this.#grant;
    }
    return this.suspend?.();
  }
}

/** @throws {assert.AssertionError} when the runs differ */
export function compareCountedRuns(bytes: Uint8Array, precision: Precision, grant: number): { asked: number } {
  const module = decodeModule(bytes);
  const counted = countInstructions(module, precision);
  const traces: Trace[] = [[], [], []];
  const [here, suspended] = [new CountingHost(grant), new CountingHost(grant)];
  runPlain(bytes, module, traces[0]!, {});
  runPlain(counted, module, traces[1]!, { added: here });
  runSuspended(module, transformModule(counted), traces[2]!, { added: suspended });
  if (traces.some((trace) => trace.some(isStackOverflow))) return { asked: 0 };
  assert.deepEqual(traces[1], traces[0], "counted");
  assert.deepEqual(traces[2], traces[0], "counted and transformed");
  assert.equal(suspended.cost, here.cost, "it costs the same");
  return { asked: suspended.asked };
}
