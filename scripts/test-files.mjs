import { readdirSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { root } from "./nodes.mjs";

/**
 * The limit for one test. Node 20 and 22 apply it to a whole file, of which the longest takes half a minute when the machine
 * has nothing else to do: this is for a test that hangs, not for one that is slow.
 */
export const TEST_TIMEOUT_MS = 240_000;

/** What Node is given to run test files. As many at a time as there are processors: by itself it leaves one of them idle. */
export const TEST_FLAGS = [
  "--test",
  `--test-timeout=${TEST_TIMEOUT_MS}`,
  `--test-concurrency=${availableParallelism()}`,
];

/**
 * The environment of test files. Hundreds of processes load the same modules: Node 22 and later compile them (and
 * strip types from sources) once, and keep the result under a hash of what they have read: tests on Node 26 take a third
 * less processor time. `npm ci` empties the folder.
 */
export const TEST_ENVIRONMENT = {
  ...process.env,
  NODE_COMPILE_CACHE: path.join(root, "node_modules/.cache/compiled-modules"),
};

/** The files that end with `suffix`, at or below `paths`; relative to the root, in a fixed order. */
export function testFiles(paths, suffix) {
  return paths.flatMap((start) => filesBelow(start).filter((file) => file.endsWith(suffix))).toSorted();
}

function filesBelow(start) {
  if (!statSync(path.join(root, start)).isDirectory()) return [start];
  return readdirSync(path.join(root, start), { recursive: true })
    .filter((file) => !file.includes("node_modules"))
    .map((file) => path.join(start, file));
}
