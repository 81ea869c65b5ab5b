/** Builds the package, then runs the main demo on it. */
import { run } from "./run.mjs";

const ok = run("node", ["scripts/build.mjs"]) && run("node", ["demo/main.mjs"]);
process.exitCode = ok ? 0 : 1;
