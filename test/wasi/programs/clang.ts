/** clang and lld: 66 MB of code, which read a hundred headers. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { installed, readInstalled } from "../../programs/program.ts";
import type { WasiCase, WasiProgram } from "./program.ts";

/** Headers and libraries, which the package brings in an archive. */
function resources(): string {
  const folder = installed(".stackful-llvm-resources");
  if (!existsSync(folder)) {
    mkdirSync(folder);
    execFileSync("tar", ["-xf", installed("@yowasp/clang/gen/llvm-resources.tar"), "-C", folder]);
  }
  return folder;
}

const TARGET = ["--target=wasm32-wasip1", "--sysroot=/usr"];

function llvm(args: readonly string[], expected: Omit<WasiCase, "args">): WasiCase {
  return {
    args: ["llvm", ...args],
    get folders() {
      return { "/usr": resources() };
    },
    ...expected,
  };
}

const HELLO = `#include <stdio.h>\n#include <math.h>\nint main(void) { printf("%g\\n", sqrt(2)); }\n`;

export const program: WasiProgram = {
  name: "clang",
  module: () => readInstalled("@yowasp/clang/gen/llvm.core.wasm"),
  cases: {
    preprocess: llvm(["clang", ...TARGET, "-E", "-P", "-x", "c", "-"], {
      stdin: [50, "#define TWICE(x) x x\nint a = ", 50, "TWICE(1);\n"],
      stdout: "\nint a = 1 1;\n",
      waits: 80,
    }),
    compile: llvm(["clang", ...TARGET, "-O2", "-c", "/work/hello.c", "-o", "/work/hello.o"], {
      files: { "hello.c": HELLO },
      stdout: "",
      filesAfter: { "hello.o": /^\0asm[^]*printf/ },
    }),
    mistake: llvm(["clang", ...TARGET, "-fno-color-diagnostics", "-c", "/work/hello.c", "-o", "/work/hello.o"], {
      files: { "hello.c": "int main(void) { return missing; }\n" },
      stdout: "",
      stderr: /hello\.c:1:25: error: use of undeclared identifier 'missing'[^]*1 error generated/,
      exitCode: 1,
    }),
  },
};
