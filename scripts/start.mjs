/** Builds the package, then runs the main demo on it. */
import { existsSync } from "node:fs";
import path from "node:path";
import { root } from "./nodes.mjs";
import { run } from "./run.mjs";

const DEMO = "examples/hello.ts";

let ok = run("node", ["scripts/build.mjs"]);
if (ok && existsSync(path.join(root, DEMO))) ok = run("node", [DEMO]);
process.exitCode = ok ? 0 : 1;
