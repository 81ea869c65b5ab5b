/** What counts as operations of programs: there is no telling what their interpreters are in the middle of, but how long that took. */

import type { Instance } from "../../link/instance.ts";

/** What is counted is an instruction of the interpreter; so many are about one of the script. */
const INSTRUCTIONS_PER_OPERATION = 64;

/** As much as can be counted exactly: a program is instantiated with that. */
export const FUEL: number = 2 ** 53 - 1;

/** Operations that are left of {@link FUEL}. */
export function operationsLeft(instance: Instance): number {
  return Math.floor((instance.fuel ?? 0) / INSTRUCTIONS_PER_OPERATION);
}
