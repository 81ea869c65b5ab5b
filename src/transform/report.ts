/** What a transformation did, in numbers, and why. */

import { importedFunctions } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import { findCallers, suspendableCalls } from "./call-graph.ts";

export interface TransformReport {
  /** Functions that the module defines, and those of them that may suspend. */
  readonly functions: number;
  readonly suspendable: number;
  /** Those of them that have a frame to save; the others only have tail calls that may suspend. */
  readonly withFrames: number;
  /** Calls after which is checked whether to unwind. */
  readonly sites: number;
  /** Sizes of the module and of the one that is loaded instead. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly milliseconds: number;
  /** Import (`module.name`) → indices of the functions that may suspend because of it alone. Found out when it is read. */
  readonly causes: ReadonlyMap<string, readonly number[]>;
}

/** A report whose causes are found out when they are read, which takes a pass over the code. */
export function makeReport(
  numbers: Omit<TransformReport, "causes">,
  findCauses: () => TransformReport["causes"],
): TransformReport {
  let causes: TransformReport["causes"] | undefined;
  return {
    ...numbers,
    get causes() {
      causes ??= findCauses();
      return causes;
    },
  };
}

/** Which functions may suspend because of each of the imports. */
export function findCauses(
  module: BinaryModule,
  suspendingImports: readonly number[],
  isExcluded: (index: number) => boolean,
): TransformReport["causes"] {
  const entries = importedFunctions(module);
  const callers = findCallers(module);
  const causes = new Map<string, readonly number[]>();
  for (const only of suspendingImports) {
    const { functions } = suspendableCalls(module, callers, [only], isExcluded);
    const defined = [...functions.keys()].filter(
      (index) => index >= module.importedFunctions && functions[index] === 1,
    );
    causes.set(`${entries[only]!.module}.${entries[only]!.name}`, defined);
  }
  return causes;
}
