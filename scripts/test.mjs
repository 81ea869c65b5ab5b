/**
 * The whole gate: `npm test`. Goes on after a failure, so that one run shows everything.
 *
 * The last line sums up the tests of all runs: `N passed, N failed, N skipped`.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { DEVELOPMENT, findNode, root, supportedNodes } from "./nodes.mjs";
import { run } from "./run.mjs";
import { TEST_ENVIRONMENT, TEST_FLAGS, TEST_TIMEOUT_MS, testFiles } from "./test-files.mjs";

/** A loop without end cannot be stopped by the runner of node:test; this stops the runner. More than the limit for one test. */
const SILENCE_LIMIT_MS = TEST_TIMEOUT_MS + 30_000;

const total = { passed: 0, failed: 0, skipped: 0 };
/** "test: reason" → the runtimes it was skipped on. */
const skips = new Map();
const failedSections = [];

/** Does `work` under a heading. An error is a failure of this section, not of the program. */
async function section(title, work) {
  console.log(`\n== ${title} ==`);
  const start = performance.now();
  let ok = false;
  try {
    ok = await work();
  } catch (error) {
    console.log(error.message);
  }
  if (!ok) failedSections.push(title);
  console.log(`${ok ? "ok" : "FAILED"}, ${secondsSince(start)}`);
  return ok;
}

/** Runs test files under one Node and adds their results to the total. */
async function runTests(runtime, node, flags, files) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const child = startTests(node, [...flags, ...files]);
  const exit = new Promise((resolve) => child.once("close", resolve));
  for await (const result of resultsOf(child)) {
    counts[result.outcome]++;
    if (result.outcome === "failed") printFailure(result);
    if (result.outcome === "skipped") rememberSkip(result, runtime);
  }
  const exitCode = await exit;
  if (exitCode !== 0 && counts.failed === 0) counts.failed = 1; // the run itself: it was stopped, or crashed
  for (const outcome in counts) total[outcome] += counts[outcome];
  console.log(describeCounts(counts));
  return counts.failed === 0 && counts.passed > 0;
}

function startTests(node, args) {
  const reporter = ["--test-reporter=./scripts/reporter.mjs", "--test-reporter-destination=stdout"];
  return spawn(node, [...TEST_FLAGS, ...reporter, ...args], {
    cwd: root,
    env: TEST_ENVIRONMENT,
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** What scripts/reporter.mjs reports about each test. */
async function* resultsOf(child) {
  let file = "";
  const stop = () => {
    console.log(`Stopped: no test ended for ${SILENCE_LIMIT_MS / 1000} s, the last file started was ${file}`);
    child.kill();
  };
  let watchdog = setTimeout(stop, SILENCE_LIMIT_MS);
  for await (const line of createInterface(child.stdout)) {
    clearTimeout(watchdog);
    watchdog = setTimeout(stop, SILENCE_LIMIT_MS);
    const result = JSON.parse(line);
    if (result.outcome === "started") file = result.file;
    else yield result;
  }
  clearTimeout(watchdog);
}

function printFailure({ name, file, detail }) {
  console.log(`FAILED ${name}\n  in ${file}\n${detail.replace(/^/gm, "  ")}\n`);
}

function rememberSkip({ name, detail }, runtime) {
  const skip = `${name}: ${detail}`;
  skips.set(skip, [...(skips.get(skip) ?? []), runtime]);
}

function testSources() {
  const { file, version } = findNode(DEVELOPMENT);
  console.log(`Node ${version}`);
  return runTests(`sources on Node ${DEVELOPMENT}`, file, ["--conditions=source"], testFiles(["test"], ".test.ts"));
}

function testBuild(major) {
  const { file, version } = findNode(major);
  console.log(`Node ${version}`);
  return runTests(`dist on Node ${major}`, file, [], testFiles(["build/test"], ".test.js"));
}

async function checkBuild() {
  const build = () => run("node", ["scripts/build.mjs"]) && run("node", ["scripts/build.mjs", "tests"]);
  if (!(await section("Build", build))) {
    console.log("\nNot run, because the build failed: tests of dist, publint, attw");
    return;
  }
  for (const major of supportedNodes) await section(`Tests of dist on Node ${major}`, () => testBuild(major));
  await section("Package: publint", () => run("publint", ["--strict"]));
  await section("Package: types", () => run("attw", ["--pack", ".", "--profile", "esm-only"]));
}

function summarize(start) {
  console.log("\n== Summary ==");
  if (skips.size > 0) console.log("Skipped:");
  for (const [skip, runtimes] of skips) console.log(`- ${skip} (${runtimes.join(", ")})`);
  if (failedSections.length > 0) console.log(`Failed: ${failedSections.join(", ")}`);
  console.log(`Total time: ${secondsSince(start)}`);
  console.log(describeCounts(total));
}

const describeCounts = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`;
const secondsSince = (start) => `${((performance.now() - start) / 1000).toFixed(1)} s`;

const start = performance.now();
await section("Format", () => run("oxfmt", ["--check"]));
await section("Lint", () => run("oxlint", ["--type-aware", "--deny-warnings"]));
await section("Types", () => run("tsc", []));
await section(`Tests on the sources, Node ${DEVELOPMENT}`, testSources);
await checkBuild();
summarize(start);
process.exitCode = failedSections.length > 0 || total.failed > 0 || total.passed === 0 ? 1 : 0;
