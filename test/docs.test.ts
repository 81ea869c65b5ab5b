/**
 * The programs in the pages about tasks print what they say that they print: in each block of JavaScript, the comments beside
 * `console.log`, then the comment lines at the end. `// 42: because` says that it prints 42.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { Script } from "node:vm";
import { backends } from "stackful";

const isSource = path.extname(import.meta.url) === ".ts";

/** And how many programs that print something each has at least. */
const PAGES: readonly (readonly [page: string, least: number])[] = [
  ["docs/tasks.md", 4],
  ["docs/channels.md", 4],
  ["docs/guest-tasks.md", 1],
];

interface Program {
  readonly code: string;
  readonly line: number;
}

function programsOf(page: string): Program[] {
  const text = readFileSync(page, "utf8");
  return [...text.matchAll(/^```js\n([^]*?)^```$/gm)].map(({ 1: code = "", index }) => ({
    code,
    line: text.slice(0, index).split("\n").length + 1,
  }));
}

/** The lines that a program says it prints. */
function promised(code: string): string[] {
  const besideCalls = [...code.matchAll(/console\.log\(.*\/\/ (.*)$/gm)].map(([, said = ""]) => said);
  const [atEnd = ""] = /(?:(?<=\n)\/\/ .*\n)*$/.exec(code) ?? [];
  return [
    ...besideCalls,
    ...atEnd
      .replaceAll(/^\/\/ /gm, "")
      .split("\n")
      .slice(0, -1),
  ];
}

function run(code: string): string[] {
  const flags = [...(isSource ? ["--conditions=source"] : []), "--input-type=module", "--eval", code];
  const output = execFileSync(process.execPath, flags, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  return output.trimEnd().split("\n");
}

/** Older engines cannot parse it. */
function hasUsing(): boolean {
  try {
    return new Script("{ using nothing = null; }") instanceof Script;
  } catch {
    return false;
  }
}

function refusal(code: string): string | false {
  if (/\busing /.test(code) && !hasUsing()) return "this engine has no `using`";
  const needsBackend = code.includes("instantiate");
  return needsBackend && !backends().some(({ available }) => available) && "this runtime has no backend";
}

for (const [page, least] of PAGES) {
  describe(page, () => {
    for (const { code, line } of programsOf(page)) {
      const expected = promised(code);
      if (expected.length === 0) continue;
      it(`line ${line}: the program prints what it says`, { skip: refusal(code) }, () => {
        const printed = run(code);
        assert.equal(printed.length, expected.length, printed.join("\n"));
        for (const [index, said] of expected.entries()) {
          const text = printed[index]!;
          assert.ok(said === text || said.startsWith(`${text}: `), `it says ${said}, and prints ${text}`);
        }
      });
    }

    it("has programs that print something", () => {
      assert.ok(programsOf(page).filter(({ code }) => promised(code).length > 0).length >= least);
    });
  });
}
