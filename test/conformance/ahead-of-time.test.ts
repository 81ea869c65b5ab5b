/** The suite with guests as `stackful transform` writes them, but for capacity, which does not depend on when they were made. */
import { packGuest } from "#src/backends/packaged-guest";
import { capacity } from "./capacity.ts";
import { conformance } from "./suite.ts";

conformance(
  {
    name: "transform",
    title: "transform, ahead of time",
    syncResume: true,
    skips: [
      {
        backend: "transform",
        test: "may be a module that was compiled elsewhere",
        reason: "only the bytes of a module can be transformed",
      },
    ],
    build: async (bytes, { overlap, stackChecks }) => (await packGuest(bytes, { overlap, stackChecks })).bytes,
  },
  [capacity],
);
