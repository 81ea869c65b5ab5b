import { conformance } from "./suite.ts";

conformance({ name: "transform", syncResume: true, skips: [] });
