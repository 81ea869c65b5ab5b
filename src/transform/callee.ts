/** A function of a guest that can be called on a stack of its own. */

import type { ValueType } from "../binary/value-types.ts";
import { resultsExport } from "./abi.ts";
import type { HostFunction } from "./wrap-import.ts";

export class Callee {
  readonly call: HostFunction;
  readonly #results: readonly ValueType[];
  readonly #exports: Readonly<Record<string, HostFunction>>;
  /** Looked up when it is needed: few functions are ever suspended, but guests have thousands. */
  #takeResults: HostFunction | undefined;

  /** `exports`: those of its instance, and of the runtime. */
  constructor(call: HostFunction, results: readonly ValueType[], exports: Readonly<Record<string, HostFunction>>) {
    this.call = call;
    this.#results = results;
    this.#exports = exports;
  }

  /** As a list, what a call of it has returned. */
  listed(returned: unknown): readonly unknown[] {
    if (this.#results.length === 0) return [];
    return this.#results.length === 1 ? [returned] : (returned as readonly unknown[]);
  }

  /** What it has returned after it was suspended; to be asked for once. */
  takeResults(): readonly unknown[] {
    this.#takeResults ??= this.#exports[resultsExport(this.#results)]!;
    return this.listed(this.#takeResults());
  }
}
