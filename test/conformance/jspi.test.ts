import { conformance } from "./suite.ts";

/** It calls the host function of a suspending import before it refuses to suspend, and nobody gets the promise. */
const callsBeforeItRefuses = process.versions.v8.startsWith("13.");

conformance({
  name: "jspi",
  syncResume: false,
  skips: callsBeforeItRefuses
    ? [
        {
          backend: "jspi",
          test: "does not report the promise that was not awaited as unhandled",
          reason: "V8 13 calls the host function before it refuses to suspend, and drops its promise",
        },
      ]
    : [],
});
