/** Starts programs in the root of the repository, with Node 26 and the tools of node_modules first in the PATH. */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { DEVELOPMENT, findNode, root } from "./nodes.mjs";

/** Runs `command` to its end, with the terminal of this process. Returns whether it succeeded. */
export function run(command, args, variables = process.env) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    env: withTools(variables),
    shell: process.platform === "win32", // tools are .cmd files there
  });
  if (error !== undefined) console.error(`Cannot run ${command}: ${error.message}`);
  return status === 0;
}

/** Runs a TypeScript or JavaScript file (after flags of Node) under Node 26, where `stackful` means the sources. */
export function runOnSources(args, variables = process.env) {
  return run(findNode(DEVELOPMENT).file, ["--conditions=source", ...args], variables);
}

function withTools(variables) {
  const first = [path.dirname(findNode(DEVELOPMENT).file), path.join(root, "node_modules/.bin")];
  return { ...variables, PATH: [...first, variables.PATH].join(path.delimiter) };
}
