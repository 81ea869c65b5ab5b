/** The shape of src/: who may import whom, what files are called, how long they are. ARCHITECTURE.md explains it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";

/** Layer (a folder of src/) → the layers it may import besides itself. Files in src/ itself and cli/ compose, so they are free. */
const BELOW_SCRIPT: Record<string, readonly string[]> = {
  platform: [],
  binary: [],
  coroutine: [],
  threads: ["platform"],
  atomics: ["platform", "binary", "coroutine", "tasks"],
  link: ["platform", "binary", "coroutine", "preemption", "atomics"],
  preemption: ["binary"],
  transform: ["binary"],
  backends: ["binary", "coroutine", "link", "transform"],
  tasks: ["platform", "coroutine"],
  blocking: ["platform", "coroutine", "threads"],
  "wasi/host": [],
  "wasi/preview1": ["wasi/host", "platform", "coroutine", "link"],
  "guest-tasks": ["platform", "coroutine", "link", "tasks", "wasi/preview1"],
  wasi: ["wasi/host", "wasi/preview1", "binary", "platform", "coroutine", "tasks", "atomics", "link"],
};
/** Scripts are guests like those of users: `script` makes instances of them. */
const LAYERS: Record<string, readonly string[]> = { ...BELOW_SCRIPT, script: ["", ...Object.keys(BELOW_SCRIPT)] };
const FREE = ["", "cli"];

/** Names that say nothing about what a file holds, and so attract everything. */
const FORBIDDEN_NAMES = ["utils", "helpers", "common", "misc", "types", "core"];
const MAX_LINES = 450;
/** Long because what they describe is long; the same list as in .oxlintrc.json. */
const TABLE = /(^|\/)(errno|layout|opcodes|[^/]+-table)\.ts$/;
const MAY_IMPORT_NODE = /^(threads|cli)\/|^wasi\/host\/node-[^/]+$/;

/** Paths below src/, with forward slashes. */
const files = readdirSync("src", { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".ts"))
  .toSorted();

const sourceOf = (file: string): string => readFileSync(`src/${file}`, "utf8");

/** The innermost layer around a path, "" for a file in src/ itself, or the unknown folder. */
function layerOf(file: string): string {
  const folder = path.posix.dirname(file);
  const around = [...Object.keys(LAYERS), ...FREE].filter((layer) => `${folder}/`.startsWith(`${layer}/`));
  if (folder === ".") return "";
  return around.toSorted((a, b) => b.length - a.length)[0] ?? folder;
}

/** What a file imports and re-exports: of values and of types, static and dynamic. */
function importsOf(file: string): string[] {
  const source = sourceOf(file);
  const statements = source.matchAll(/^\s*(?:import|export)\b(?:[^"';]*?\bfrom)?\s*"([^"]+)"/gm);
  const expressions = source.matchAll(/^(?!\s*(?:\/\/|\/?\*)).*?(?<![.#\w])import\(\s*"([^"]+)"/gm);
  return [...statements, ...expressions].map(([, target]) => target!);
}

const relativeImportsOf = (file: string): string[] => importsOf(file).filter((target) => target.startsWith("."));
const resolve = (file: string, target: string): string => path.posix.join(path.posix.dirname(file), target);

describe("The sources", () => {
  it("lie in a layer of the import table", () => {
    const known = [...Object.keys(LAYERS), ...FREE];
    const strays = files.filter((file) => !known.includes(layerOf(file)));
    assert.deepEqual(strays, [], "Add the folder to LAYERS, after a thought about what it may import");
  });

  it("import only what their layer allows", () => {
    const breaches = files
      .filter((file) => !FREE.includes(layerOf(file)))
      .flatMap((file) => {
        const layer = layerOf(file);
        const allowed = [layer, ...(LAYERS[layer] ?? [])];
        const bad = relativeImportsOf(file).filter((target) => !allowed.includes(layerOf(resolve(file, target))));
        return bad.map((target) => `src/${file}: ${layer} may not import ${target}`);
      });
    assert.deepEqual(breaches, []);
  });

  it("import nothing but each other and Node: the package has no dependencies", () => {
    const breaches = files.flatMap((file) =>
      importsOf(file)
        .filter((target) => !target.startsWith(".") && !target.startsWith("node:"))
        .map((target) => `src/${file}: ${target}`),
    );
    assert.deepEqual(breaches, []);
  });

  it("import node: modules only in threads/, wasi/host/node-* and cli/", () => {
    const breaches = files
      .filter((file) => !MAY_IMPORT_NODE.test(file))
      .flatMap((file) => importsOf(file).map((target) => `src/${file}: ${target}`))
      .filter((breach) => breach.includes(": node:"));
    assert.deepEqual(breaches, []);
  });

  it("take only types from node: where a browser loads them: what is there is found out while running", () => {
    const breaches = files
      .filter((file) => file.startsWith("wasi/host/") && /^import (?!type\b)[^;]*"node:/m.test(sourceOf(file)))
      .map((file) => `src/${file}`);
    assert.deepEqual(breaches, []);
  });

  it("stay below the limit of lines", () => {
    const long = files
      .filter((file) => !TABLE.test(file))
      .map((file) => ({ file, lines: sourceOf(file).split("\n").length - 1 }))
      .filter(({ lines }) => lines > MAX_LINES);
    assert.deepEqual(long, [], `Split the file: ${MAX_LINES} lines are the limit`);
  });

  it("have names that say what they hold", () => {
    const vague = files.filter((file) => FORBIDDEN_NAMES.includes(path.posix.basename(file, ".ts")));
    assert.deepEqual(vague, []);
  });
});
