/** The quick start of the README: its guests compile to what it says they do, and its program prints what it says it prints. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { backends } from "stackful";

const isSource = path.extname(import.meta.url) === ".ts";
const guests = fileURLToPath(new URL("guests", import.meta.url));
/** Inside the package, so that the program finds it by its name. */
const folder = path.resolve("build", `quick-start-${process.pid}`);

const [, section = ""] = /^## Quick start\n([^]*?)^## /m.exec(readFileSync("README.md", "utf8")) ?? [];

function block(language: string): string {
  const [, code] = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "m").exec(section) ?? [];
  assert.ok(code !== undefined, `The quick start has no block of ${language}`);
  return code;
}

/** Runs the program beside the module in that file. */
function run(wasm: string): string {
  copyFileSync(wasm, path.join(folder, "quick-start.wasm"));
  writeFileSync(path.join(folder, "quick-start.mjs"), block("js"));
  const flags = isSource ? ["--conditions=source"] : [];
  return execFileSync(process.execPath, [...flags, "quick-start.mjs"], { cwd: folder, encoding: "utf8" });
}

const refusal = backends().some(({ available }) => available) ? false : "this runtime has no backend";

describe("The quick start of the README", () => {
  mkdirSync(folder, { recursive: true });
  after(() => rmSync(folder, { recursive: true }));
  const [, output] = /prints `(.*)`/.exec(section) ?? [];

  it("compiles the text by its command, and prints what it says", { skip: refusal }, () => {
    const [, argumentText = ""] = /^npx -p wabt wat2wasm (.*)$/m.exec(block("sh")) ?? [];
    const compiler = path.resolve("node_modules", "wabt", "bin", "wat2wasm");
    writeFileSync(path.join(folder, "quick-start.wat"), block("wat"));
    execFileSync(process.execPath, [compiler, ...argumentText.split(" ")], { cwd: folder });
    assert.equal(run(path.join(folder, "quick-start.wasm")).trim(), output);
  });

  it("prints the same with the guest in C", { skip: refusal }, () => {
    assert.equal(block("c"), readFileSync(path.join(guests, "quick-start.c"), "utf8"));
    assert.match(
      block("sh"),
      /^clang --target=wasm32 -O2 -nostdlib -Wl,--no-entry -o quick-start\.wasm quick-start\.c /m,
    );
    assert.equal(run(path.join(guests, "quick-start-c.wasm")).trim(), output);
  });
});
