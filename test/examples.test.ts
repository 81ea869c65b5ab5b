/**
 * Each example prints what it says it prints: its last lines are `// Output:` and the output as comments.
 * Beside the compiled tests lie the compiled examples; they run on the built package.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { backends } from "stackful";

const folder = fileURLToPath(new URL("../examples", import.meta.url));
const extension = path.extname(import.meta.url);
const isSource = extension === ".ts";
const sources = existsSync("examples") ? readdirSync("examples").filter((file) => file.endsWith(".ts")) : [];

/** Why an example cannot run here; `false` if it can. */
function refusal(source: string): string | false {
  const needsEngineStacks = readFileSync(`examples/${source}`, "utf8").includes("Suspending");
  const wanted = backends().filter(({ name }) => !needsEngineStacks || name === "jspi");
  if (wanted.some(({ available }) => available)) return false;
  return wanted.map(({ name, reason }) => `no backend: ${name}: ${reason}`).join("; ");
}

const MAX_LINES = 40;

/** The program, and what it says that it prints. */
function parts(source: string): { program: string; output: string } {
  const [, program, comments] =
    /^([^]*)\n\/\/ Output:\n((?:\/\/.*\n)+)$/.exec(readFileSync(`examples/${source}`, "utf8")) ?? [];
  assert.ok(
    program !== undefined && comments !== undefined,
    "The last lines of an example are `// Output:` and what it prints",
  );
  return { program, output: comments.replace(/^\/\/ ?/gm, "") };
}

function run(source: string): string {
  const program = path.join(folder, path.basename(source, ".ts") + extension);
  return execFileSync(process.execPath, [...(isSource ? ["--conditions=source"] : []), program], { encoding: "utf8" });
}

describe("Examples", () => {
  it("are present in the form that is tested", () => {
    const missing = sources.filter(
      (source) => !existsSync(path.join(folder, path.basename(source, ".ts") + extension)),
    );
    assert.deepEqual(missing, []);
  });

  for (const source of sources) {
    it(`${source} prints its output`, { skip: refusal(source) }, () => assert.equal(run(source), parts(source).output));

    it(`${source} is short`, () => {
      const lines = parts(source).program.split("\n").length - 1;
      assert.ok(lines <= MAX_LINES, `${lines} lines without the output, at most ${MAX_LINES}`);
    });
  }
});
