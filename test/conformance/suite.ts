/**
 * What every backend must do, seen through the public API. A backend is tested by a file of ten lines that calls
 * {@link conformance}; see jspi.test.ts.
 */

import { describe } from "node:test";
import { backends } from "stackful";
import { Suite } from "./harness.ts";
import type { BackendUnderTest } from "./harness.ts";
import { backtraces } from "./backtraces.ts";
import { badInput } from "./bad-input.ts";
import { cancellation } from "./cancellation.ts";
import { capacity } from "./capacity.ts";
import { context } from "./context.ts";
import { errors } from "./errors.ts";
import { illegalUse } from "./illegal-use.ts";
import { longjmp } from "./longjmp.ts";
import { memoryLimit } from "./memory-limit.ts";
import { nesting } from "./nesting.ts";
import { overflow } from "./overflow.ts";
import { overlap } from "./overlap.ts";
import { preemption } from "./preemption.ts";
import { ready } from "./ready.ts";
import { sharing } from "./sharing.ts";
import { synchronous } from "./synchronous.ts";
import { unwinding } from "./unwinding.ts";
import { values } from "./values.ts";

type Subject = (suite: Suite) => void;
const SUBJECTS: readonly Subject[] = [
  values,
  ready,
  overlap,
  longjmp,
  sharing,
  unwinding,
  errors,
  cancellation,
  context,
  nesting,
  synchronous,
  illegalUse,
  badInput,
  backtraces,
  overflow,
  preemption,
  memoryLimit,
  capacity,
];

/** Runs the whole suite on `backend`, or reports one skip with the reason why this runtime cannot. */
export function conformance(backend: BackendUnderTest, leftOut: readonly Subject[] = []): void {
  const reason = backends().find(({ name }) => name === backend.name)?.reason;
  const suite = new Suite(backend);
  describe(`Backend ${backend.title ?? backend.name}`, { skip: reason ?? false }, () => {
    for (const subject of SUBJECTS) if (!leftOut.includes(subject)) subject(suite);
  });
}
