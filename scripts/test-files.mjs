import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { root } from "./nodes.mjs";

/** The limit for one test; Node 20 and 22 apply it to a whole file. */
export const TEST_TIMEOUT_MS = 60_000;

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
