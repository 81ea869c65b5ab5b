/** QuickJS 2021-03-27, compiled here from the sources that the package `qjsc` brings, with a main program of 60 lines. */

import { clang, installedSources, source } from "./toolchains.ts";
import type { WasiCase, WasiProgram } from "./program.ts";

const FOLDER = "qjsc/deps/quickjs_2021_03_27";
const SOURCES = ["quickjs.c", "libregexp.c", "libunicode.c", "cutils.c"];
const HEADERS = [
  "quickjs.h",
  "quickjs-atom.h",
  "quickjs-opcode.h",
  "libregexp.h",
  "libregexp-opcode.h",
  "libunicode.h",
  "libunicode-table.h",
  "cutils.h",
  "list.h",
];

const SCRIPT = `
const started = Date.now();
function deep(n) { if (n === 0) { sleep(50); throw new Error("at the bottom"); } deep(n - 1); }
try { deep(50); } catch (error) { sleep(50); print(error.message); } finally { sleep(50); print("finally"); }
print([3, 1, 2].sort((a, b) => { sleep(5); return b - a; }));
function* numbers() { for (let i = 0; i < 3; i++) { sleep(20); yield i * i; } }
print(...numbers());
print("a1b22".replace(/\\d+/g, (digits) => { sleep(5); return "<" + digits + ">"; }));
for (let line; (line = readLine()) !== null; ) print("read", line);
print(Date.now() - started >= 200, JSON.stringify({ text: "ä€😀", list: [1.5, null] }));
`;

function script(text: string, expected: Omit<WasiCase, "args">): WasiCase {
  return { args: ["quickjs", "/work/main.js"], files: { "main.js": text }, ...expected };
}

export const program: WasiProgram = {
  name: "quickjs",
  module: () =>
    clang(
      { ...installedSources(FOLDER, [...SOURCES, ...HEADERS]), "main.c": source("quickjs.c") },
      // EMSCRIPTEN is how these sources say: no threads, no look at the native stack.
      ...["-w", "-DEMSCRIPTEN", '-DCONFIG_VERSION="2021-03-27"', "-D_GNU_SOURCE"],
      // WebAssembly has one way to round.
      ...["-DFE_DOWNWARD=FE_TONEAREST", "-DFE_UPWARD=FE_TONEAREST"],
    ),
  cases: {
    "sleep, input, exceptions": script(SCRIPT, {
      stdin: [100, "one\ntw", 50, "o\n"],
      stdout:
        'at the bottom\nfinally\n3,2,1\n0 1 4\na<1>b<22>\nread one\nread two\ntrue {"text":"ä€😀","list":[1.5,null]}\n',
      waits: 200,
    }),
    uncaught: script(`sleep(20); undefined.property`, {
      stdout: "",
      stderr: /^TypeError: cannot read property 'property' of undefined\n/,
      exitCode: 1,
      waits: 15,
    }),
  },
};
