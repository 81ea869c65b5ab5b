import { conformance } from "./suite.ts";

conformance({
  name: "transform",
  syncResume: true,
  skips: [
    {
      backend: "transform",
      test: "may be a module that was compiled elsewhere",
      reason: "only the bytes of a module can be transformed",
    },
    {
      backend: "transform",
      test: "starts the call that waits longest first, whichever guest it is for",
      reason: "guests do not wait for each other: saved stacks take memory, and no place among the engine's stacks",
    },
  ],
});
