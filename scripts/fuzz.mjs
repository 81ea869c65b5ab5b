/**
 * Compares random modules with what the compiler of backend `transform` makes of them, see test/fuzz/fuzz.ts.
 *
 * `npm run fuzz -- --modules=2000 --mutations=10000 --seed=1`; the generator is installed into test/fuzz when it is not there.
 */
import { existsSync } from "node:fs";
import path from "node:path";
import { root } from "./nodes.mjs";
import { run, runOnSources } from "./run.mjs";

const FOLDER = "test/fuzz";

const isInstalled = existsSync(path.join(root, FOLDER, "node_modules/binaryen"));
const ok = isInstalled || run("npm", ["ci", "--no-audit", "--no-fund", "--prefix", FOLDER]);
process.exitCode = ok && runOnSources([`${FOLDER}/fuzz.ts`, ...process.argv.slice(2)]) ? 0 : 1;
