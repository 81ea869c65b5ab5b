/** What bench/blocking.ts runs in threads. */

import { host } from "stackful/blocking";
import type { parent } from "./blocking.ts";

export async function echo<Value>(value: Value): Promise<Value> {
  return value;
}

/** Calls the parent, blocking, so many times. @returns the sum of the answers */
export function callParent(times: number): number {
  const { increment } = host<typeof parent>();
  let sum = 0;
  for (let index = 0; index < times; index++) sum += increment(index);
  return sum;
}
