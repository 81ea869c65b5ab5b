/**
 * The Node binaries that development uses. Plain JavaScript, as all of scripts/: it runs under whatever `node` there is.
 *
 * `npm run nodes` lists them.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";

export const root = path.resolve(import.meta.dirname, "..");

/** Runs the sources as they are. */
export const DEVELOPMENT = 26;

/** The built package is tested under each of them: the version that `test/nodes` pins, and the oldest minor that will do. */
const SUPPORTED = new Map([
  [20, 11],
  [22, 0],
  [24, 20], // the first 24 with WebAssembly.Suspending
  [DEVELOPMENT, 0],
]);

export const supportedNodes = [...SUPPORTED.keys()];

/**
 * The first that fits of: `STACKFUL_NODE_<major>`, the binary that npm installed, the running one.
 *
 * @returns {{ file: string, version: string }}
 * @throws {Error} when there is none; the message says what to do
 */
export function findNode(major) {
  const installed = path.join(root, "node_modules", major === DEVELOPMENT ? "node" : `node-${major}`, "bin/node");
  const candidates = [process.env[`STACKFUL_NODE_${major}`], installed, process.execPath];
  for (const file of candidates) {
    const version = file !== undefined && existsSync(file) ? versionOf(file) : "";
    if (fits(version, major)) return { file, version };
  }
  throw new Error(
    `Cannot find Node ${major}.${SUPPORTED.get(major)} or later: on Linux x64 npm ci installs it, ` +
      `elsewhere set STACKFUL_NODE_${major} to the path of such a binary`,
  );
}

function versionOf(file) {
  return execFileSync(file, ["-p", "process.versions.node"], { encoding: "utf8" }).trim();
}

function fits(version, wanted) {
  const [major, minor] = version.split(".").map(Number);
  return major === wanted && minor >= SUPPORTED.get(wanted);
}

function list() {
  for (const major of supportedNodes) {
    try {
      const { file, version } = findNode(major);
      console.log(`Node ${version.padEnd(8)} ${path.relative(root, file)}`);
    } catch (error) {
      console.error(error.message);
      process.exitCode = 1;
    }
  }
}

if (process.argv[1] === import.meta.filename) list();
