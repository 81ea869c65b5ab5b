import { conformance } from "./suite.ts";

conformance({ name: "jspi", syncResume: false, skips: [] });
