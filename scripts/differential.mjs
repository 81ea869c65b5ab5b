/**
 * Compares real programs with what the compiler of backend `transform` makes of them, see test/programs/differential.ts.
 *
 *     npm run differential                          all programs, on the sources under Node 26
 *     npm run differential -- quickjs lua           some of them
 *     npm run differential -- python --case=files   cases whose names hold a word
 *     npm run differential -- --engines             on the built package under each supported Node
 *
 * The programs are installed into test/programs/packages when they are not there.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { DEVELOPMENT, findNode, root, supportedNodes } from "./nodes.mjs";
import { run } from "./run.mjs";

const PROGRAMS = ["quickjs", "lua", "sqlite", "python", "ruby", "esbuild", "clang"];
const PACKAGES = "test/programs/packages";
const FILE = "test/programs/differential";

const given = process.argv.slice(2);
const onEngines = given.includes("--engines");
const flags = given.filter((argument) => argument.startsWith("-") && argument !== "--engines");
const named = given.filter((argument) => !argument.startsWith("-"));
const programs = named.length > 0 ? named : PROGRAMS;
const unknown = programs.filter((program) => !PROGRAMS.includes(program));
if (unknown.length > 0) throw new Error(`Cannot run ${unknown.join(", ")}: the programs are ${PROGRAMS.join(", ")}`);

/** One process for each program: they are large. Returns the programs in which something differs. */
function compareOn(major, args) {
  const { file, version } = findNode(major);
  console.log(`== Node ${version} ==`);
  const isSame = (program) =>
    spawnSync(file, ["--no-warnings", ...args, program, ...flags], { cwd: root, stdio: "inherit" }).status === 0;
  return programs.filter((program) => !isSame(program)).map((program) => `${program} on Node ${major}`);
}

function compareAll() {
  if (!onEngines) return compareOn(DEVELOPMENT, ["--conditions=source", `${FILE}.ts`]);
  const isBuilt = run("node", ["scripts/build.mjs"]) && run("node", ["scripts/build.mjs", "tests"]);
  if (!isBuilt) return ["the build"];
  return supportedNodes.flatMap((major) => compareOn(major, [`build/${FILE}.js`]));
}

const isInstalled = existsSync(path.join(root, PACKAGES, "node_modules"));
if (!isInstalled && !run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", PACKAGES]))
  process.exit(1);
const failed = compareAll();
console.log(failed.length === 0 ? "Nothing differs" : `Failed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
