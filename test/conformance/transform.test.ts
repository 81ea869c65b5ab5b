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
  ],
});
