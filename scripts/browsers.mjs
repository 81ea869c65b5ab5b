/**
 * Runs test/browser/page.js in real browsers, with the built package: `npm run test:browsers [chromium] [firefox]`.
 *
 * Not part of `npm test`, since a browser cannot be had from npm. The page reports its results with a request, so that a
 * browser started from the command line is all that is needed.
 */

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = new URL("../", import.meta.url);
const TIMEOUT_MS = 120_000;

/** Command and arguments that open a page without a window, in a profile of its own. */
const BROWSERS = {
  chromium: (profile, url) => [
    process.env.CHROMIUM ?? "chromium",
    [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--user-data-dir=${profile}`,
      url,
    ],
  ],
  firefox: (profile, url) => [
    process.env.FIREFOX ?? "firefox-esr",
    ["--headless", "--no-remote", "--profile", profile, url],
  ],
};

const TYPES = {
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
  ".html": "text/html",
};

function serve(onReport) {
  const server = createServer((request, response) => {
    if (request.method === "POST") {
      let body = "";
      request.on("data", (chunk) => (body += chunk));
      request.on("end", () => onReport(JSON.parse(body)));
      response.end();
      return;
    }
    const path = request.url === "/" ? "test/browser/page.html" : request.url.slice(1);
    // Without them pages may not share memory with their workers.
    response.setHeader("cross-origin-opener-policy", "same-origin");
    response.setHeader("cross-origin-embedder-policy", "require-corp");
    try {
      response.setHeader("content-type", TYPES[path.slice(path.lastIndexOf("."))] ?? "text/plain");
      response.end(readFileSync(new URL(path, root)));
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

async function run(name) {
  let report;
  const reported = new Promise((resolve) => (report = resolve));
  const server = await serve(report);
  const profile = mkdtempSync(join(tmpdir(), "stackful-browser-"));
  const [command, args] = BROWSERS[name](profile, `http://127.0.0.1:${server.address().port}/`);
  const browser = spawn(command, args, { stdio: "ignore" });
  const failed = new Promise((_, reject) => browser.once("error", reject));
  const late = new Promise((_, reject) =>
    setTimeout(reject, TIMEOUT_MS, new Error("no report within two minutes")).unref(),
  );
  try {
    return await Promise.race([reported, failed, late]);
  } finally {
    const exited = new Promise((resolve) => browser.once("exit", resolve));
    if (browser.kill("SIGKILL")) await exited;
    server.close();
    // Further processes of the browser may still be writing into it.
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

async function runOrFail(name) {
  try {
    return await run(name);
  } catch (error) {
    return { agent: "", results: [{ name: "starts", error: String(error) }] };
  }
}

const wanted = process.argv.slice(2);
let failures = 0;
for (const name of wanted.length > 0 ? wanted : Object.keys(BROWSERS)) {
  const { agent, results } = await runOrFail(name);
  const broken = results.filter(({ error }) => error !== undefined);
  const skipped = results.filter(({ skipped }) => skipped !== undefined);
  const passed = results.length - broken.length - skipped.length;
  console.log(`${name}: ${agent}\n  ${passed} passed, ${broken.length} failed, ${skipped.length} skipped`);
  for (const { name: test, skipped: reason } of skipped) console.log(`  skipped ${test}: ${reason}`);
  for (const { name: test, error } of broken) console.log(`  FAILED ${test}: ${error}`);
  failures += broken.length;
}
process.exitCode = failures === 0 ? 0 : 1;
