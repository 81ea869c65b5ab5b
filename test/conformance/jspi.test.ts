import { conformance } from "./suite.ts";

/** It calls the host function of a suspending import before it refuses to suspend, and nobody gets the promise. */
const callsBeforeItRefuses = process.versions.v8.startsWith("13.");

conformance({
  name: "jspi",
  syncResume: false,
  skips: [
    // In one run of six, with V8 14: what is read of a stack pointer after a trap is not what was written before it. Not understood yet.
    ...[
      "is not blamed on a synchronous call that traps in the microtasks after it",
      "exhausts a region after it was on one of them, and touches nothing beside it",
    ].map((test) => ({
      backend: "jspi",
      test,
      reason: "an overflow is sometimes told of another call, or not told apart from a trap",
    })),
    ...(callsBeforeItRefuses
      ? [
          {
            backend: "jspi",
            test: "does not report the promise that was not awaited as unhandled",
            reason: "V8 13 calls the host function before it refuses to suspend, and drops its promise",
          },
        ]
      : []),
  ],
});
