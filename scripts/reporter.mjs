/**
 * A node:test reporter for scripts/test.mjs: one line of JSON for each test, and one for the start of each file.
 * Node starts it beside the tests, so it runs under every supported version.
 *
 * - Suites are not counted, except those that were skipped as a whole or failed in a hook of their own.
 * - A file without a single test is a failure; node:test itself calls it a test that passed.
 */
import { inspect } from "node:util";

export default async function* reportAsJson(events) {
  const ancestors = [];
  for await (const { type, data } of events) {
    if (type === "test:dequeue" && isFile(data)) yield `${JSON.stringify({ outcome: "started", file: data.name })}\n`;
    else if (type === "test:start") ancestors[data.nesting] = data.name;
    else if (type === "test:pass" || type === "test:fail") {
      const outcome = outcomeOf(type, data);
      const name = [...ancestors.slice(0, data.nesting), data.name].join(" > ");
      if (outcome !== undefined) yield `${JSON.stringify({ ...outcome, name, file: data.file })}\n`;
    } else if (type === "test:stdout" || type === "test:stderr") process.stderr.write(data.message);
  }
}

function outcomeOf(type, data) {
  const { skip, todo, details } = data;
  if (skip !== undefined) return { outcome: "skipped", detail: reasonOf(skip) };
  if (todo !== undefined) return { outcome: "skipped", detail: `to do: ${reasonOf(todo)}` };
  const isSuite = details.type === "suite";
  if (type === "test:fail") return isFailureOfChildren(details.error) && isSuite ? undefined : failure(details.error);
  if (isFile(data)) return { outcome: "failed", detail: "no test in this file" };
  return isSuite ? undefined : { outcome: "passed" };
}

function failure(error) {
  if (isFailureOfChildren(error)) return { outcome: "failed", detail: "a test inside it failed" };
  const cause = error.cause ?? error;
  return { outcome: "failed", detail: typeof cause === "string" ? cause : inspect(cause) };
}

const isFailureOfChildren = (error) => error?.failureType === "subtestsFailed";
/** A test file is a test to node:test, whose name is the path. */
const isFile = ({ nesting, name, file }) =>
  nesting === 0 && /\.test\.[jt]s$/.test(name) && (file ?? name).endsWith(name);
const reasonOf = (given) => (typeof given === "string" && given !== "" ? given : "no reason given");
