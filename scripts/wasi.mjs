/**
 * Runs real programs as WASI programs on each backend, see test/wasi/programs/README.md.
 *
 *     npm run wasi                          all programs, on the sources under Node 26
 *     npm run wasi -- python c              some of them
 *     npm run wasi -- python --case=sleep   cases whose names hold a word
 *     npm run wasi -- --engines             on the built package under each supported Node
 *
 * What comes from the npm registry is installed into test/programs/packages when it is not there.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { DEVELOPMENT, findNode, root, supportedNodes } from "./nodes.mjs";
import { run } from "./run.mjs";

const PROGRAMS = ["c", "python", "ruby", "quickjs", "sqlite", "yosys", "clang", "rust", "go"];
const PACKAGES = "test/programs/packages";
const FILE = "test/wasi/programs/run";

const given = process.argv.slice(2);
const onEngines = given.includes("--engines");
const flags = given.filter((argument) => argument.startsWith("-") && argument !== "--engines");
const named = given.filter((argument) => !argument.startsWith("-"));
const programs = named.length > 0 ? named : PROGRAMS;
const unknown = programs.filter((program) => !PROGRAMS.includes(program));
if (unknown.length > 0) throw new Error(`Cannot run ${unknown.join(", ")}: the programs are ${PROGRAMS.join(", ")}`);

/** One process for each program: they are large. Returns the programs that did something wrong. */
function runOn(major, args) {
  const { file, version } = findNode(major);
  console.log(`== Node ${version} ==`);
  const isRight = (program) =>
    spawnSync(file, ["--no-warnings", ...args, program, ...flags], { cwd: root, stdio: "inherit" }).status === 0;
  return programs.filter((program) => !isRight(program)).map((program) => `${program} on Node ${major}`);
}

function runAll() {
  if (!onEngines) return runOn(DEVELOPMENT, ["--conditions=source", `${FILE}.ts`]);
  const isBuilt = run("node", ["scripts/build.mjs"]) && run("node", ["scripts/build.mjs", "tests"]);
  if (!isBuilt) return ["the build"];
  return supportedNodes.flatMap((major) => runOn(major, [`build/${FILE}.js`]));
}

const isInstalled = existsSync(path.join(root, PACKAGES, "node_modules"));
if (!isInstalled && !run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", PACKAGES]))
  process.exit(1);
const failed = runAll();
console.log(failed.length === 0 ? "All as expected, and the same on each backend" : `Failed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
